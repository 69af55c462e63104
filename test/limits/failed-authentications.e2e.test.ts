/** What callers without a good key meet, and what those beside them do not feel. */
import { describe, expect, test } from '@jest/globals';
import type { Environment } from '../../src/config.js';
import { useService } from '../e2e/use-service.js';
import { STORES, type TestTenant } from '../support/test-service.js';

const LIMITED: Environment = { RATE_LIMIT_FAILED_AUTH_PER_SECOND: '3' };
const BURST = 6;
const WRONG = `sk_acme_${'0'.repeat(16)}_${'0'.repeat(64)}`;

const [sqlite] = STORES;
if (!sqlite) throw new Error('there is no store');

describe('credentials that are not good', () => {
  const service = useService(sqlite.prepare, LIMITED);
  const fail = (headers: Record<string, string> = {}) =>
    service().call('POST', '/sessions/validate', { apiKey: WRONG, body: {}, headers });
  const good = (tenant: TestTenant) =>
    service().call('GET', `/sessions?tenant_id=${tenant.tenantId}&user_id=alice`, { apiKey: tenant.apiKey });

  test('are refused as such a few times, then put off, and good ones from the same address are not', async () => {
    const tenant = await service().tenant();
    service().clock.advanceSeconds(2);
    for (let n = 0; n < BURST; n++) expect((await fail()).status).toBe(401);
    const refused = await fail();
    expect([refused.status, refused.headers.get('retry-after')]).toEqual([429, '1']);
    expect(refused.body).toMatchObject({
      error: 'rate_limited',
      error_description: 'Too many requests without a valid API key: wait as long as Retry-After says.',
    });
    for (let n = 0; n < 3 * BURST; n++) expect((await good(tenant)).status).toBe(200);
    expect((await service().asPlatform('GET', '/tenants')).status).toBe(200);
    // Also one that this instance has never seen.
    expect((await good(await service().tenant())).status).toBe(200);
    service().clock.advanceSeconds(1);
    expect((await fail()).status).toBe(401);
  });

  test('are counted when there are none, wherever they are asked for', async () => {
    service().clock.advanceSeconds(2);
    for (let n = 0; n < BURST; n++) expect((await service().call('GET', '/tenants')).status).toBe(401);
    for (const path of ['/sessions/validate', '/sessions/revoke-batch', '/tenants']) {
      expect((await service().call('POST', path, { body: {} })).status).toBe(429);
    }
    expect((await service().call('GET', '/health/live')).status).toBe(200);
  });

  test('count for the address that they come from, whatever they say of themselves', async () => {
    service().clock.advanceSeconds(2);
    for (let n = 0; n < BURST; n++) await fail({ 'x-forwarded-for': `198.51.100.${n}` });
    expect((await fail({ 'x-forwarded-for': '203.0.113.9' })).status).toBe(429);
  });
});

describe('behind a proxy that is trusted', () => {
  const service = useService(sqlite.prepare, { ...LIMITED, TRUST_PROXY: 'loopback, 10.0.0.0/8' });
  const fail = async (forwardedFor: string): Promise<number> => {
    const headers = { 'x-forwarded-for': forwardedFor };
    return (await service().call('GET', '/tenants', { apiKey: WRONG, headers })).status;
  };

  test('it is the client’s address that counts', async () => {
    for (let n = 0; n < BURST; n++) expect(await fail('198.51.100.1')).toBe(401);
    expect(await fail('198.51.100.1')).toBe(429);
    expect(await fail('198.51.100.2')).toBe(401);
  });

  test('what a client says before the proxy counts for nothing', async () => {
    for (let n = 0; n < BURST; n++) expect(await fail(`203.0.113.${n}, 198.51.100.3`)).toBe(401);
    expect(await fail('203.0.113.99, 198.51.100.3, 10.1.2.3')).toBe(429);
  });
});
