import { afterAll, beforeAll, describe, expect, test } from '@jest/globals';
import { eventually } from '../support/eventually.js';
import { RedisServer } from '../support/redis-server.js';
import {
  IN_TIME_MS,
  SOON_OUT,
  STORES,
  TestService,
  type HttpAnswer,
  type TestTenant,
  type Tokens,
} from '../support/test-service.js';
import { useService } from './use-service.js';

describe.each(STORES)('health over HTTP on $name', ({ name, prepare }) => {
  const service = useService(prepare);

  test('is ok while everything works', async () => {
    const { status, body } = await service().call('GET', '/health');
    expect(status).toBe(200);
    expect(body).toEqual({
      status: 'ok',
      store: 'up',
      ...(name === 'Redis' ? { redis: 'up' } : {}),
      replica_age_ms: expect.any(Number),
      draining: false,
      uptime_seconds: expect.any(Number),
    });
    expect(Number.isInteger(body['uptime_seconds'])).toBe(true);
  });

  test('is alive', async () => {
    expect(await service().call('GET', '/health/live')).toMatchObject({
      status: 200,
      body: { status: 'ok' },
    });
  });

  test('is ready, and says of what', async () => {
    expect(await service().call('GET', '/health/ready')).toMatchObject({
      status: 200,
      body: {
        status: 'ok',
        details: {
          traffic: { status: 'up' },
          store: { status: 'up' },
          replica: { status: 'up', age_ms: expect.any(Number) },
          keys: { status: 'up' },
        },
      },
    });
  });

  test('has booted', async () => {
    expect(await service().call('GET', '/health/startup')).toMatchObject({
      status: 200,
      body: { status: 'ok' },
    });
  });

  test('needs no credential and takes none amiss', async () => {
    for (const path of ['/health', '/health/live', '/health/ready', '/health/startup']) {
      expect((await service().call('GET', path, { apiKey: 'nonsense' })).status).toBe(200);
    }
  });
});

/** Everything that a client does in its daily life, by a good caller. */
function dailyCalls(service: TestService, tenant: TestTenant, session: Tokens): Promise<HttpAnswer>[] {
  return [
    service.post(tenant, '/sessions', { tenant_id: tenant.tenantId, user_id: 'bob', scope: '' }),
    service.validate(tenant, session.access_token, 'store'),
    service.refresh(tenant, session.refresh_token),
    service.revoke(tenant, session.access_token),
    service.post(tenant, '/sessions/revoke-batch', { session_ids: [session.session_id], reason: 'admin' }),
    service.call('GET', `/sessions/${session.session_id}`, { apiKey: tenant.apiKey }),
    service.call('GET', `/sessions?tenant_id=${tenant.tenantId}&user_id=alice`, { apiKey: tenant.apiKey }),
    service.asPlatform('GET', '/tenants'),
  ];
}

function expectOutage({ status, headers, body }: HttpAnswer): void {
  expect({ status, ...body }).toMatchObject({ status: 503, error: 'store_unavailable', action: 'retry' });
  expect(headers.get('retry-after')).toBe('1');
}

describe('while Redis is away', () => {
  let redis: RedisServer;
  let service: TestService;
  let tenant: TestTenant;
  let session: Tokens;

  beforeAll(async () => {
    redis = await RedisServer.start(['--appendonly', 'yes', '--appendfsync', 'always']);
    service = await TestService.start({ ...SOON_OUT, STORE_URL: redis.url });
    tenant = await service.tenant();
    session = await service.createSession(tenant);
  });

  afterAll(async () => {
    await service.stop();
    await redis.stop();
  });

  const untilWell = () => eventually(async () => (await service.call('GET', '/health')).status === 200);

  const expectDegraded = async () => {
    expect(await service.call('GET', '/health/ready')).toMatchObject({
      status: 200,
      body: {
        status: 'degraded',
        details: {
          store: { status: 'degraded', message: 'redis does not answer' },
          replica: { status: 'up' },
          keys: { status: 'up' },
        },
      },
    });
    expect(await service.call('GET', '/health')).toMatchObject({
      status: 503,
      body: { status: 'error', store: 'down', redis: 'down', reason: 'redis does not answer' },
    });
    expect((await service.call('GET', '/health/live')).status).toBe(200);
  };

  test('killed, the service stays ready to validate, answers 503 and logs nobody out; back, it goes on by itself', async () => {
    await redis.kill();
    await expectDegraded();
    for (const answer of await Promise.all(dailyCalls(service, tenant, session))) expectOutage(answer);
    expect((await service.validate(tenant, session.access_token, 'skip')).status).toBe(200);

    await redis.restart();
    await untilWell();
    expect((await service.validate(tenant, session.access_token)).status).toBe(200);
    const refreshed = await service.refresh(tenant, session.refresh_token);
    expect(refreshed.status).toBe(200);
    session = refreshed.body;
    expect((await service.call('GET', '/health')).status).toBe(200);
  });

  test('stopped in its tracks, it is an outage within the time that a command has', async () => {
    redis.signal('SIGSTOP');
    try {
      const startedAt = performance.now();
      for (const answer of await Promise.all(dailyCalls(service, tenant, session))) expectOutage(answer);
      expect(performance.now() - startedAt).toBeLessThan(IN_TIME_MS);
      await expectDegraded();
    } finally {
      redis.signal('SIGCONT');
    }
    await untilWell();
  });

  test('an outage that follows a wrong credential is not told from one that follows a good one', async () => {
    await redis.kill();
    const unknown = `sk_${tenant.tenantId}_${'0'.repeat(16)}_${'0'.repeat(64)}`;
    expectOutage(await service.validate({ ...tenant, apiKey: unknown }, session.access_token));
    // As much work as for a key of the right form, and so the same answer.
    expectOutage(await service.validate({ ...tenant, apiKey: 'nonsense' }, session.access_token));
    await redis.restart();
    await untilWell();
  });
});

