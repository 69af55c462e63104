import { describe, expect, test } from '@jest/globals';
import { eventually } from '../support/eventually.js';
import { freePort, RedisServer } from '../support/redis-server.js';
import { IN_TIME_MS, SOON_OUT, TestService } from '../support/test-service.js';

interface ReadyBody {
  details: Record<string, { status: string; message?: string }>;
}

const ready = (service: TestService) => service.call<ReadyBody>('GET', '/health/ready');

async function expectWorking(service: TestService): Promise<void> {
  await eventually(
    () => ready(service),
    ({ status }) => status === 200,
  );
  const tenant = await service.tenant();
  const { access_token } = await service.createSession(tenant);
  expect((await service.validate(tenant, access_token)).status).toBe(200);
}

describe('at boot', () => {
  test('a Redis that is down makes an instance that says so, and works as soon as Redis is there', async () => {
    const port = await freePort();
    const startedMs = performance.now();
    const service = await TestService.start({ ...SOON_OUT, STORE_URL: `redis://127.0.0.1:${port}` });
    expect(performance.now() - startedMs).toBeLessThan(IN_TIME_MS);
    const { status, body } = await ready(service);
    expect(status).toBe(503);
    expect(body.details['store']?.message).toBe('redis does not answer');
    expect(body.details['replica']?.message).toBe('the change feed has not been read yet');
    expect((await service.call('GET', '/health/live')).status).toBe(200);
    expect(await service.asPlatform('POST', '/tenants', { tenant_id: 'acme' })).toMatchObject({
      status: 503,
      body: { error: 'store_unavailable' },
    });
    // An API key that nobody can check is no bad API key.
    const unknown = { tenantId: 'acme', apiKey: `sk_acme_${'0'.repeat(16)}_${'0'.repeat(64)}` };
    expect((await service.validate(unknown, 'x')).status).toBe(503);

    const redis = await RedisServer.start([], port);
    await expectWorking(service);
    await service.stop();
    await redis.stop();
  });

  test('a Redis that is silent holds up nobody, and is used as soon as it speaks', async () => {
    const redis = await RedisServer.start();
    redis.signal('SIGSTOP');
    const startedMs = performance.now();
    const service = await TestService.start({ ...SOON_OUT, STORE_URL: redis.url });
    expect(performance.now() - startedMs).toBeLessThan(IN_TIME_MS);
    expect((await ready(service)).status).toBe(503);
    redis.signal('SIGCONT');
    await expectWorking(service);
    await service.stop();
    await redis.stop();
  });

  test('a Redis that evicts makes an instance that is not ready and says why, until it no longer evicts', async () => {
    const redis = await RedisServer.start(['--maxmemory-policy', 'allkeys-lru']);
    const service = await TestService.start({ ...SOON_OUT, STORE_URL: redis.url });
    const admin = redis.client();
    try {
      const reason = 'maxmemory-policy is allkeys-lru; set it to noeviction';
      expect(await ready(service)).toMatchObject({
        status: 503,
        body: { details: { store: { message: reason } } },
      });
      expect(await service.call('GET', '/health')).toMatchObject({ status: 503, body: { reason } });

      await admin.config('SET', 'maxmemory-policy', 'noeviction');
      expect((await ready(service)).status).toBe(200);
      await admin.config('SET', 'maxmemory-policy', 'volatile-lru');
      expect((await ready(service)).status).toBe(503);
      await admin.config('SET', 'maxmemory-policy', 'noeviction');
      await expectWorking(service);
      // Also where validation would go on from memory: what it forgets there, nobody hears of.
      await admin.config('SET', 'maxmemory-policy', 'allkeys-lru');
      expect((await ready(service)).status).toBe(503);
    } finally {
      admin.disconnect();
      await service.stop();
      await redis.stop();
    }
  });

  test('a Redis that loads its data is waited for: 503 meanwhile, and nothing is lost', async () => {
    const redis = await RedisServer.start([
      '--enable-debug-command',
      'yes',
      '--key-load-delay',
      '500',
      '--loading-process-events-interval-bytes',
      '1024',
    ]);
    const first = await TestService.start({ ...SOON_OUT, STORE_URL: redis.url });
    const tenant = await first.tenant();
    const tokens = await first.createSession(tenant);
    const admin = redis.client();
    admin.on('error', () => undefined);
    await admin.call('DEBUG', 'POPULATE', '4000', 'filler', '100');
    await admin.save();
    admin.disconnect();
    await redis.kill();

    const restarted = redis.restart();
    const second = await TestService.start({ ...SOON_OUT, STORE_URL: redis.url });
    const during = await ready(second);
    expect(during.status).toBe(503);
    expect(during.body.details['store']?.message).toMatch(/loading its data/);
    const startedMs = performance.now();
    expect((await second.validate(tenant, tokens.access_token)).status).toBe(503);
    expect(performance.now() - startedMs).toBeLessThan(IN_TIME_MS);
    const stale = await first.validate(tenant, tokens.access_token);
    expect(stale.status).toBe(200);
    expect(await first.refresh(tenant, tokens.refresh_token)).toMatchObject({ status: 503 });

    await restarted;
    for (const service of [first, second]) {
      await eventually(
        () => service.call('GET', '/health'),
        ({ status }) => status === 200,
      );
      expect((await service.validate(tenant, tokens.access_token, 'store')).status).toBe(200);
    }
    await first.stop();
    await second.stop();
    await redis.stop();
  });
});
