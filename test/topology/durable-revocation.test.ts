import { afterAll, afterEach, beforeAll, describe, expect, test } from '@jest/globals';
import type { Redis } from 'ioredis';
import type { Environment } from '../../src/config.js';
import { FEED_STREAM, revokedKey, tenantKeys } from '../../src/storage/redis/redis-keys.js';
import { eventually } from '../support/eventually.js';
import { RedisWithSentinel, ask } from '../support/redis-sentinel.js';
import {
  IN_TIME_MS,
  SOON_OUT,
  TestService,
  type HttpAnswer,
  type TestTenant,
  type Tokens,
} from '../support/test-service.js';

interface Situation {
  readonly service: TestService;
  readonly tenant: TestTenant;
  readonly tokens: Tokens;
  /** A second API key of the tenant, which is not used for anything else. */
  readonly spare: { readonly keyId: string; readonly apiKey: string };
}

interface Ending {
  readonly name: string;
  readonly call: (situation: Situation) => Promise<HttpAnswer>;
  /** Whether a server has it. */
  readonly isIn: (server: Redis, situation: Situation) => Promise<boolean>;
}

const sessionIsBlocked = async (server: Redis, { tenant, tokens }: Situation): Promise<boolean> => {
  const announced = await server.xrevrange(FEED_STREAM, '+', '-', 'COUNT', 20);
  const isAnnounced = announced.some(([, fields]) => fields.join().includes(tokens.session_id));
  return isAnnounced && (await server.exists(revokedKey(tenant.tenantId, tokens.session_id))) === 1;
};

const document = async (server: Redis, key: string): Promise<Record<string, unknown>> =>
  JSON.parse((await server.hget(key, 'document')) ?? '{}') as Record<string, unknown>;

const ENDINGS: readonly Ending[] = [
  {
    name: 'a revocation',
    call: ({ service, tenant, tokens }) => service.revoke(tenant, tokens.access_token),
    isIn: sessionIsBlocked,
  },
  {
    name: 'the deletion of a session',
    call: ({ service, tenant, tokens }) =>
      service.call('DELETE', `/sessions/${tokens.session_id}`, { apiKey: tenant.apiKey }),
    isIn: sessionIsBlocked,
  },
  {
    name: 'the logout of a user everywhere',
    call: ({ service, tenant }) =>
      service.post(tenant, '/sessions/revoke-all', {
        tenant_id: tenant.tenantId,
        user_id: 'alice',
        reason: 'admin',
      }),
    isIn: sessionIsBlocked,
  },
  {
    name: 'the end of all sessions of a tenant',
    call: ({ service, tenant }) =>
      service.asPlatform('POST', `/tenants/${tenant.tenantId}/revoke-all`, { reason: 'admin' }),
    isIn: async (server, { tenant }) =>
      Number((await document(server, tenantKeys(tenant.tenantId).keyRing))['epoch']) > 1,
  },
  {
    name: 'the suspension of a tenant',
    call: ({ service, tenant }) =>
      service.asPlatform('PATCH', `/tenants/${tenant.tenantId}`, { status: 'suspended' }),
    isIn: async (server, { tenant }) =>
      (await document(server, tenantKeys(tenant.tenantId).record))['status'] === 'suspended',
  },
  {
    name: 'the revocation of an API key',
    call: ({ service, tenant, spare }) =>
      service.asPlatform('DELETE', `/tenants/${tenant.tenantId}/api-keys/${spare.keyId}`),
    isIn: async (server, { tenant, spare }) =>
      !(await server.hget(tenantKeys(tenant.tenantId).apiKeys, spare.keyId)),
  },
];

async function situationOn(service: TestService): Promise<Situation> {
  const tenant = await service.tenant();
  const tokens = await service.createSession(tenant);
  const grant = { name: 'spare', scopes: ['sessions:validate'] };
  const issued = await service.asPlatform('POST', `/tenants/${tenant.tenantId}/api-keys`, grant);
  const spare = { keyId: String(issued.body['key_id']), apiKey: String(issued.body['api_key']) };
  return { service, tenant, tokens, spare };
}

