/** What is secret is nowhere in the log, at its most talkative, whatever goes wrong. */
import { afterAll, beforeAll, describe, expect, test } from '@jest/globals';
import { Redis } from 'ioredis';
import { RedisServer } from '../support/redis-server.js';
import {
  ADMIN_API_KEY,
  testEnvironment,
  TestService,
  type TestTenant,
  type Tokens,
} from '../support/test-service.js';
import { rawRequest } from '../e2e/raw-http.js';
import { ListenedLog } from './listened-log.js';

const PASSWORD = 'redis-password-Zq7vR2';
const IN_HEADER = 'header-canary-Zq7vR2';
const IN_BODY = 'body-canary-Zq7vR2';
const IN_QUERY = 'query-canary-Zq7vR2';
const IN_PATH = 'path-canary-Zq7vR2';
const METRICS_TOKEN = 'metrics-canary-Zq7vR2';

describe('the log', () => {
  const listened = new ListenedLog('trace');
  let redis: RedisServer;
  let service: TestService;
  let tenant: TestTenant;
  let tokens: Tokens;

  beforeAll(async () => {
    redis = await RedisServer.start(['--requirepass', PASSWORD]);
    const env = { STORE_URL: `redis://:${PASSWORD}@127.0.0.1:${redis.port}`, METRICS_TOKEN };
    service = await TestService.start(env, undefined, undefined, listened.log);
    tenant = await service.tenant();
    tokens = await service.createSession(tenant, { metadata: { note: IN_BODY } });
  });
  afterAll(async () => {
    await service.stop();
    await redis.stop();
  });

  const secrets = (): string[] => [
    PASSWORD,
    IN_HEADER,
    IN_BODY,
    IN_QUERY,
    IN_PATH,
    METRICS_TOKEN,
    ADMIN_API_KEY,
    tenant.apiKey,
    tenant.apiKey.split('_').at(-1) ?? '',
    testEnvironment()['MASTER_KEYS']?.split(':')[1] ?? '',
    ...[tokens.access_token, tokens.refresh_token].flatMap((token) => [token, ...token.split('.').slice(1)]),
  ];
  const leaked = (): string[] => secrets().filter((secret) => listened.text.includes(secret));

  test('has no secret after requests of every kind', async () => {
    const { apiKey } = tenant;
    const headers = { authorization: `Bearer ${IN_HEADER}`, cookie: IN_HEADER, 'x-other': IN_HEADER };
    await service.validate(tenant, tokens.access_token);
    await service.validate(tenant, `${tokens.access_token}x`);
    await service.refresh(tenant, tokens.refresh_token);
    await service.call('GET', `/sessions/${IN_PATH}?x=${IN_QUERY}`, { apiKey, headers });
    await service.call('GET', `/${IN_PATH}?x=${IN_QUERY}`, { headers });
    await service.call('POST', '/sessions', { apiKey, body: `{"tenant_id": ${IN_BODY}` });
    await service.call('POST', '/sessions', { apiKey, body: { [IN_BODY]: IN_BODY } });
    await service.call('POST', '/sessions', { apiKey: `${apiKey}x`, body: {} });
    await service.call('POST', `/sessions?x=${IN_QUERY}`, {
      apiKey,
      body: {},
      headers: { 'x-request-id': apiKey },
    });
    await service.call('GET', '/metrics', { headers: { authorization: `Bearer ${METRICS_TOKEN}x` } });
    await service.call('GET', '/metrics', { headers: { authorization: `Bearer ${METRICS_TOKEN}` } });
    await rawRequest(service.url, `GET /%zz${IN_PATH} HTTP/1.1\r\nhost: x\r\nconnection: close\r\n\r\n`);
    await rawRequest(service.url, `${IN_BODY}\r\n\r\n`);
    await service.revoke(tenant, tokens.access_token);
    await listened.settled();
    expect(leaked()).toEqual([]);
    expect(listened.lines('request').length).toBeGreaterThan(10);
  });

  test('has no secret when Redis refuses what it is told, and its errors hold the arguments', async () => {
    const session = await service.createSession(tenant, { metadata: { note: IN_BODY } });
    tokens = session;
    const client = new Redis({ port: redis.port, host: '127.0.0.1', password: PASSWORD });
    const [key] = await client.keys(`*:session:${session.session_id}`);
    if (!key) throw new Error('the session has a record');
    // As somebody would who pokes about: Redis then quotes, ioredis keeps the arguments on the error.
    await client.del(key);
    await client.set(key, IN_BODY);
    client.disconnect();
    const { status } = await service.refresh(tenant, session.refresh_token);
    expect(status).toBe(500);
    expect(leaked()).toEqual([]);
    const [line] = listened.lines('internal_error');
    expect(line).toMatchObject({ level: 'error', cause: { type: 'ReplyError' } });
    expect(JSON.stringify(line)).toContain('WRONGTYPE');
    expect(JSON.stringify(line)).toContain('at ');
  });

  test('has no secret when Redis goes away, and comes back with another password', async () => {
    await redis.stop();
    await service.post(tenant, '/sessions', { tenant_id: tenant.tenantId, user_id: IN_BODY, scope: '' });
    const other = await RedisServer.start(['--requirepass', 'another'], redis.port);
    redis = other;
    const deadline = performance.now() + 15_000;
    while (!listened.text.includes('WRONGPASS') && performance.now() < deadline) {
      await service.post(tenant, '/sessions', { tenant_id: tenant.tenantId, user_id: IN_BODY, scope: '' });
    }
    expect(listened.lines('redis_outage_began').length).toBeGreaterThan(0);
    expect(listened.text).toContain('WRONGPASS');
    expect(leaked()).toEqual([]);
  });
});
