import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test } from '@jest/globals';
import type { Redis } from 'ioredis';
import { eventually } from '../support/eventually.js';
import { times } from '../support/racing.js';
import { command, script } from '../support/redis-commands.js';
import { RedisServer } from '../support/redis-server.js';
import { TcpProxy } from '../support/tcp-proxy.js';
import {
  IN_TIME_MS,
  SOON_OUT,
  TestService,
  type HttpAnswer,
  type TestTenant,
  type Tokens,
} from '../support/test-service.js';

const inUse: (() => Promise<void>)[] = [];

/** Ended when the test is over, however it ends; the latest first. */
function use<T extends { stop(): Promise<void> }>(thing: T): T {
  inUse.push(() => thing.stop());
  return thing;
}

afterEach(async () => {
  for (const stop of inUse.splice(0).toReversed()) await stop();
});

const HOUR_SECONDS = 3600;
/** Longer than any instance may act on what it read before: by then each request asks the store. */
const CACHES_EMPTY_AFTER_MS = 1100;

/** Longer than a command may take by `SOON_OUT`, however wrongly Redis' clock was estimated. */
const COMMAND_IS_LATE_AFTER_MS = 1500;

/** Waits until a command sent at `sentAt` is late, whatever Redis does meanwhile. */
async function untilLate(sentAt: number): Promise<void> {
  await eventually(
    async () => performance.now() - sentAt,
    (age) => age > COMMAND_IS_LATE_AFTER_MS,
  );
}

const isUp = (service: TestService): Promise<HttpAnswer> =>
  eventually(
    () => service.call('GET', '/health'),
    ({ status }) => status === 200,
  );

async function listOf(service: TestService, tenant: TestTenant, userId: string): Promise<string[]> {
  const path = `/sessions?tenant_id=${tenant.tenantId}&user_id=${userId}`;
  const { body } = await service.call<{ sessions: Tokens[] }>('GET', path, { apiKey: tenant.apiKey });
  return body.sessions.map(({ session_id }) => session_id);
}

/** One call of every kind that the store has a part in. */
function callsOf(
  service: TestService,
  tenant: TestTenant,
  tokens: Tokens,
): (() => Promise<HttpAnswer<unknown>>)[] {
  const { tenantId, apiKey } = tenant;
  return [
    () => service.post(tenant, '/sessions', { tenant_id: tenantId, user_id: 'late', scope: 'read' }),
    () => service.validate(tenant, tokens.access_token, 'store'),
    () => service.refresh(tenant, tokens.refresh_token),
    () => service.call('GET', `/sessions/${tokens.session_id}`, { apiKey }),
    () => service.call('GET', `/sessions?tenant_id=${tenantId}&user_id=alice`, { apiKey }),
    () => service.asPlatform('POST', '/tenants', { tenant_id: `late-${tenantId}` }),
    () => service.asPlatform('GET', '/tenants'),
  ];
}

async function expectOutage(call: () => Promise<HttpAnswer<unknown>>): Promise<void> {
  const askedAt = performance.now();
  const answer = await call();
  expect(answer).toMatchObject({ status: 503, body: { error: 'store_unavailable', action: 'retry' } });
  expect(Number(answer.headers.get('retry-after'))).toBeGreaterThan(0);
  expect(performance.now() - askedAt).toBeLessThan(IN_TIME_MS);
}

