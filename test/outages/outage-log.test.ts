import { afterAll, beforeAll, describe, expect, test } from '@jest/globals';
import { RedisServer } from '../support/redis-server.js';
import { buildOnce, ServiceProcess } from '../support/service-process.js';
import { ADMIN_API_KEY, SOON_OUT } from '../support/test-service.js';
import { eventually } from '../support/eventually.js';

describe('the log of an outage', () => {
  let redis: RedisServer;
  let service: ServiceProcess;

  beforeAll(async () => {
    buildOnce();
    redis = await RedisServer.start();
    service = await ServiceProcess.start({ ...SOON_OUT, STORE_URL: redis.url });
  });

  afterAll(async () => {
    await service.stop();
    await redis.stop();
  });

  const count = (event: string): number => service.log.split(`"event":"${event}"`).length - 1;
  const ask = async (): Promise<number> => {
    const answer = await fetch(`${service.url}/tenants`, { headers: { 'x-api-key': ADMIN_API_KEY } });
    await answer.arrayBuffer();
    return answer.status;
  };

  test.each([
    ['that is killed', () => redis.kill(), () => redis.restart()],
    ['that hangs', async () => redis.signal('SIGSTOP'), async () => redis.signal('SIGCONT')],
  ])('of a Redis %s says once when it begins, and once when it is over', async (_, begin, end) => {
    const before = { began: count('redis_outage_began'), ended: count('redis_outage_ended') };
    await begin();
    const statuses = new Set<number>();
    await eventually(async () => {
      statuses.add(await ask());
      return count('redis_outage_began') > before.began;
    });
    expect([...statuses]).toEqual([503]);
    for (let more = 0; more < 20; more++) expect(await ask()).toBe(503);
    expect(count('redis_outage_ended')).toBe(before.ended);
    await end();
    await eventually(async () => (await ask()) === 200);
    await eventually(() => count('redis_outage_ended') > before.ended);
    expect(count('redis_outage_began')).toBe(before.began + 1);
    expect(count('redis_outage_ended')).toBe(before.ended + 1);
    expect(service.log).toMatch(/"redis_outage_ended","duration_ms":\d/);
  });
});
