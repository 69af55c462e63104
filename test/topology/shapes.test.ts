import { afterAll, beforeAll, describe, expect, test } from '@jest/globals';
import type { Environment } from '../../src/config.js';
import { RedisCluster } from '../support/redis-cluster.js';
import { RedisWithSentinel } from '../support/redis-sentinel.js';
import { RedisWithTls } from '../support/redis-tls.js';
import { TestService, type TestTenant } from '../support/test-service.js';

interface Shape {
  readonly env: Environment;
  readonly stop: () => Promise<void>;
}

const SHAPES: readonly { name: string; start: () => Promise<Shape> }[] = [
  {
    name: 'Sentinel',
    start: async () => {
      const redis = await RedisWithSentinel.start();
      return { env: { STORE_URL: redis.url }, stop: () => redis.stop() };
    },
  },
  {
    name: 'Cluster',
    start: async () => {
      const redis = await RedisCluster.start();
      return { env: { STORE_URL: redis.url }, stop: () => redis.stop() };
    },
  },
  {
    name: 'TLS and a password',
    start: async () => {
      const redis = await RedisWithTls.start();
      const distrust = redis.trustHere();
      const stop = async () => {
        distrust();
        await redis.stop();
      };
      return { env: { STORE_URL: redis.url }, stop };
    },
  },
];

/** Users enough to have keys on every master of a cluster. */
const USERS = Array.from({ length: 12 }, (_, at) => `user-${at}`);

