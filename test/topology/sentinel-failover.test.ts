import { afterAll, beforeAll, describe, expect, test } from '@jest/globals';
import { RedisWithSentinel } from '../support/redis-sentinel.js';
import { IN_TIME_MS } from '../support/test-service.js';
import { expectNobodyHarmed, trafficThrough } from './traffic-through.js';

describe('traffic through failovers of Sentinel', () => {
  let redis: RedisWithSentinel;

  beforeAll(async () => {
    redis = await RedisWithSentinel.start();
  });

  afterAll(() => redis.stop());

  async function trafficDuring(name: string, waitReplicas: number, happens: () => Promise<void>) {
    await redis.untilComplete();
    return trafficThrough(redis.url, { name: `Sentinel, ${name}`, waitReplicas, happens });
  }

  const killMaster = async () => {
    const master = await redis.master();
    await master.kill();
    await redis.untilFailedOver(master);
    await redis.rejoin(master);
  };

  test.each([1, 0])(
    'a killed master logs nobody out and revives nothing, with REDIS_WAIT_REPLICAS=%d',
    async (waitReplicas) => {
      const figures = await trafficDuring('kill -9 of the master', waitReplicas, killMaster);
      expectNobodyHarmed(figures);
    },
  );

  test('a planned failover with writes paused before it logs nobody out and revives nothing', async () => {
    const figures = await trafficDuring('CLIENT PAUSE and SENTINEL FAILOVER', 1, () =>
      redis.failOver({ pauseWrites: true }),
    );
    expectNobodyHarmed(figures);
  });

  /** All of them: one that still follows the old master would confirm what the new master never gets. */
  test('a planned failover under writes logs nobody out and revives nothing when all replicas must confirm', async () => {
    const figures = await trafficDuring('SENTINEL FAILOVER', 2, () => redis.failOver({ pauseWrites: false }));
    expectNobodyHarmed(figures);
  });

  /** What an operator gets who does not stop writes first and waits for no replica: the old master goes on taking what is then lost. */
  test('a planned failover under writes fails nothing but sessions that began in it', async () => {
    const figures = await trafficDuring('SENTINEL FAILOVER', 0, () => redis.failOver({ pauseWrites: false }));
    const lost = /: 401 (refresh_token_not_found|invalid_token|refresh_token_reused|token_revoked)$/;
    expect(figures.inexcusable.filter((kind) => !lost.test(kind))).toEqual([]);
    expect(figures.slowestRequestMs).toBeLessThan(IN_TIME_MS);
  });
});
