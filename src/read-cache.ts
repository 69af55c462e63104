/**
 * A bounded cache in front of a store's reads, for an owner who hears of changes. While the owner's news is
 * current, what is kept is served without asking; while it is not, the store is asked, and if it does not answer,
 * what is kept is served all the same.
 *
 * What was invalidated while it was being loaded is handed to those who waited for it, but not kept: an old value
 * never outlives the change that made it old.
 */
import { LRUCache } from 'lru-cache';
import { AppError } from './errors.js';
import { RequestScope } from './request-scope.js';
import { StoreBudget } from './store-budget.js';

export interface ReadCacheOptions<V> {
  readonly maxEntries: number;
  /** Whether invalidations arrive: everything kept is as the store has it, up to a moment ago. */
  readonly isCurrent: () => boolean;
  /** @returns null for what does not exist; absence is not cached, so a flood of invented ids takes no memory */
  readonly load: (key: string) => Promise<V | null>;
}

interface Kept<V> {
  readonly value: V;
  readonly generation: number;
  /** On the monotonic clock. */
  readonly readAtMs: number;
}

/** A safety net: an invalidation that was never announced is made up for after this long. */
const MAX_AGE_MS = 60_000;

export class ReadCache<V extends object> {
  private readonly entries: LRUCache<string, Kept<V>>;
  private readonly loading = new Map<string, Promise<V | null>>();
  /** Grows when changes may have been missed: what was kept before that is asked for again. */
  private generation = 0;

  constructor(private readonly options: ReadCacheOptions<V>) {
    this.entries = new LRUCache({ max: options.maxEntries });
  }

  /** Concurrent calls for one key share one read. */
  get(key: string): Promise<V | null> {
    const kept = this.entries.get(key);
    if (kept?.generation === this.generation && this.options.isCurrent()) {
      if (performance.now() - kept.readAtMs > MAX_AGE_MS) this.refreshBehind(key);
      return Promise.resolve(kept.value);
    }
    const loaded = StoreBudget.wait(() => this.loading.get(key) ?? this.load(key));
    return kept ? loaded.catch((error: unknown) => duringOutage(kept.value, error)) : loaded;
  }

  /** What `get` would answer without asking anybody; undefined when it would ask. */
  peek(key: string): V | undefined {
    const kept = this.entries.get(key);
    const isGood = kept?.generation === this.generation && this.options.isCurrent();
    return isGood && performance.now() - kept.readAtMs <= MAX_AGE_MS ? kept.value : undefined;
  }

  /** As the store has it now. What is kept is served meanwhile, and stays when the store does not answer. */
  reload(key: string): Promise<V | null> {
    return this.load(key);
  }

  invalidate(key: string): void {
    this.entries.delete(key);
    this.loading.delete(key);
  }

  /** Changes may have been missed. What is kept serves only while the store does not answer. */
  invalidateAll(): void {
    this.loading.clear();
    this.generation++;
  }

  /** Everything under keys that begin with `prefix`; for rare events, since it looks at every entry. */
  invalidatePrefix(prefix: string): void {
    for (const key of [...this.entries.keys(), ...this.loading.keys()]) {
      if (key.startsWith(prefix)) this.invalidate(key);
    }
  }

  /** Nobody waits for it, and what is kept stays if it fails. */
  private refreshBehind(key: string): void {
    if (!this.loading.has(key)) this.load(key).catch(() => undefined);
  }

  private load(key: string): Promise<V | null> {
    const read = RequestScope.exit(() => this.options.load(key)).then(
      (value) => {
        if (this.settle(key, read)) this.keep(key, value);
        return value;
      },
      (error: unknown) => {
        this.settle(key, read);
        throw error;
      },
    );
    this.loading.set(key, read);
    return read;
  }

  private keep(key: string, value: V | null): void {
    if (value) this.entries.set(key, { value, generation: this.generation, readAtMs: performance.now() });
    else this.entries.delete(key);
  }

  /** @returns whether this read is still the current one: not invalidated, not superseded */
  private settle(key: string, read: Promise<V | null>): boolean {
    return this.loading.get(key) === read && this.loading.delete(key);
  }
}

function duringOutage<V>(kept: V, error: unknown): V {
  if (error instanceof AppError && error.code === 'store_unavailable') return kept;
  throw error;
}