describe('a Redis that hangs', () => {
  let redis: RedisServer;
  let look: Redis;
  let service: TestService;
  let acme: TestTenant;

  beforeAll(async () => {
    redis = await RedisServer.start();
    look = redis.client();
    service = await TestService.start({ ...SOON_OUT, STORE_URL: redis.url });
    acme = await service.tenant();
  });

  afterEach(() => redis.signal('SIGCONT'));

  afterAll(async () => {
    await service.stop();
    look.disconnect();
    await redis.stop();
  });

  test('is an outage: 503 in time, never a 401, and what was stuck changes nothing when it runs', async () => {
    const created = await service.createSession(acme);
    const { body: tokens } = await service.refresh(acme, created.refresh_token);
    const record = `tenant:{${acme.tenantId}:${tokens.session_id.slice(0, 4)}}:session:${tokens.session_id}`;
    const before = await eventually(
      () => look.hgetall(record),
      ({ confirmed }) => confirmed === '1',
    );

    redis.signal('SIGSTOP');
    await Promise.all(callsOf(service, acme, tokens).map(expectOutage));
    const lastSentAt = performance.now();
    await expectOutage(() => service.refresh(acme, tokens.refresh_token));
    expect((await service.call('GET', '/health')).status).toBe(503);
    expect((await service.call('GET', '/health/live')).status).toBe(200);
    await untilLate(lastSentAt);

    redis.signal('SIGCONT');
    await isUp(service); // what was stuck is ahead of this in Redis' line
    expect(await look.hgetall(record)).toEqual(before);
    expect(await listOf(service, acme, 'late')).toEqual([]);
    expect((await service.asPlatform('GET', `/tenants/late-${acme.tenantId}`)).status).toBe(404);

    service.clock.advanceSeconds(HOUR_SECONDS);
    const next = await service.refresh(acme, tokens.refresh_token);
    expect(next.status).toBe(200);
    expect((await service.validate(acme, next.body.access_token, 'store')).status).toBe(200);
    expect(await listOf(service, acme, 'alice')).toEqual([tokens.session_id]);
  });

  test('keeps a revocation that was stuck: it may have happened, and the retry says so', async () => {
    const tokens = await service.createSession(acme);
    redis.signal('SIGSTOP');
    await expectOutage(() => service.revoke(acme, tokens.refresh_token));
    redis.signal('SIGCONT');
    await isUp(service);
    expect((await service.revoke(acme, tokens.refresh_token)).status).toBe(204);
    expect((await service.validate(acme, tokens.access_token, 'store')).status).toBe(401);
    expect((await service.refresh(acme, tokens.refresh_token)).status).toBe(401);
  });
});

