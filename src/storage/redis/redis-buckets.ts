import {
  MAX_CLOCK_SKEW_MS,
  MAX_DEBT_SECONDS,
  type SharedBuckets,
  type SharedLevel,
  type Spending,
} from '../../tenants/rate-limit.js';
import type { RedisConnection } from './redis-connection.js';
import { bucketKey, bucketTag } from './redis-keys.js';

/** A pipeline with our scripts: ioredis' types do not know them. */
interface SpendingPipeline {
  'spend-tokens'(...args: (string | number)[]): unknown;
}

export class RedisBuckets implements SharedBuckets {
  constructor(private readonly redis: RedisConnection) {}

  /** One pipeline for each slot. */
  async spend(spendings: readonly Spending[], nowMs: number): Promise<SharedLevel[]> {
    const levels = new Map<Spending, SharedLevel>();
    const slots = Map.groupBy(spendings, ({ bucket }) => bucketTag(bucket)).values();
    await Promise.all(
      [...slots].map(async (slot) => {
        const replies = await this.redis.pipeline('spend-tokens', (pipeline) => {
          for (const spending of slot) {
            (pipeline as unknown as SpendingPipeline)['spend-tokens'](...argumentsOf(spending, nowMs));
          }
          return pipeline;
        });
        for (const [at, spending] of slot.entries()) levels.set(spending, toLevel(replies[at]));
      }),
    );
    return spendings.map((spending) => levels.get(spending) ?? { level: 0, asked: 0 });
  }
}

function argumentsOf({ bucket, limit, taken, asked }: Spending, nowMs: number): (string | number)[] {
  const { perSecond, burst } = limit;
  const bounds = [-perSecond * MAX_DEBT_SECONDS, MAX_CLOCK_SKEW_MS];
  return [bucketKey(bucket), nowMs, perSecond, burst, taken, asked, ...bounds];
}

function toLevel(reply: unknown): SharedLevel {
  const [level, asked] = reply as [string, number];
  return { level: Number(level), asked };
}
