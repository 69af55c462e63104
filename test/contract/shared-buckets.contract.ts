/** What every store must do with the buckets of rate limits. */
import { randomUUID } from 'node:crypto';
import { describe, expect, test } from '@jest/globals';
import { MAX_CLOCK_SKEW_MS, MAX_DEBT_SECONDS, type Spending } from '../../src/tenants/rate-limit.js';
import { storesOf, type OpenStores } from './open-stores.js';
import { T0 } from './samples.js';

const LIMIT = { perSecond: 10, burst: 20 };

function spending(bucket: string, taken: number, more: Partial<Spending> = {}): Spending {
  return { bucket, limit: LIMIT, taken, asked: taken, ...more };
}

export function sharedBucketsContract(open: OpenStores): void {
  describe('shared buckets', () => {
    const stores = storesOf(open);
    const spend = async (one: Spending, nowMs: number) => {
      const [level] = await stores().buckets.spend([one], nowMs);
      return { level: level?.level, asked: level?.asked };
    };

    test('are full at first, and hold what is left of them', async () => {
      const bucket = randomUUID();
      expect(await spend(spending(bucket, 3), T0)).toEqual({ level: 17, asked: 3 });
      expect(await spend(spending(bucket, 4), T0)).toEqual({ level: 13, asked: 7 });
    });

    test('gain their rate until they are full', async () => {
      const bucket = randomUUID();
      await spend(spending(bucket, 20), T0);
      expect(await spend(spending(bucket, 0), T0 + 150)).toMatchObject({ level: 1.5 });
      expect(await spend(spending(bucket, 0), T0 + 3_600_000)).toMatchObject({ level: 20 });
    });

    test('can be overdrawn, but not without end', async () => {
      const bucket = randomUUID();
      expect(await spend(spending(bucket, 50), T0)).toMatchObject({ level: -30 });
      expect(await spend(spending(bucket, 1_000_000), T0)).toMatchObject({ level: -10 * MAX_DEBT_SECONDS });
    });

    test('count who asked apart from who got something', async () => {
      const bucket = randomUUID();
      expect(await spend(spending(bucket, 2, { asked: 100 }), T0)).toEqual({ level: 18, asked: 100 });
    });

    test('gain nothing twice from clocks that are apart', async () => {
      const bucket = randomUUID();
      await spend(spending(bucket, 20), T0 + 2000);
      expect(await spend(spending(bucket, 0), T0)).toMatchObject({ level: 0 });
      expect(await spend(spending(bucket, 0), T0 + 2500)).toMatchObject({ level: 5 });
    });

    test('go on when a clock that was wrong is put right', async () => {
      const bucket = randomUUID();
      await spend(spending(bucket, 20), T0 + MAX_CLOCK_SKEW_MS + 3_600_000);
      expect(await spend(spending(bucket, 0), T0)).toMatchObject({ level: 0 });
      expect(await spend(spending(bucket, 0), T0 + 1000)).toMatchObject({ level: 10 });
    });

    test('begin anew when their limit is changed', async () => {
      const bucket = randomUUID();
      await spend(spending(bucket, 20), T0);
      const limit = { perSecond: 5, burst: 5 };
      expect(await spend(spending(bucket, 1, { limit }), T0)).toEqual({ level: 4, asked: 1 });
    });

    test('are answered in the order they were named, each for itself', async () => {
      const names = Array.from({ length: 50 }, () => randomUUID());
      const levels = await stores().buckets.spend(
        names.map((name, at) => spending(name, at % 20)),
        T0,
      );
      expect(levels.map(({ level }) => level)).toEqual(names.map((_, at) => 20 - (at % 20)));
    });

    test('need not be asked for', async () => {
      expect(await stores().buckets.spend([], T0)).toEqual([]);
    });
  });
}