describe('a command that reaches Redis after its caller was told 503', () => {
  let redis: RedisServer;
  let proxy: TcpProxy;
  let slow: TestService; // reaches Redis through the proxy
  let swift: TestService;
  let acme: TestTenant;

  beforeAll(async () => {
    redis = await RedisServer.start();
    swift = await TestService.start({ STORE_URL: redis.url });
  });

  beforeEach(async () => {
    proxy = use(await TcpProxy.start(redis.port));
    slow = use(await TestService.start({ ...SOON_OUT, STORE_URL: proxy.url }, swift.clock));
    acme = await swift.tenant();
    const { refresh_token } = await slow.createSession(acme, { user_id: 'warm' });
    await slow.refresh(acme, refresh_token);
  });

  afterAll(async () => {
    await swift.stop();
    await redis.stop();
  });

  test('does not take the work of a retry elsewhere for theft', async () => {
    const first = await swift.createSession(acme);
    const hold = proxy.holdFrom(script('rotate-session'));
    const sentAt = performance.now();
    await expectOutage(() => slow.refresh(acme, first.refresh_token));
    await untilLate(sentAt);
    await hold.caught;

    const second = await swift.refresh(acme, first.refresh_token);
    const third = await swift.refresh(acme, second.body.refresh_token);
    swift.clock.advanceSeconds(HOUR_SECONDS);
    hold.release();
    await isUp(slow);

    const fourth = await swift.refresh(acme, third.body.refresh_token);
    expect(fourth.status).toBe(200);
    expect((await slow.validate(acme, fourth.body.access_token, 'store')).status).toBe(200);
  });

  test('does not rotate a token whose holder was told to try again', async () => {
    const first = await swift.createSession(acme);
    const hold = proxy.holdFrom(script('rotate-session'));
    const sentAt = performance.now();
    await expectOutage(() => slow.refresh(acme, first.refresh_token));
    await untilLate(sentAt);
    hold.release();
    await isUp(slow);
    const look = redis.client();
    const record = `tenant:{${acme.tenantId}:${first.session_id.slice(0, 4)}}:session:${first.session_id}`;
    expect(await look.hget(record, 'previous_id')).toBeNull();
    look.disconnect();
    expect((await slow.refresh(acme, first.refresh_token)).status).toBe(200);
  });

  test('does not bring a session to life that nobody holds', async () => {
    const hold = proxy.holdFrom(script('create-session'));
    const body = { tenant_id: acme.tenantId, user_id: 'late', scope: 'read' };
    const sentAt = performance.now();
    await expectOutage(() => slow.post(acme, '/sessions', body));
    await untilLate(sentAt);
    hold.release();
    await isUp(slow);
    expect(await listOf(swift, acme, 'late')).toEqual([]);
  });

  test('does not make a tenant or an API key of it that nobody holds', async () => {
    const tenantId = `late-${acme.tenantId}`;
    const create = (service: TestService) => service.asPlatform('POST', '/tenants', { tenant_id: tenantId });
    const tenantHold = proxy.holdFrom(script('insert-tenant'));
    await expectOutage(() => create(slow));
    await untilLate(performance.now());
    tenantHold.release();
    await isUp(slow);
    expect((await swift.asPlatform('GET', `/tenants/${tenantId}`)).status).toBe(404);
    expect((await create(swift)).status).toBe(201);

    const grant = { name: 'late', scopes: ['sessions:validate'] };
    const path = `/tenants/${tenantId}/api-keys`;
    const keyHold = proxy.holdFrom(script('insert-api-key'));
    const sentAt = performance.now();
    await expectOutage(() => slow.asPlatform('POST', path, grant));
    await untilLate(sentAt);
    keyHold.release();
    await isUp(slow);
    const { body } = await swift.asPlatform<{ api_keys: { name: string }[] }>('GET', path);
    expect(body.api_keys.map(({ name }) => name)).toEqual(['first']);
  });

  test('is not what ends a session: one that is marked is refused before its removal arrives', async () => {
    const tokens = await swift.createSession(acme, { user_id: 'halfway' });
    proxy.holdFrom(command('del'));
    await expectOutage(() => slow.revoke(acme, tokens.access_token));
    const revoked = { status: 401, body: { error: 'token_revoked' } };
    expect(await swift.refresh(acme, tokens.refresh_token)).toMatchObject(revoked);
    expect(await swift.validate(acme, tokens.access_token, 'store')).toMatchObject(revoked);
    expect(await listOf(swift, acme, 'halfway')).toEqual([]);
    expect((await swift.revoke(acme, tokens.access_token)).status).toBe(204);
    expect(await swift.refresh(acme, tokens.refresh_token)).toMatchObject(revoked);
  });

  test('does not undo a change that was made meanwhile', async () => {
    const path = `/tenants/${acme.tenantId}`;
    const hold = proxy.holdFrom(script('replace-document', 'record'));
    await expectOutage(() => slow.asPlatform('PATCH', path, { audience: 'stuck' }));
    expect((await swift.asPlatform('PATCH', path, { audience: 'newer' })).status).toBe(200);
    hold.release();
    await isUp(slow);
    expect(await swift.asPlatform('GET', path)).toMatchObject({ body: { audience: 'newer' } });
  });

  test('does not confirm a rotation that is no longer the last', async () => {
    const first = await swift.createSession(acme);
    const hold = proxy.holdFrom(script('confirm-rotation'));
    const second = await slow.refresh(acme, first.refresh_token);
    await hold.caught;
    const third = await swift.refresh(acme, second.body.refresh_token);
    hold.release();
    await isUp(slow);
    expect((await swift.refresh(acme, third.body.refresh_token)).status).toBe(200);
  });
});

