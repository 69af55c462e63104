import { afterAll, beforeAll, describe, expect, test } from '@jest/globals';
import type { Redis } from 'ioredis';
import { RedisServer } from '../support/redis-server.js';
import { TestService, type TestTenant } from '../support/test-service.js';

describe('a Redis whose scripts somebody flushed away', () => {
  let redis: RedisServer;
  let look: Redis;
  let service: TestService;
  let acme: TestTenant;

  beforeAll(async () => {
    redis = await RedisServer.start();
    look = redis.client();
    service = await TestService.start({ STORE_URL: redis.url });
    acme = await service.tenant();
  });

  afterAll(async () => {
    await service.stop();
    look.disconnect();
    await redis.stop();
  });

  test('is given them again, and no call fails', async () => {
    // From the second time on the connection has sent each script whole before, and sends its digest.
    for (let time = 0; time < 3; time++) {
      const { access_token, refresh_token } = await service.createSession(acme);
      await look.call('SCRIPT', 'FLUSH', 'SYNC');
      const checks = await Promise.all(
        Array.from({ length: 20 }, () => service.validate(acme, access_token, 'store')),
      );
      expect(new Set(checks.map(({ status }) => status))).toEqual(new Set([200]));
      await look.call('SCRIPT', 'FLUSH', 'SYNC');
      expect((await service.refresh(acme, refresh_token)).status).toBe(200);
    }
    expect(await look.info('errorstats')).toMatch(/errorstat_NOSCRIPT:count=[1-9]/);
  });
});
