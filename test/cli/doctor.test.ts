/** `doctor`, beside services that are well and services that are not. */
import { beforeAll, describe, expect, test } from '@jest/globals';
import { buildOnce } from '../support/service-process.js';
import { RedisServer } from '../support/redis-server.js';
import { eventually } from '../support/eventually.js';
import { SOON_OUT, STORES, TestService } from '../support/test-service.js';
import { environmentOf, runCli } from './run-cli.js';

interface Report {
  findings: { level: string; subject: string; finding: string; remedy?: string }[];
}

describe('doctor', () => {
  beforeAll(buildOnce);

  const examine = async (env: Record<string, string>) => {
    const { code, stdout } = await runCli(['--json', 'doctor'], { env });
    const { findings } = JSON.parse(stdout) as Report;
    return {
      code,
      bySubject: Object.fromEntries(findings.map((finding) => [finding.subject, finding])),
      findings,
    };
  };

  test.each(STORES)('finds nothing to fail on a sound service on $name', async ({ name, prepare }) => {
    const { env, dispose } = await prepare();
    const service = await TestService.start({ ...env, METRICS_TOKEN: 'a-token-for-the-metrics' });
    const acme = await service.tenant();
    const platform = await examine(environmentOf(service));
    expect(platform.code).toBe(0);
    expect(platform.findings.filter(({ level }) => level === 'fail')).toEqual([]);
    expect(platform.bySubject).toMatchObject({
      store: { finding: `${name} is up, takes writes and evicts nothing` },
      metrics: { level: 'ok' },
      'API key': { finding: 'the platform key from ADMIN_API_KEY is accepted' },
      'signing keys': { finding: '1 of 1 tenants looked at have one that signs and is not overdue' },
    });
    const issue = (scopes: string[]) =>
      service.post<{ api_key: string }>(acme, `/tenants/${acme.tenantId}/api-keys`, { name: 'some', scopes });
    for (const scopes of [
      ['sessions:create', 'audit:read'],
      ['keys:manage', 'api_keys:manage'],
      ['sessions:read'],
    ]) {
      const { api_key: apiKey } = (await issue(scopes)).body;
      const { code, bySubject } = await examine(environmentOf(service, apiKey));
      expect([code, bySubject['API key']?.finding]).toEqual([
        0,
        `of tenant ${acme.tenantId}, from SESSION_SERVICE_API_KEY: ${scopes.join(' ')}`,
      ]);
    }
    await service.stop();
    await dispose();
  });

  test('says what to do about open metrics, an unknown key, a Redis that evicts and one that is gone', async () => {
    const redis = await RedisServer.start();
    const service = await TestService.start({ STORE_URL: redis.url, ...SOON_OUT });
    const acme = await service.tenant();
    const env = environmentOf(service, `${acme.apiKey.slice(0, -1)}x`);
    expect((await examine(env)).bySubject).toMatchObject({
      metrics: { level: 'warn', remedy: expect.stringContaining('METRICS_TOKEN') },
      'API key': { level: 'fail', remedy: expect.stringContaining('SESSION_SERVICE_API_KEY') },
    });
    const client = redis.client();
    await client.config('SET', 'maxmemory-policy', 'allkeys-lru');
    client.disconnect();
    const evicting = await examine(environmentOf(service));
    expect(evicting.code).toBe(1);
    expect(evicting.bySubject['store']).toMatchObject({
      level: 'fail',
      finding: expect.stringContaining('maxmemory-policy is allkeys-lru'),
      remedy: expect.stringContaining('forgets revocations'),
    });
    await redis.stop();
    const gone = await eventually(
      () => examine(environmentOf(service)),
      ({ bySubject }) => bySubject['store']?.finding.startsWith('Redis is down') === true,
    );
    expect(gone.code).toBe(1);
    await service.stop();
  });

  test('ends with 3 when nobody answers', async () => {
    const { code, stdout } = await runCli(['doctor'], { env: { SESSION_SERVICE_URL: 'http://127.0.0.1:9' } });
    expect(code).toBe(3);
    expect(stdout).toMatch(/^fail +reachable +The service does not answer/m);
    expect(stdout).toMatch(/What to do:\n- reachable: start it/);
  });
});
