import { spawn, type ChildProcess } from 'node:child_process';
import { resolve } from 'node:path';
import { afterAll, afterEach, beforeAll, describe, expect, test } from '@jest/globals';
import { eventually } from '../support/eventually.js';
import { freePort } from '../support/redis-server.js';
import { buildOnce } from '../support/service-process.js';
import { RedisWithTls } from '../support/redis-tls.js';
import { ADMIN_API_KEY, TestService, testEnvironment } from '../support/test-service.js';

interface Health {
  readonly status: number;
  readonly reason?: string;
}

async function ended(child: ChildProcess): Promise<void> {
  if (child.exitCode !== null) return;
  const gone = new Promise((resolve) => child.once('exit', resolve));
  child.kill('SIGKILL');
  await gone;
}

async function health(url: string): Promise<Health> {
  const answer = await fetch(`${url}/health`);
  const { reason } = (await answer.json()) as { reason?: string };
  return { status: answer.status, ...(reason === undefined ? {} : { reason }) };
}

/** A process of its own: Node reads NODE_EXTRA_CA_CERTS when it starts. */
describe('a Redis with TLS and a password', () => {
  let redis: RedisWithTls;
  const processes: ChildProcess[] = [];

  beforeAll(async () => {
    redis = await RedisWithTls.start();
    buildOnce();
  });

  afterEach(async () => {
    await Promise.all(processes.splice(0).map((child) => ended(child)));
  });

  afterAll(async () => {
    await redis.stop();
  });

  async function launch(env: Record<string, string>): Promise<{ url: string; child: ChildProcess }> {
    const port = await freePort();
    const child = spawn('setpriv', ['--pdeathsig', 'KILL', process.execPath, resolve('dist/main.js')], {
      env: { ...testEnvironment(), NODE_ENV: 'production', HOST: '127.0.0.1', PORT: String(port), ...env },
      stdio: 'ignore',
    });
    processes.push(child);
    const url = `http://127.0.0.1:${port}`;
    await eventually(async () => (await fetch(`${url}/health/live`)).status === 200);
    return { url, child };
  }

  const create = (url: string) =>
    fetch(`${url}/tenants`, {
      method: 'POST',
      headers: { 'x-api-key': ADMIN_API_KEY, 'content-type': 'application/json' },
      body: JSON.stringify({ tenant_id: 'acme' }),
    });

  test('is used by an instance that trusts its authority', async () => {
    const { url } = await launch({ STORE_URL: redis.url, NODE_EXTRA_CA_CERTS: redis.caFile });
    await eventually(async () => (await fetch(`${url}/health/ready`)).status === 200);
    expect((await create(url)).status).toBe(201);
  });

  test('leaves an instance that trusts another authority alive, not ready and with the reason', async () => {
    const { url, child } = await launch({ STORE_URL: redis.url, NODE_EXTRA_CA_CERTS: redis.otherCaFile });
    const seen = await eventually(
      () => health(url),
      ({ reason }) => reason === 'the certificate of redis is not trusted',
    );
    expect(seen.status).toBe(503);
    expect((await fetch(`${url}/health/ready`)).status).toBe(503);
    expect((await create(url)).status).toBe(503);
    expect(child.exitCode).toBeNull();
  });

  test('leaves an instance with a wrong password alive, not ready and with the reason', async () => {
    const restore = redis.trustHere();
    const service = await TestService.start({ STORE_URL: redis.urlWith('wrong') });
    try {
      await eventually(async () => {
        const { status, body } = await service.call('GET', '/health');
        return status === 503 && body['reason'] === 'redis refuses the user name or password of STORE_URL';
      });
      const ready = await service.call('GET', '/health/ready');
      expect(ready.status).toBe(503);
      expect(JSON.stringify(ready.body)).not.toContain('wrong@');
      const created = await service.asPlatform('POST', '/tenants', { tenant_id: 'globex' });
      expect(created).toMatchObject({ status: 503, body: { error: 'store_unavailable', action: 'retry' } });
      expect(created.headers.get('retry-after')).toBe('1');
    } finally {
      await service.stop();
      restore();
    }
  });
});
