/** What a platform engineer sees of each brand: counts by tenant, and how many sessions are live. */
import { describe, expect, test } from '@jest/globals';
import { useService } from '../e2e/use-service.js';
import { STORES, type TestTenant } from '../support/test-service.js';
import { Scrape } from './scrape.js';

describe.each(STORES)('on $name', ({ prepare }) => {
  const service = useService(prepare);

  const scrape = (): Promise<Scrape> => Scrape.of(service());
  const count = async (name: string, labels: Record<string, string>): Promise<number | undefined> =>
    (await scrape()).value(name, labels);
  /** A census is taken every few seconds at most. */
  const live = async ({ tenantId }: TestTenant): Promise<number | undefined> => {
    service().clock.advanceSeconds(10);
    return count('sessions_active', { tenant_id: tenantId });
  };

  test('creations, validations and refreshes are counted by what became of them', async () => {
    const tenant = await service().tenant();
    const { tenantId: tenant_id } = tenant;
    const first = await service().createSession(tenant);
    await service().validate(tenant, first.access_token);
    await service().validate(tenant, first.access_token, 'store');
    await service().validate(tenant, first.access_token, 'skip');
    await service().validate(tenant, 'not.a.token');
    // null is as good as left out.
    const unsaid = { access_token: 'not.a.token', revocation_check: null };
    await service().post(tenant, '/sessions/validate', unsaid);
    await service().refresh(tenant, first.refresh_token);
    await service().refresh(tenant, first.refresh_token);
    await service().refresh(tenant, 'not.a.token');
    const seen = await scrape();
    expect(seen.value('sessions_created_total', { tenant_id })).toBe(1);
    expect(seen.value('sessions_validated_total', { tenant_id, result: 'valid' })).toBe(3);
    expect(seen.value('sessions_validated_total', { tenant_id, result: 'invalid_token' })).toBe(2);
    for (const outcome of ['rotated', 'repeated', 'invalid_token']) {
      expect(seen.value('sessions_refreshed_total', { tenant_id, outcome })).toBe(1);
    }
    for (const [check, times] of [
      ['replica', 3],
      ['store', 1],
      ['skip', 1],
    ] as const) {
      expect(seen.value('session_validation_duration_seconds_count', { tenant_id, check })).toBe(times);
    }
  });

  test('endings are counted by reason, and once however often they are asked for', async () => {
    const tenant = await service().tenant({ max_sessions_per_user: 2 });
    const { tenantId: tenant_id } = tenant;
    const out = await service().createSession(tenant);
    await service().revoke(tenant, out.access_token);
    await service().revoke(tenant, out.access_token);
    for (let n = 0; n < 3; n++) await service().createSession(tenant);
    await service().post(tenant, '/sessions/revoke-all', {
      tenant_id,
      user_id: 'alice',
      reason: 'password_change',
    });
    const seen = await scrape();
    const ended = (reason: string) => seen.value('sessions_revoked_total', { tenant_id, reason });
    expect([ended('user_logout'), ended('session_limit'), ended('password_change')]).toEqual([1, 1, 2]);
  });

  test('reuse is counted by which refresh token came back', async () => {
    const tenant = await service().tenant({ refresh_grace_seconds: 0 });
    const { tenantId: tenant_id } = tenant;
    const replaced = await service().createSession(tenant);
    await service().refresh(tenant, replaced.refresh_token);
    service().clock.advanceSeconds(2);
    await service().refresh(tenant, replaced.refresh_token);
    const older = await service().createSession(tenant);
    const second = await service().refresh(tenant, older.refresh_token);
    await service().refresh(tenant, second.body.refresh_token);
    await service().refresh(tenant, older.refresh_token);
    const seen = await scrape();
    expect(seen.value('refresh_token_reuse_total', { tenant_id, cause: 'older_token' })).toBe(1);
    expect(seen.sum('refresh_token_reuse_total', { tenant_id })).toBe(2);
    expect(seen.value('sessions_revoked_total', { tenant_id, reason: 'refresh_token_reused' })).toBe(2);
    expect(seen.value('sessions_refreshed_total', { tenant_id, outcome: 'refresh_token_reused' })).toBe(2);
  });

  test('live sessions follow creation, endings, refreshes and expiry', async () => {
    const tenant = await service().tenant({ refresh_token_ttl_seconds: 3600 });
    expect(await live(tenant)).toBe(0);
    const [one, two] = [await service().createSession(tenant), await service().createSession(tenant)];
    await service().createSession(tenant, { user_id: 'bob' });
    expect(await live(tenant)).toBe(3);
    await service().revoke(tenant, one.access_token);
    expect(await live(tenant)).toBe(2);
    service().clock.advanceSeconds(1800);
    await service().refresh(tenant, two.refresh_token);
    expect(await live(tenant)).toBe(2);
    service().clock.advanceSeconds(1900);
    expect(await live(tenant)).toBe(1);
    service().clock.advanceSeconds(1900);
    expect(await live(tenant)).toBe(0);
  });

  test('live sessions are none once the tenant is revoked as a whole, and count anew from there', async () => {
    const tenant = await service().tenant();
    for (let n = 0; n < 3; n++) await service().createSession(tenant);
    expect(await live(tenant)).toBe(3);
    await service().asPlatform('POST', `/tenants/${tenant.tenantId}/revoke-all`, {
      reason: 'security_incident',
    });
    expect(await live(tenant)).toBe(0);
    await service().createSession(tenant);
    expect(await live(tenant)).toBe(1);
  });

  test('a tenant that is deleted leaves nothing behind, and one that comes after it starts at nothing', async () => {
    const tenant = await service().tenant();
    await service().createSession(tenant);
    expect(await live(tenant)).toBe(1);
    await service().asPlatform('DELETE', `/tenants/${tenant.tenantId}`);
    expect((await scrape()).text).not.toContain(tenant.tenantId);
    await service().asPlatform('POST', '/tenants', { tenant_id: tenant.tenantId });
    expect(await live(tenant)).toBe(0);
    const { body } = await service().asPlatform('POST', `/tenants/${tenant.tenantId}/api-keys`, {
      name: 'again',
      scopes: ['sessions:create'],
    });
    await service().createSession({ ...tenant, apiKey: String(body['api_key']) });
    expect(await live(tenant)).toBe(1);
  });

  test('the age of the key that signs is told, and whether it is overdue', async () => {
    const tenant = await service().tenant();
    await service().createSession(tenant);
    service().clock.advanceSeconds(3600);
    const age = await count('signing_key_age_seconds', { tenant_id: tenant.tenantId });
    expect(age).toBeGreaterThanOrEqual(3600);
    expect(await count('signing_key_overdue_seconds', {})).toBe(0);
    service().clock.advanceSeconds(91 * 86_400);
    expect(await count('signing_key_overdue_seconds', {})).toBeGreaterThanOrEqual(86_400);
    await service().asPlatform('POST', `/tenants/${tenant.tenantId}/keys/rotate?now=true`);
    service().clock.advanceSeconds(10);
    expect(await count('signing_key_age_seconds', { tenant_id: tenant.tenantId })).toBe(10);
  });

  test('the store is told of', async () => {
    const seen = await scrape();
    expect(seen.value('store_up')).toBe(1);
    expect(seen.value('service_info', { version: '0.1.0' })).toBe(1);
    expect(seen.value('redis_evicted_keys_total')).toBe(0);
  });
});