describe.each(SHAPES)('the API on Redis with $name', ({ start }) => {
  let shape: Shape;
  let service: TestService;
  let acme: TestTenant;

  beforeAll(async () => {
    shape = await start();
    service = await TestService.start(shape.env);
    acme = await service.tenant();
  });

  afterAll(async () => {
    await service?.stop();
    await shape?.stop();
  });

  test('ends by a query what lies on any server, in steps', async () => {
    const bravo = await service.tenant();
    const [ours, theirs] = await Promise.all(
      [acme, bravo].map((tenant) =>
        Promise.all(USERS.map((user) => service.createSession(tenant, { user_id: `temp-${user}` }))),
      ),
    );
    const { status, body } = await service.post(acme, `/tenants/${acme.tenantId}/revoke-matching`, {
      user_prefix: 'temp-',
      reason: 'admin',
    });
    expect([status, body['revoked_count']]).toEqual([200, USERS.length]);
    expect(body).not.toHaveProperty('next_cursor');
    for (const { access_token: token } of ours ?? []) {
      expect((await service.validate(acme, token, 'store')).status).toBe(401);
    }
    for (const { access_token: token } of theirs ?? []) {
      expect((await service.validate(bravo, token, 'store')).status).toBe(200);
    }
  });

  test('is ready', async () => {
    expect(await service.call('GET', '/health/ready')).toMatchObject({ status: 200 });
  });

  test('creates sessions that validate by every check, are listed and can be read', async () => {
    for (const user_id of USERS) {
      const tokens = await service.createSession(acme, { user_id });
      for (const check of ['replica', 'store', 'skip']) {
        const answer = await service.validate(acme, tokens.access_token, check);
        expect(answer).toMatchObject({ status: 200, body: { valid: true, claims: { sub: user_id } } });
      }
      const of = `tenant_id=${acme.tenantId}&user_id=${user_id}`;
      const list = await service.call('GET', `/sessions?${of}`, { apiKey: acme.apiKey });
      expect(list).toMatchObject({ status: 200, body: { sessions: [{ session_id: tokens.session_id }] } });
      const read = await service.call('GET', `/sessions/${tokens.session_id}`, { apiKey: acme.apiKey });
      expect(read).toMatchObject({ status: 200, body: { user_id } });
    }
  });

  test('refreshes, and answers a repeated refresh with the same successor', async () => {
    for (const user_id of USERS) {
      const { refresh_token } = await service.createSession(acme, { user_id });
      const first = await service.refresh(acme, refresh_token);
      const again = await service.refresh(acme, refresh_token);
      expect(first.status).toBe(200);
      expect(again.body.refresh_token).toBe(first.body.refresh_token);
    }
  });

  test('refuses by memory and by the store what was revoked, deleted or revoked in a batch', async () => {
    const [one, two, three, four] = await Promise.all(
      ['u1', 'u2', 'u3', 'u4'].map((user_id) => service.createSession(acme, { user_id })),
    );
    if (!one || !two || !three || !four) throw new Error('unreachable');
    expect((await service.revoke(acme, one.refresh_token)).status).toBe(204);
    const deleted = await service.call('DELETE', `/sessions/${two.session_id}`, { apiKey: acme.apiKey });
    expect(deleted.status).toBe(204);
    const batch = { tokens: [three.access_token], session_ids: [four.session_id], reason: 'admin' };
    const batched = await service.post(acme, '/sessions/revoke-batch', batch);
    expect(batched).toMatchObject({ status: 200, body: { revoked_count: 2 } });
    for (const { access_token, refresh_token } of [one, two, three, four]) {
      for (const check of ['replica', 'store']) {
        const refused = await service.validate(acme, access_token, check);
        expect(refused).toMatchObject({ status: 401, body: { error: 'token_revoked' } });
      }
      expect((await service.refresh(acme, refresh_token)).status).toBe(401);
    }
  });

  test('refuses one access token alone, and the session lives on', async () => {
    const tokens = await service.createSession(acme);
    const revoked = await service.revoke(acme, tokens.access_token, { only_this_token: true });
    expect(revoked.status).toBe(204);
    expect((await service.validate(acme, tokens.access_token, 'store')).status).toBe(401);
    expect((await service.refresh(acme, tokens.refresh_token)).status).toBe(200);
  });

  test('logs a user out everywhere', async () => {
    const user_id = 'everywhere';
    const sessions = await Promise.all([1, 2, 3].map(() => service.createSession(acme, { user_id })));
    const revocation = { tenant_id: acme.tenantId, user_id, reason: 'password_change' };
    const answer = await service.post(acme, '/sessions/revoke-all', revocation);
    expect(answer).toMatchObject({ status: 200, body: { revoked_count: 3 } });
    for (const { access_token } of sessions) {
      expect((await service.validate(acme, access_token, 'store')).status).toBe(401);
    }
  });

  test('ends the oldest session of a user who has too many', async () => {
    const small = await service.tenant({ max_sessions_per_user: 1 });
    const first = await service.createSession(small);
    const second = await service.createSession(small);
    expect((await service.validate(small, first.access_token, 'store')).status).toBe(401);
    expect((await service.validate(small, second.access_token, 'store')).status).toBe(200);
  });

  test('ends every session of a tenant and goes on in the next epoch', async () => {
    const globex = await service.tenant();
    const before = await service.createSession(globex);
    const ended = await service.asPlatform('POST', `/tenants/${globex.tenantId}/revoke-all`, {
      reason: 'security_incident',
    });
    expect(ended).toMatchObject({ status: 200, body: { epoch: 2 } });
    expect((await service.validate(globex, before.access_token)).status).toBe(401);
    expect((await service.refresh(globex, before.refresh_token)).status).toBe(401);
    const after = await service.createSession(globex);
    expect((await service.validate(globex, after.access_token, 'store')).status).toBe(200);
  });

  test('issues an API key, lists it and revokes it', async () => {
    const path = `/tenants/${acme.tenantId}/api-keys`;
    const issued = await service.asPlatform('POST', path, { name: 'gateway', scopes: ['sessions:validate'] });
    expect(issued.status).toBe(201);
    const gateway = { tenantId: acme.tenantId, apiKey: String(issued.body['api_key']) };
    const { access_token } = await service.createSession(acme);
    expect((await service.validate(gateway, access_token)).status).toBe(200);
    const listed = await service.asPlatform<{ api_keys: { name: string }[] }>('GET', path);
    expect(listed.body.api_keys.map(({ name }) => name).toSorted()).toEqual(['first', 'gateway']);
    const revoked = await service.asPlatform('DELETE', `${path}/${String(issued.body['key_id'])}`);
    expect(revoked.status).toBe(204);
    expect((await service.validate(gateway, access_token)).status).toBe(401);
    const again = await service.asPlatform('DELETE', `${path}/${String(issued.body['key_id'])}`);
    expect(again.status).toBe(404);
  });

  test('pages through its tenants in the order of their ids', async () => {
    for (let n = 0; n < 4; n++) await service.tenant();
    const seen: string[] = [];
    let cursor = '';
    do {
      const page = await service.asPlatform<{ tenants: { tenant_id: string }[]; next_cursor?: string }>(
        'GET',
        `/tenants?limit=2${cursor && `&cursor=${cursor}`}`,
      );
      expect(page.status).toBe(200);
      seen.push(...page.body.tenants.map(({ tenant_id }) => tenant_id));
      cursor = page.body.next_cursor ?? '';
    } while (cursor !== '');
    expect(seen.length).toBeGreaterThanOrEqual(5);
    expect(seen).toEqual([...new Set(seen)].toSorted());
  });

  test('refuses a suspended tenant, and serves it again when it is active', async () => {
    const initech = await service.tenant();
    const { access_token } = await service.createSession(initech);
    const setStatus = (status: string) =>
      service.asPlatform('PATCH', `/tenants/${initech.tenantId}`, { status });
    expect((await setStatus('suspended')).status).toBe(200);
    expect(await service.validate(initech, access_token)).toMatchObject({
      status: 403,
      body: { error: 'tenant_suspended' },
    });
    expect((await setStatus('active')).status).toBe(200);
    expect((await service.validate(initech, access_token)).status).toBe(200);
  });

  test('deletes a tenant with all that it had', async () => {
    const hooli = await service.tenant();
    const { access_token } = await service.createSession(hooli);
    expect((await service.asPlatform('DELETE', `/tenants/${hooli.tenantId}`)).status).toBe(204);
    expect([401, 404]).toContain((await service.validate(hooli, access_token)).status);
    expect((await service.asPlatform('GET', `/tenants/${hooli.tenantId}`)).status).toBe(404);
  });
});