describe('with READY_WITHOUT_STORE=false', () => {
  test('an instance whose Redis is away is not ready, says why, and is ready again with it', async () => {
    const redis = await RedisServer.start(['--appendonly', 'yes']);
    const service = await TestService.start({ STORE_URL: redis.url, READY_WITHOUT_STORE: 'false' });
    try {
      const tenant = await service.tenant();
      const session = await service.createSession(tenant);
      await redis.kill();
      expect(await service.call('GET', '/health/ready')).toMatchObject({
        status: 503,
        body: { status: 'error', details: { store: { status: 'down', message: 'redis does not answer' } } },
      });
      // Who asks all the same is answered.
      expect((await service.validate(tenant, session.access_token)).status).toBe(200);
      await redis.restart();
      await eventually(async () => (await service.call('GET', '/health/ready')).status === 200);
    } finally {
      await service.stop();
      await redis.stop();
    }
  });
});

describe('an instance that found no Redis when it began', () => {
  test('and that has the wrong master keys is never ready, and says what to do', async () => {
    const redis = await RedisServer.start(['--appendonly', 'yes', '--appendfsync', 'always']);
    const right = await TestService.start({ STORE_URL: redis.url });
    await right.tenant();
    await right.stop();
    await redis.kill();
    const wrong = await TestService.start({
      STORE_URL: redis.url,
      MASTER_KEYS: `m1:${Buffer.alloc(32, 8).toString('base64')}`,
    });
    try {
      const ready = () => wrong.call<{ details: Record<string, unknown> }>('GET', '/health/ready');
      expect((await ready()).body.details['keys']).toEqual({
        status: 'down',
        message: 'no key could be fetched and opened yet',
      });
      expect((await wrong.call('GET', '/health/startup')).status).toBe(200);
      await redis.restart();
      await eventually(async () => (await wrong.call('GET', '/health')).status === 200);
      expect(await ready()).toMatchObject({
        status: 503,
        body: { details: { keys: { status: 'down', message: expect.stringContaining('MASTER_KEYS') } } },
      });
    } finally {
      await wrong.stop();
      await redis.stop();
    }
  });
});

describe('before Redis is there', () => {
  test('the service starts, is not ready, and becomes ready when it comes', async () => {
    const redis = await RedisServer.start();
    await redis.kill();
    const service = await TestService.start({ STORE_URL: redis.url });
    try {
      expect((await service.call('GET', '/health/ready')).status).toBe(503);
      expect((await service.call('GET', '/health/live')).status).toBe(200);
      expectOutage(await service.asPlatform('GET', '/tenants'));
      await redis.restart();
      await eventually(async () => (await service.call('GET', '/health/ready')).status === 200);
      expect((await service.asPlatform('GET', '/tenants')).status).toBe(200);
    } finally {
      await service.stop();
      await redis.stop();
    }
  });
});

describe.each(['allkeys-lru', 'volatile-ttl', 'allkeys-random'])('on a Redis with %s', (policy) => {
  test('the service is not ready and says what to change', async () => {
    const redis = await RedisServer.start(['--maxmemory', '100mb', '--maxmemory-policy', policy]);
    const service = await TestService.start({ STORE_URL: redis.url });
    const reason = `maxmemory-policy is ${policy}; set it to noeviction`;
    try {
      expect(await service.call('GET', '/health/ready')).toMatchObject({
        status: 503,
        body: { status: 'error', details: { store: { status: 'down', message: reason } } },
      });
      expect(await service.call('GET', '/health')).toMatchObject({
        status: 503,
        body: { status: 'error', reason, store: 'degraded', redis: 'degraded' },
      });

      const client = redis.client();
      await client.config('SET', 'maxmemory-policy', 'noeviction');
      client.disconnect();
      expect((await service.call('GET', '/health/ready')).status).toBe(200);
    } finally {
      await service.stop();
      await redis.stop();
    }
  });
});
