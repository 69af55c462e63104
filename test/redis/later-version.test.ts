/** During a rolling change two versions share a store: this one reads what a later one writes, and keeps it. */
import { afterAll, beforeAll, expect, test } from '@jest/globals';
import { readFileSync } from 'node:fs';
import type { Redis } from 'ioredis';
import { FEED_STATE, FEED_STREAM, sessionKey, tenantKeys } from '../../src/storage/redis/redis-keys.js';
import { eventually } from '../support/eventually.js';
import { RedisServer } from '../support/redis-server.js';
import { TestService, type TestTenant } from '../support/test-service.js';

let redis: RedisServer;
let client: Redis;
let service: TestService;
let tenant: TestTenant;

beforeAll(async () => {
  redis = await RedisServer.start();
  client = redis.client();
  service = await TestService.start({ STORE_URL: redis.url });
  tenant = await service.tenant();
});

afterAll(async () => {
  await service?.stop();
  client?.disconnect();
  await redis?.stop();
});

test('a session record of a later version is read, refreshed and revoked, and keeps what is not known here', async () => {
  const tokens = await service.createSession(tenant);
  const key = sessionKey(tenant.tenantId, tokens.session_id);
  expect(await client.hget(key, 'v')).toBe('1');
  await client.hset(key, { v: '2', of_a_later_version: 'kept' });

  expect((await service.validate(tenant, tokens.access_token, 'store')).status).toBe(200);
  const { status, body } = await service.refresh(tenant, tokens.refresh_token);
  expect(status).toBe(200);
  const listed = await service.call<{ sessions: { session_id: string }[] }>(
    'GET',
    `/sessions?tenant_id=${tenant.tenantId}&user_id=alice`,
    { apiKey: tenant.apiKey },
  );
  expect(listed.body.sessions.map(({ session_id }) => session_id)).toEqual([tokens.session_id]);
  expect(await client.hmget(key, 'v', 'of_a_later_version')).toEqual(['2', 'kept']);

  expect((await service.revoke(tenant, body.refresh_token)).status).toBe(204);
  expect((await service.validate(tenant, body.access_token, 'store')).status).toBe(401);
});

test('a tenant of a later version is changed here without losing what is not known here', async () => {
  const key = tenantKeys(tenant.tenantId).record;
  const document = JSON.parse((await client.hget(key, 'document')) ?? '{}') as Record<string, unknown>;
  await client.hset(key, 'document', JSON.stringify({ ...document, ofALaterVersion: 'kept' }));
  // Another instance, which has nothing in memory.
  const other = await TestService.start({ STORE_URL: redis.url });
  const { status } = await other.asPlatform('PATCH', `/tenants/${tenant.tenantId}`, { name: 'Renamed' });
  await other.stop();
  expect(status).toBe(200);
  expect(JSON.parse((await client.hget(key, 'document')) ?? '{}')).toMatchObject({
    name: 'Renamed',
    ofALaterVersion: 'kept',
  });
});

test('an announcement of a kind that is not known here is passed over, and those after it are heard', async () => {
  const tokens = await service.createSession(tenant);
  const announce = readFileSync('src/storage/redis/lua/announce-changes.lua', 'utf8');
  const change = JSON.stringify({ kind: 'of_a_later_version', tenantId: tenant.tenantId });
  await client.eval(announce, 2, FEED_STREAM, FEED_STATE, 'unused', 1000, change);
  const other = await TestService.start({ STORE_URL: redis.url });
  expect((await other.revoke(tenant, tokens.access_token)).status).toBe(204);
  await other.stop();

  const refused = await eventually(
    () => service.validate(tenant, tokens.access_token),
    ({ status }) => status === 401,
  );
  expect(refused.body).toMatchObject({ error: 'token_revoked' });
});