describe('a revocation that must reach replicas', () => {
  let redis: RedisWithSentinel;
  const services: TestService[] = [];

  const start = async (waitReplicas: number, bounds: Environment = {}): Promise<TestService> => {
    const env = { ...bounds, STORE_URL: redis.url, REDIS_WAIT_REPLICAS: String(waitReplicas) };
    const service = await TestService.start(env);
    services.push(service);
    return service;
  };

  beforeAll(async () => {
    redis = await RedisWithSentinel.start();
  });

  afterEach(async () => {
    await Promise.all(services.splice(0).map((service) => service.stop()));
  });

  afterAll(() => redis.stop());

  test('is on as many replicas as were asked for when it is acknowledged', async () => {
    for (const waitReplicas of [1, 2]) {
      const service = await start(waitReplicas);
      for (const { name, call, isIn } of ENDINGS) {
        const situation = await situationOn(service);
        const replicas = (await redis.replicas()).map((server) => server.client());
        await Promise.all(replicas.map((replica) => replica.ping()));
        const { status } = await call(situation);
        const have = await Promise.all(replicas.map((replica) => isIn(replica, situation)));
        for (const replica of replicas) replica.disconnect();
        expect({ name, status: status < 300 }).toEqual({ name, status: true });
        expect(have.filter(Boolean).length).toBeGreaterThanOrEqual(waitReplicas);
      }
    }
  });

  test('is refused with 503 in time while replicas hang, and completed by a retry', async () => {
    const service = await start(1, SOON_OUT);
    const endings = [];
    for (const ending of ENDINGS) endings.push({ ...ending, situation: await situationOn(service) });
    const replicas = await redis.replicas();
    for (const replica of replicas) replica.signal('SIGSTOP');
    try {
      for (const { name, call, situation } of endings) {
        const askedAt = performance.now();
        const { status, headers, body } = await call(situation);
        expect({ name, status, error: body['error'] }).toEqual({
          name,
          status: 503,
          error: 'store_unavailable',
        });
        expect(headers.get('retry-after')).toBe('1');
        expect(performance.now() - askedAt).toBeLessThan(IN_TIME_MS);
      }
    } finally {
      for (const replica of replicas) replica.signal('SIGCONT');
    }
    await redis.untilComplete();
    for (const { name, call, isIn, situation } of endings) {
      const { status } = await eventually(
        () => call(situation),
        (answer) => answer.status !== 503,
      );
      expect({ name, done: status < 300 }).toEqual({ name, done: true });
      const have = await Promise.all(
        replicas.map((replica) => ask(replica, (client) => isIn(client, situation))),
      );
      expect({ name, have: have.some(Boolean) }).toEqual({ name, have: true });
      const refused = await service.validate(situation.tenant, situation.tokens.access_token);
      if (!name.includes('API key')) expect(refused.body['valid']).not.toBe(true);
    }
  });

  test('is refused with 503 in time when there are too few replicas', async () => {
    const service = await start(2, SOON_OUT);
    const situation = await situationOn(service);
    const [gone] = await redis.replicas();
    await gone!.kill();
    const askedAt = performance.now();
    expect((await service.revoke(situation.tenant, situation.tokens.access_token)).status).toBe(503);
    expect(performance.now() - askedAt).toBeLessThan(IN_TIME_MS);
    await redis.rejoin(gone!);
    await redis.untilComplete();
    await eventually(async () => {
      return (await service.revoke(situation.tenant, situation.tokens.access_token)).status === 204;
    });
  });

  test('outlives the master that acknowledged it, also for an instance that starts afterwards', async () => {
    await redis.untilComplete();
    const service = await start(1);
    const { tenant, tokens } = await situationOn(service);
    const master = await redis.master();
    const { status } = await service.revoke(tenant, tokens.access_token);
    await master.kill();
    expect(status).toBe(204);
    await redis.untilFailedOver(master);
    const late = await start(1);
    for (const instance of [service, late]) {
      const answer = await eventually(
        () => instance.validate(tenant, tokens.access_token, 'store'),
        ({ status }) => status !== 503,
      );
      expect(answer.status).toBe(401);
      expect((await instance.validate(tenant, tokens.access_token)).status).toBe(401);
    }
  });
});

describe('a revocation that a failover loses', () => {
  let redis: RedisWithSentinel;
  const services: TestService[] = [];

  const start = async (): Promise<TestService> => {
    const service = await TestService.start({ STORE_URL: redis.url });
    services.push(service);
    return service;
  };

  beforeAll(async () => {
    redis = await RedisWithSentinel.start();
  });

  afterAll(async () => {
    await Promise.all(services.map((service) => service.stop()));
    await redis.stop();
  });

  test('is announced again by the instances that remember it, and ends the session that came back', async () => {
    const one = await start();
    const two = await start();
    const tenant = await one.tenant();
    const tokens = await one.createSession(tenant);
    const alone = await one.createSession(tenant, { user_id: 'bob' });
    const before = await redis.master();
    const replicas = await redis.replicas();
    await ask(before, (client) => client.wait(2, 2000));
    // The replicas stay behind: what the master says from now on dies with it.
    for (const replica of replicas) replica.signal('SIGSTOP');
    await ask(before, (client) => client.client('KILL', 'TYPE', 'REPLICA'));
    expect((await one.revoke(tenant, tokens.access_token)).status).toBe(204);
    const token = await one.revoke(tenant, alone.access_token, { only_this_token: true });
    expect(token.status).toBe(204);
    for (const { access_token } of [tokens, alone]) {
      await eventually(async () => (await two.validate(tenant, access_token)).status === 401);
    }
    await before.kill();
    for (const replica of replicas) replica.signal('SIGCONT');
    await redis.untilFailedOver(before);
    const late = await start();
    for (const { access_token } of [tokens, alone]) {
      const byThoseWhoRemember: number[] = [];
      await eventually(async () => {
        for (const instance of [one, two]) {
          byThoseWhoRemember.push((await instance.validate(tenant, access_token)).status);
        }
        const answers = await Promise.all(
          ['replica', 'store'].map((check) => late.validate(tenant, access_token, check)),
        );
        return answers.every(({ status }) => status === 401);
      });
      expect(new Set(byThoseWhoRemember)).toEqual(new Set([401]));
    }
    await eventually(async () => {
      const list = await late.call<{ sessions: unknown[] }>(
        'GET',
        `/sessions?tenant_id=${tenant.tenantId}&user_id=alice`,
        { apiKey: tenant.apiKey },
      );
      return list.status === 200 && list.body.sessions.length === 0;
    });
    for (const instance of services) {
      expect((await instance.refresh(tenant, tokens.refresh_token)).status).toBe(401);
    }
    await eventually(async () => (await late.refresh(tenant, alone.refresh_token)).status === 200);
  });
});
