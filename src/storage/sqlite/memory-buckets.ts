/** Rate limits' buckets of the one process that there is: in memory, and full again after a restart. */
import {
  levelAfter,
  MAX_CLOCK_SKEW_MS,
  type RateLimit,
  type SharedBuckets,
  type SharedLevel,
  type Spending,
} from '../../tenants/rate-limit.js';

/** As many as an instance keeps in its own view. */
const MAX_BUCKETS = 60_000;

interface Bucket extends SharedLevel {
  readonly limit: RateLimit;
  readonly atMs: number;
}

export class MemoryBuckets implements SharedBuckets {
  /** The one that was used longest ago comes first. */
  private readonly buckets = new Map<string, Bucket>();

  async spend(spendings: readonly Spending[], nowMs: number): Promise<SharedLevel[]> {
    return spendings.map((spending) => this.spendOne(spending, nowMs));
  }

  private spendOne({ bucket, limit, taken, asked }: Spending, nowMs: number): SharedLevel {
    const kept = this.buckets.get(bucket);
    const isSame = kept?.limit.perSecond === limit.perSecond && kept.limit.burst === limit.burst;
    const before = isSame ? kept : { limit, level: limit.burst, asked: 0, atMs: nowMs };
    const atMs = nowMs < before.atMs - MAX_CLOCK_SKEW_MS ? nowMs : Math.max(before.atMs, nowMs);
    const elapsedMs = Math.max(0, atMs - before.atMs);
    const after = {
      limit,
      atMs,
      level: levelAfter(before.level, limit, { elapsedMs, taken }),
      asked: before.asked + asked,
    };
    this.buckets.delete(bucket);
    this.buckets.set(bucket, after);
    if (this.buckets.size > MAX_BUCKETS) this.buckets.delete(this.buckets.keys().next().value ?? '');
    return after;
  }
}
