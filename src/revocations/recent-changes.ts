/**
 * The end of the change feed, kept so that whoever was away for a moment can go on where it was. It is bounded: who
 * was away for longer must be told everything.
 */
import type { Change, FeedEntry } from './change-feed.js';

/** About 300 bytes each. */
const MAX_CHANGES = 16_384;

type Kept = Pick<FeedEntry, 'change' | 'positionId'>;

export class RecentChanges {
  private readonly kept: Kept[] = [];
  /** By the name of the position behind a change: its number here. */
  private readonly numbers = new Map<string, number>();
  private count = 0;

  constructor(private readonly maxChanges = MAX_CHANGES) {}

  add(entries: readonly Kept[]): void {
    for (const { change, positionId } of entries) this.keep({ change, positionId });
  }

  /** The feed was read up to here: that is the place of its last change, or of none while it is empty. */
  standAt(positionId: string): void {
    if (!this.numbers.has(positionId)) this.keep({ change: null, positionId });
  }

  /** @returns the tenant's changes after that position; null when not all of them are known here */
  since(positionId: string, tenantId: string): Change[] | null {
    const number = this.numbers.get(positionId);
    if (number === undefined) return null;
    const changes: Change[] = [];
    for (let at = number + 1; at < this.count; at++) {
      const change = this.kept[at % this.maxChanges]?.change;
      if (change?.tenantId === tenantId) changes.push(change);
    }
    return changes;
  }

  private keep(entry: Kept): void {
    const place = this.count % this.maxChanges;
    const oldest = this.kept[place]?.positionId;
    if (typeof oldest === 'string') this.numbers.delete(oldest);
    this.kept[place] = entry;
    if (entry.positionId !== null) this.numbers.set(entry.positionId, this.count);
    this.count++;
  }
}