describe("a refresh under way while the tenant's epoch ends", () => {
  test('does not carry the session into the new epoch', async () => {
    const redis = use(await RedisServer.start());
    const proxy = use(await TcpProxy.start(redis.port));
    const swift = use(await TestService.start({ STORE_URL: redis.url }));
    const slow = use(await TestService.start({ STORE_URL: proxy.url }, swift.clock));
    const acme = await swift.tenant();
    const first = await swift.createSession(acme);
    // The slow instance knows the API key and the tenant, but has not read the tenant's keys yet.
    await slow.call('GET', `/sessions/${first.session_id}x`, { apiKey: acme.apiKey });

    // Both read the keys of the old epoch; the answer to the refresh's read arrives with the word that the new
    // one has begun.
    const hold = proxy.holdFrom(command('hget', 'key-ring'));
    const ending = slow.asPlatform('POST', `/tenants/${acme.tenantId}/revoke-all`, {
      reason: 'security_incident',
    });
    await hold.caught;
    const refreshing = slow.refresh(acme, first.refresh_token);
    await hold.untilHeld(2);
    hold.release(1);
    await hold.untilHeld(2);
    hold.release();

    expect((await ending).status).toBe(200);
    const refreshed = await refreshing;
    const carried = await slow.refresh(acme, refreshed.body.refresh_token ?? first.refresh_token);
    expect(carried).toMatchObject({ status: 401, body: { error: 'token_revoked' } });
    // Before or after the epoch, but never half and half: what was signed before is dead with it.
    if (refreshed.status === 200) {
      expect((await slow.validate(acme, refreshed.body.access_token, 'skip')).status).toBe(401);
    } else {
      expect(refreshed).toMatchObject({ status: 401, body: { error: 'token_revoked' } });
    }
    expect((await slow.validate(acme, first.access_token, 'store')).status).toBe(401);
    expect((await slow.refresh(acme, first.refresh_token)).status).toBe(401);
  });
});

describe('a Redis that comes back empty', () => {
  test('makes sessions invalid, never valid; and while it is away nobody is told 401', async () => {
    const redis = use(await RedisServer.start());
    const service = use(await TestService.start({ ...SOON_OUT, STORE_URL: redis.url }));
    const acme = await service.tenant();
    const tokens = await service.createSession(acme);

    await redis.kill();
    const downAt = performance.now();
    do {
      for (const call of callsOf(service, acme, tokens)) await expectOutage(call);
    } while (performance.now() - downAt < CACHES_EMPTY_AFTER_MS);

    await redis.restart();
    await isUp(service);
    const truths = [
      () => service.validate(acme, tokens.access_token, 'store'),
      () => service.validate(acme, tokens.access_token),
      () => service.refresh(acme, tokens.refresh_token),
      () => service.revoke(acme, tokens.refresh_token),
    ];
    for (const ask of truths)
      expect(await ask()).toMatchObject({ status: 401, body: { error: 'unauthorized' } });
    expect((await service.asPlatform('GET', `/tenants/${acme.tenantId}`)).status).toBe(404);

    const again = await service.asPlatform('POST', '/tenants', { tenant_id: acme.tenantId });
    const reborn = { tenantId: acme.tenantId, apiKey: String(again.body['api_key']) };
    for (const check of ['store', 'skip']) {
      expect(await service.validate(reborn, tokens.access_token, check)).toMatchObject({
        status: 401,
        body: { valid: false, error: 'invalid_signature' },
      });
    }
    expect((await service.refresh(reborn, tokens.refresh_token)).status).toBe(401);
  });

  test('leaves sessions invalid for an instance that still knows their tenant and its keys', async () => {
    const redis = use(await RedisServer.start());
    const service = use(await TestService.start({ ...SOON_OUT, STORE_URL: redis.url }));
    const acme = await service.tenant();
    const tokens = await service.createSession(acme);
    await redis.kill();
    await redis.restart();
    const answers: HttpAnswer[] = [];
    // From cached keys to none: at no moment in between is the session valid.
    await eventually(
      async () => {
        answers.push(
          ...(await Promise.all(times(2, () => service.validate(acme, tokens.access_token, 'store')))),
        );
        return answers.at(-1)?.body['error'];
      },
      (error) => error === 'unauthorized',
    );
    const statuses = new Set(answers.map(({ status }) => status));
    expect(statuses).not.toContain(200);
  });
});
