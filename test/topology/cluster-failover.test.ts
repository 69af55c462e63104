import { afterAll, beforeAll, describe, expect, test } from '@jest/globals';
import type { Environment } from '../../src/config.js';
import { eventually } from '../support/eventually.js';
import { RedisCluster } from '../support/redis-cluster.js';
import { SOON_OUT, TestService } from '../support/test-service.js';
import { expectHarmOfTheLastMomentAtMost, expectNobodyHarmed, trafficThrough } from './traffic-through.js';

const FEED = '{changes}:stream';

describe('traffic through changes of a Cluster', () => {
  let redis: RedisCluster;

  beforeAll(async () => {
    redis = await RedisCluster.start();
  });

  afterAll(() => redis.stop());

  async function trafficDuring(
    name: string,
    waitReplicas: number,
    happens: () => Promise<void>,
    bounds: Environment = SOON_OUT,
  ) {
    const disturbance = { name: `Cluster, ${name}`, waitReplicas, happens, bounds };
    const outcome = await trafficThrough(redis.url, disturbance);
    if (waitReplicas > 0) expectNobodyHarmed(outcome);
    else expectHarmOfTheLastMomentAtMost(outcome);
    return outcome;
  }

  test('slots that move under traffic fail nobody', async () => {
    const reshards = async () => {
      const from = await redis.masterOf(FEED);
      const to = (await redis.masters()).find(({ id }) => id !== from.id);
      await redis.reshard(from, to!, 500);
      await redis.reshard(to!, from, 500);
    };
    const figures = await trafficDuring('reshard of 2 × 500 slots', 1, reshards, {});
    expect(figures.failed).toEqual({});
  });

  test('the feed is followed to where its slot moves', async () => {
    const env = { STORE_URL: redis.url };
    const services = [await TestService.start(env), await TestService.start(env)] as const;
    const tenant = await services[0].tenant();
    const from = await redis.masterOf(FEED);
    const to = (await redis.masters()).find(({ id }) => id !== from.id);
    await redis.moveSlotOf(FEED, from, to!);
    const { access_token } = await services[0].createSession(tenant);
    expect((await services[0].revoke(tenant, access_token)).status).toBe(204);
    await eventually(async () => {
      return (await services[1].validate(tenant, access_token)).status === 401;
    });
    await Promise.all(services.map((service) => service.stop()));
  });

  test.each([1, 0])(
    'a killed master harms nobody, but for its last moment where none waits: with REDIS_WAIT_REPLICAS=%d',
    async (waitReplicas) => {
      await redis.untilComplete();
      await trafficDuring('kill -9 of the master with the feed', waitReplicas, async () => {
        const { server } = await redis.masterOf(FEED);
        await redis.kill(server);
        await redis.untilServedWithout(server);
        await redis.restart(server);
      });
    },
  );

  test('a master that hangs and is replaced is left for its successor', async () => {
    await redis.untilComplete();
    const { server } = await redis.masterOf(FEED);
    try {
      await trafficDuring('SIGSTOP of the master with the feed', 0, async () => {
        redis.pause(server);
        await redis.untilServedWithout(server);
      });
    } finally {
      redis.resume(server);
    }
  });
});
