import { afterEach, beforeAll, describe, expect, test } from '@jest/globals';
import { eventually } from '../support/eventually.js';
import { times } from '../support/racing.js';
import { RedisServer } from '../support/redis-server.js';
import { buildOnce, ServiceProcess } from '../support/service-process.js';
import { TcpProxy } from '../support/tcp-proxy.js';
import { ADMIN_API_KEY, SOON_OUT, TestService } from '../support/test-service.js';

const RESTARTS = 20;
/** Connections of the tests themselves come and go. */
const SPARE_HANDLES = 4;
const LOG_LINES_PER_OUTAGE = 4;

const inUse: (() => Promise<void>)[] = [];

/** Ended when the test is over, however it ends; the latest first. */
function use<T extends { stop(): Promise<void> }>(thing: T): T {
  inUse.push(() => thing.stop());
  return thing;
}

afterEach(async () => {
  for (const stop of inUse.splice(0).toReversed()) await stop();
});

describe('a Redis that dies and comes back', () => {
  beforeAll(buildOnce);

  test('20 times over, is found again each time by a process that grows neither handles nor its log', async () => {
    const redis = use(await RedisServer.start());
    const service = use(await ServiceProcess.start({ STORE_URL: redis.url }));
    const ask = async (method: string, path: string, body?: unknown): Promise<number> => {
      const answer = await fetch(service.url + path, {
        method,
        headers: { 'x-api-key': ADMIN_API_KEY, 'content-type': 'application/json', connection: 'close' },
        ...(body === undefined ? {} : { body: JSON.stringify(body) }),
      });
      await answer.text();
      return answer.status;
    };
    const well = () =>
      eventually(
        () => ask('GET', '/health'),
        (status) => status === 200,
      );
    await well();
    const handles = service.openHandles();
    let refused = 0;
    for (let outage = 0; outage < RESTARTS; outage++) {
      await redis.kill();
      const statuses = await Promise.all(times(5, () => ask('GET', '/tenants')));
      expect(statuses).toEqual(times(5, () => 503));
      refused += statuses.length;
      await redis.restart();
      await well();
      expect(await ask('POST', '/tenants', { tenant_id: `after-${outage}` })).toBe(201);
    }
    expect(service.isRunning).toBe(true); // an unhandled rejection would have ended it
    expect(service.log).not.toMatch(/unhandled|MaxListeners|internal_error/i);
    expect(service.log.match(/redis_(trouble|outage_began)/g)?.length ?? 0).toBeLessThanOrEqual(
      RESTARTS * LOG_LINES_PER_OUTAGE,
    );
    const outageLines = service.log.match(/"event":"store_unavailable"/g)?.length ?? 0;
    expect(outageLines).toBeGreaterThan(0);
    expect(outageLines).toBeLessThan(refused / 2); // one a second, however many are refused
    await eventually(
      async () => service.openHandles(),
      (now) => now <= handles + SPARE_HANDLES,
    );
  });

  test('is waited for when it was not there at the start', async () => {
    const redis = use(await RedisServer.start());
    await redis.kill();
    const service = use(await TestService.start({ STORE_URL: redis.url }));
    expect((await service.call('GET', '/health')).status).toBe(503);
    expect((await service.asPlatform('POST', '/tenants', { tenant_id: 'early' })).status).toBe(503);
    await redis.restart();
    await eventually(
      () => service.call('GET', '/health'),
      ({ status }) => status === 200,
    );
    expect((await service.asPlatform('POST', '/tenants', { tenant_id: 'early' })).status).toBe(201);
  });

  test('is not well before it has loaded its data', async () => {
    const slowToLoad = ['--key-load-delay', '1000', '--loading-process-events-interval-bytes', '1024'];
    const redis = use(await RedisServer.start(slowToLoad));
    const service = use(await TestService.start({ STORE_URL: redis.url }));
    const acme = await service.tenant();
    const tokens = await service.createSession(acme);
    const client = redis.client();
    await client.eval(`for i = 1, 500 do redis.call('SET', 'filler:' .. i, i) end`, 0);
    await client.save();
    client.disconnect();
    await redis.kill();
    const restarted = redis.restart();
    await eventually(
      () => service.call('GET', '/health'),
      ({ status }) => status === 200,
    );
    expect((await service.validate(acme, tokens.access_token, 'store')).status).toBe(200);
    expect((await service.refresh(acme, tokens.refresh_token)).status).toBe(200);
    await restarted;
  });
});

describe('a connection that is dead without a word', () => {
  test('is given up, and the service works again over a new one', async () => {
    const redis = use(await RedisServer.start());
    const proxy = use(await TcpProxy.start(redis.port));
    const service = use(await TestService.start({ ...SOON_OUT, STORE_URL: proxy.url }));
    const acme = await service.tenant();
    const tokens = await service.createSession(acme);
    proxy.blackHole();
    expect((await service.refresh(acme, tokens.refresh_token)).status).toBe(503);
    const refreshed = await eventually(
      () => service.refresh(acme, tokens.refresh_token),
      ({ status }) => status !== 503,
    );
    expect(refreshed.status).toBe(200);
    expect((await service.validate(acme, refreshed.body.access_token, 'store')).status).toBe(200);
  });
});
