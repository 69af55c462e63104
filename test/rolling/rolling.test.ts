/**
 * Three instances behind a proxy, users who never stop, and everything that an operator does or that happens to one.
 * `npm run rehearse:rolling` prints what was counted; its exit status is the verdict. REHEARSAL_USERS makes more of it.
 */
import { afterAll, beforeAll, expect, test } from '@jest/globals';
import { randomBytes } from 'node:crypto';
import { freePort } from '../support/redis-server.js';
import { RedisWithSentinel } from '../support/redis-sentinel.js';
import { buildOnce } from '../support/service-process.js';
import { ADMIN_API_KEY, type TestTenant } from '../support/test-service.js';
import { Haproxy } from './haproxy.js';
import { Instance } from './instance.js';
import { twoVersions, type Versions } from './next-version.js';
import { Users, type Figures } from './users.js';

const INSTANCES = 3;
const USERS = Number(process.env['REHEARSAL_USERS'] ?? 9);

let versions: Versions;
let redis: RedisWithSentinel;
let instances: Instance[];
let proxy: Haproxy;
let tenant: TestTenant;

beforeAll(async () => {
  buildOnce();
  versions = twoVersions();
  redis = await RedisWithSentinel.start();
  const env = {
    STORE_URL: redis.url,
    REDIS_WAIT_REPLICAS: '1',
    SHUTDOWN_DRAIN_SECONDS: '3',
    LOG_LEVEL: 'fatal',
    // A machine that stands still is no outage.
    REDIS_COMMAND_TIMEOUT_MS: '60000',
  };
  const ports = await Promise.all(Array.from({ length: INSTANCES }, freePort));
  instances = ports.map((port) => new Instance(port, env));
  await Promise.all(instances.map((instance) => instance.start(versions.current)));
  proxy = await Haproxy.start(ports);
  tenant = await makeTenant();
}, 120_000);

afterAll(async () => {
  await proxy?.stop();
  await Promise.all((instances ?? []).map((instance) => instance.kill()));
  await redis?.stop();
});

async function makeTenant(): Promise<TestTenant> {
  const tenantId = `t-${randomBytes(6).toString('hex')}`;
  const response = await fetch(`${proxy.url}/tenants`, {
    method: 'POST',
    headers: { 'x-api-key': ADMIN_API_KEY, 'content-type': 'application/json' },
    body: JSON.stringify({ tenant_id: tenantId }),
  });
  const { api_key: apiKey } = (await response.json()) as { api_key: string };
  return { tenantId, apiKey };
}

/** The next one leaves when the one before is back in the proxy's rotation. */
async function replaceEach(dist: string): Promise<void> {
  for (const instance of instances) {
    expect(await instance.leave()).toBe(0);
    await instance.start(dist);
    await proxy.untilInRotation(INSTANCES);
  }
}

async function count(what: string, change: () => Promise<void>): Promise<Figures> {
  const figures = await new Users(proxy.url, tenant).during(USERS, change);
  const { lastFailedSentAtMs: _, ...counted } = figures;
  process.stdout.write(`${what}: ${JSON.stringify(counted)}\n`);
  expect(figures.requests).toBeGreaterThan(USERS * 20);
  return figures;
}

const UNHARMED = { failed: {}, postponed: 0, loggedOut: 0, lost: 0 };

test('instances that are restarted one after the other fail no request, log nobody out and lose nothing', async () => {
  const figures = await count('rolling restart', () => replaceEach(versions.current));
  expect(figures).toMatchObject(UNHARMED);
}, 240_000);

test('neither does the next version beside this one, nor the way back', async () => {
  const figures = await count('N to N+1 and back', async () => {
    await replaceEach(versions.next);
    await replaceEach(versions.current);
  });
  expect(figures).toMatchObject(UNHARMED);
}, 360_000);

test('a planned failover of Redis postpones some requests, and fails none', async () => {
  await redis.untilComplete();
  const figures = await count('planned failover', () => redis.failOver({ pauseWrites: true }));
  expect(figures).toMatchObject({ failed: {}, loggedOut: 0, lost: 0 });
}, 240_000);

test('an instance that is killed fails what it was answering, and nothing once the proxy knows', async () => {
  let knownAtMs = 0;
  const figures = await count('kill -9', async () => {
    await instances[0]?.kill();
    await proxy.untilInRotation(INSTANCES - 1);
    knownAtMs = performance.now();
    await instances[0]?.start(versions.current);
    await proxy.untilInRotation(INSTANCES);
  });
  expect(figures.lastFailedSentAtMs).toBeLessThan(knownAtMs);
  expect(figures).toMatchObject({ loggedOut: 0, lost: 0 });
}, 240_000);
