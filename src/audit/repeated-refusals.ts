/**
 * Of refusals that are alike, one a minute is told and the others are counted: a caller who is refused a thousand
 * times a second fills neither the audit nor the log, and costs a look into a bounded map.
 */
import type { Circumstances } from '../http/happenings.js';

const WINDOW_MS = 60_000;
/** Beyond so many kinds at once, the oldest is told and forgotten early. */
const MAX_KINDS = 10_000;

interface Window {
  readonly sinceMs: number;
  /** How many were counted and not told. */
  count: number;
  last: Circumstances;
}

/** `repeated` were counted since the last of their kind was told. */
export interface ToldRefusal {
  readonly kind: string;
  readonly circumstances: Circumstances;
  readonly repeated: number;
}

export class RepeatedRefusals {
  private readonly windows = new Map<string, Window>();

  /** @returns what is to be told now: the first of its kind in a minute, and whoever had to make room */
  note(kind: string, circumstances: Circumstances): ToldRefusal[] {
    const { atMs } = circumstances;
    const window = this.windows.get(kind);
    if (window && atMs - window.sinceMs < WINDOW_MS) {
      window.count++;
      window.last = circumstances;
      return [];
    }
    this.windows.delete(kind);
    const evicted = this.windows.size >= MAX_KINDS ? this.evictOldest() : [];
    this.windows.set(kind, { sinceMs: atMs, count: 0, last: circumstances });
    return [...evicted, { kind, circumstances, repeated: window?.count ?? 0 }];
  }

  /** @returns those whose minute is over, or all, as far as any were counted: the last of each speaks for them */
  takeOver(nowMs: number, { all } = { all: false }): ToldRefusal[] {
    const over: ToldRefusal[] = [];
    // In the order of their beginnings: the first that is not over ends the search.
    for (const [kind, window] of this.windows) {
      if (!all && nowMs - window.sinceMs < WINDOW_MS) break;
      this.windows.delete(kind);
      over.push(...told(kind, window));
    }
    return over;
  }

  private evictOldest(): ToldRefusal[] {
    for (const [kind, window] of this.windows) {
      this.windows.delete(kind);
      return told(kind, window);
    }
    return [];
  }
}

/** The last one stands for itself, and repeats those before it. */
function told(kind: string, { count, last }: Window): ToldRefusal[] {
  return count === 0 ? [] : [{ kind, circumstances: last, repeated: count - 1 }];
}
