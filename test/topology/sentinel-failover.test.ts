import { afterAll, beforeAll, describe, test } from '@jest/globals';
import { RedisWithSentinel } from '../support/redis-sentinel.js';
import {
  expectHarmOfTheLastMomentAtMost,
  expectNobodyHarmed,
  expectNothingButLost,
  trafficThrough,
} from './traffic-through.js';

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

  test('a killed master logs nobody out and revives nothing when a replica must confirm', async () => {
    expectNobodyHarmed(await trafficDuring('kill -9 of the master', 1, killMaster));
  });

  test('a killed master takes its last moment with it when no replica must confirm', async () => {
    expectHarmOfTheLastMomentAtMost(await trafficDuring('kill -9 of the master', 0, killMaster));
  });

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
    expectNothingButLost(figures);
  });
});
