import { beforeAll, describe, expect, test } from '@jest/globals';
import { ADMIN_API_KEY, STORES, type TestTenant } from '../support/test-service.js';
import { partsOf } from './token-parts.js';
import { useService } from './use-service.js';

interface TenantPage {
  tenants: { tenant_id: string }[];
  next_cursor?: string;
}

const DEFAULTS = {
  rate_limit_per_second: 0,
  api_key_rate_limit_per_second: 0,
  rate_limit_burst_seconds: 2,
  access_token_ttl_seconds: 900,
  refresh_token_ttl_seconds: 2_592_000,
  session_max_lifetime_seconds: 7_776_000,
  refresh_grace_seconds: 10,
  max_sessions_per_user: 100,
  on_store_outage: 'serve',
  rsa_modulus_bits: 2048,
};

describe.each(STORES)('tenants over HTTP on $name', ({ prepare }) => {
  const service = useService(prepare);

  const change = (tenant: TestTenant, body: unknown) =>
    service().asPlatform('PATCH', `/tenants/${tenant.tenantId}`, body);

  describe('creation', () => {
    test('answers with the settings that apply and the first API key', async () => {
      const created = await service().asPlatform('POST', '/tenants', {
        tenant_id: 'acme',
        name: 'Acme Corp',
      });
      expect(created.status).toBe(201);
      const nowSeconds = service().clock.nowMs() / 1000;
      expect(created.body).toEqual({
        tenant_id: 'acme',
        name: 'Acme Corp',
        status: 'active',
        ...DEFAULTS,
        audience: 'acme',
        created_at: nowSeconds,
        updated_at: nowSeconds,
        api_key: expect.stringMatching(/^sk_acme_[0-9a-f]{16}_[0-9a-f]{64}$/),
      });
    });

    test('gives the first API key every scope', async () => {
      const tenant = await service().tenant();
      const { body } = await service().call<{ api_keys: { scopes: string[] }[] }>(
        'GET',
        `/tenants/${tenant.tenantId}/api-keys`,
        { apiKey: tenant.apiKey },
      );
      expect(body.api_keys.map(({ scopes }) => scopes)).toEqual([
        [
          'sessions:create',
          'sessions:validate',
          'sessions:refresh',
          'sessions:revoke',
          'sessions:read',
          'revocations:read',
          'keys:manage',
          'api_keys:manage',
          'audit:read',
        ],
      ]);
    });

    test('uses the id as the name when none is given', async () => {
      const { body } = await service().asPlatform('POST', '/tenants', { tenant_id: 'nameless' });
      expect(body).toMatchObject({ name: 'nameless' });
    });

    test('takes settings along', async () => {
      const { body } = await service().asPlatform('POST', '/tenants', {
        tenant_id: 'chosen',
        access_token_ttl_seconds: 60,
        audience: 'https://api.chosen.example',
        on_store_outage: 'refuse',
      });
      expect(body).toMatchObject({
        ...DEFAULTS,
        access_token_ttl_seconds: 60,
        audience: 'https://api.chosen.example',
        on_store_outage: 'refuse',
      });
    });

    test('refuses an id that is taken and leaves its tenant as it is', async () => {
      const tenant = await service().tenant({ name: 'first' });
      const session = await service().createSession(tenant);
      const again = await service().asPlatform('POST', '/tenants', {
        tenant_id: tenant.tenantId,
        name: 'second',
      });
      expect(again).toMatchObject({ status: 409, body: { error: 'tenant_exists', action: 'fix_request' } });
      expect(again.body).not.toHaveProperty('api_key');
      expect((await service().asPlatform('GET', `/tenants/${tenant.tenantId}`)).body['name']).toBe('first');
      expect((await service().validate(tenant, session.access_token)).status).toBe(200);
    });

    test('lets one of many simultaneous creations win, with a working key', async () => {
      const answers = await Promise.all(
        Array.from({ length: 6 }, () => service().asPlatform('POST', '/tenants', { tenant_id: 'contested' })),
      );
      expect(answers.map(({ status }) => status).toSorted((a, b) => a - b)).toEqual([
        201, 409, 409, 409, 409, 409,
      ]);
      const apiKey = String(answers.find(({ status }) => status === 201)?.body['api_key']);
      const tenant = { tenantId: 'contested', apiKey };
      const session = await service().createSession(tenant);
      expect((await service().validate(tenant, session.access_token)).status).toBe(200);
    });

    test.each([
      [
        '',
        'Acme',
        '-acme',
        'ac_me',
        'a.b',
        'a/b',
        'acmé',
        'a'.repeat(64),
        ' acme',
        'acme\n',
        '__proto__',
      ].map((id) => id),
    ])('refuses ids of another shape', async (...ids) => {
      for (const tenantId of ids) {
        const { status, body } = await service().asPlatform('POST', '/tenants', { tenant_id: tenantId });
        expect({ tenantId, status, error: body['error'] }).toEqual({
          tenantId,
          status: 400,
          error: 'invalid_request',
        });
      }
    });

    test('accepts the longest id there may be', async () => {
      const tenantId = `0${'-'.repeat(61)}z`;
      const { status, body } = await service().asPlatform('POST', '/tenants', { tenant_id: tenantId });
      expect(status).toBe(201);
      const tenant = { tenantId, apiKey: String(body['api_key']) };
      const session = await service().createSession(tenant);
      expect((await service().validate(tenant, session.access_token)).status).toBe(200);
    });
  });

  describe('listing', () => {
    const ids = Array.from({ length: 7 }, (_, at) => `list-${at}`);

    beforeAll(async () => {
      for (const id of ids) await service().asPlatform('POST', '/tenants', { tenant_id: id });
    });

    test('pages through every tenant once, in the order of their ids', async () => {
      const seen: string[] = [];
      let cursor: string | undefined;
      for (let page = 0; page < 50; page++) {
        const query = cursor === undefined ? '' : `&cursor=${cursor}`;
        const { status, body } = await service().asPlatform<TenantPage>('GET', `/tenants?limit=3${query}`);
        expect(status).toBe(200);
        expect(body.tenants.length).toBeLessThanOrEqual(3);
        seen.push(...body.tenants.map(({ tenant_id: id }) => id));
        cursor = body.next_cursor;
        if (cursor === undefined) break;
      }
      expect(cursor).toBeUndefined();
      expect(seen).toEqual(seen.toSorted());
      expect(new Set(seen).size).toBe(seen.length);
      expect(seen.filter((id) => id.startsWith('list-'))).toEqual(ids);
    });

    test('passes over tenants that were deleted', async () => {
      await service().asPlatform('DELETE', '/tenants/list-1');
      const { body } = await service().asPlatform<TenantPage>('GET', '/tenants?limit=2&cursor=list-0');
      expect(body.tenants.map(({ tenant_id: id }) => id)).toEqual(['list-2', 'list-3']);
    });

    test('shows no API key', async () => {
      const { body } = await service().asPlatform('GET', '/tenants?limit=200');
      expect(JSON.stringify(body)).not.toMatch(/"api_key"|secret|sk_/);
    });

    test.each([
      'limit=0',
      'limit=201',
      'limit=2.5',
      'limit=x',
      'limit=',
      'cursor=UPPER',
      'cursor=a&cursor=b',
      'x=1',
    ])('refuses ?%s', async (query) => {
      expect(await service().asPlatform('GET', `/tenants?${query}`)).toMatchObject({
        status: 400,
        body: { error: 'invalid_request' },
      });
    });
  });

  describe('reading', () => {
    test('answers with the settings that apply', async () => {
      const tenant = await service().tenant({ refresh_grace_seconds: 0 });
      const { status, body } = await service().asPlatform('GET', `/tenants/${tenant.tenantId}`);
      expect(status).toBe(200);
      expect(body).toMatchObject({ ...DEFAULTS, refresh_grace_seconds: 0, audience: tenant.tenantId });
      expect(body).not.toHaveProperty('api_key');
    });

    test.each(['nobody', 'UPPER', 'a'.repeat(64), '%00', '..%2fadmin'])('does not find %s', async (id) => {
      expect(await service().asPlatform('GET', `/tenants/${id}`)).toMatchObject({
        status: 404,
        body: { error: 'tenant_not_found' },
      });
    });
  });

  describe('change', () => {
    test('of access_token_ttl_seconds applies to the tokens issued afterwards', async () => {
      const tenant = await service().tenant();
      const before = await service().createSession(tenant);
      expect((await change(tenant, { access_token_ttl_seconds: 60 })).body['access_token_ttl_seconds']).toBe(
        60,
      );
      const after = await service().createSession(tenant);
      const refreshed = await service().refresh(tenant, before.refresh_token);
      expect([before, after, refreshed.body].map((tokens) => tokens.expires_in)).toEqual([900, 60, 60]);
      const { iat, exp } = partsOf(after.access_token).claims;
      expect(Number(exp) - Number(iat)).toBe(60);
    });

    test('of refresh_token_ttl_seconds moves the idle end of sessions refreshed afterwards', async () => {
      const tenant = await service().tenant();
      const before = await service().createSession(tenant);
      await change(tenant, { refresh_token_ttl_seconds: 1200 });
      const after = await service().createSession(tenant);
      const refreshed = await service().refresh(tenant, before.refresh_token);
      expect([before, after, refreshed.body].map((tokens) => tokens.refresh_expires_in)).toEqual([
        2_592_000, 1200, 1200,
      ]);
    });

    test('of session_max_lifetime_seconds bounds the sessions created afterwards', async () => {
      const tenant = await service().tenant();
      const before = await service().createSession(tenant);
      await change(tenant, { session_max_lifetime_seconds: 30 });
      const after = await service().createSession(tenant);
      const refreshed = await service().refresh(tenant, before.refresh_token);
      expect([after.expires_in, after.refresh_expires_in]).toEqual([30, 30]);
      expect(refreshed.body.refresh_expires_in).toBe(2_592_000);
    });

    test('of refresh_grace_seconds applies to the next repetition', async () => {
      const tenant = await service().tenant();
      const { refresh_token: first } = await service().createSession(tenant);
      await service().refresh(tenant, first);
      await change(tenant, { refresh_grace_seconds: 60 });
      service().clock.advanceSeconds(59);
      expect((await service().refresh(tenant, first)).status).toBe(200);
      await change(tenant, { refresh_grace_seconds: 0 });
      expect(await service().refresh(tenant, first)).toMatchObject({
        status: 401,
        body: { error: 'refresh_token_reused' },
      });
    });

    test('of max_sessions_per_user applies to the next session', async () => {
      const tenant = await service().tenant();
      const sessions = [];
      for (let at = 0; at < 3; at++) {
        sessions.push(await service().createSession(tenant));
        service().clock.advanceSeconds(1);
      }
      await change(tenant, { max_sessions_per_user: 2 });
      sessions.push(await service().createSession(tenant));
      const answers = await Promise.all(
        sessions.map(({ access_token: token }) => service().validate(tenant, token)),
      );
      expect(answers.map(({ status }) => status)).toEqual([401, 401, 200, 200]);
    });

    test('of audience applies to the tokens issued afterwards, and both are valid', async () => {
      const tenant = await service().tenant();
      const before = await service().createSession(tenant);
      await change(tenant, { audience: 'https://api.example' });
      const after = await service().createSession(tenant);
      expect(partsOf(before.access_token).claims['aud']).toBe(tenant.tenantId);
      expect(partsOf(after.access_token).claims['aud']).toBe('https://api.example');
      for (const { access_token: token } of [before, after]) {
        expect((await service().validate(tenant, token)).status).toBe(200);
      }
    });

    test('of one setting leaves the others and moves updated_at', async () => {
      const tenant = await service().tenant({ name: 'Kept', refresh_grace_seconds: 3 });
      const created = await service().asPlatform('GET', `/tenants/${tenant.tenantId}`);
      service().clock.advanceSeconds(7);
      const { status, body } = await change(tenant, { on_store_outage: 'refuse' });
      expect(status).toBe(200);
      expect(body).toEqual({
        ...created.body,
        on_store_outage: 'refuse',
        updated_at: Number(created.body['updated_at']) + 7,
      });
      expect((await service().asPlatform('GET', `/tenants/${tenant.tenantId}`)).body).toEqual(body);
    });

    test('of nothing is allowed', async () => {
      const tenant = await service().tenant();
      expect((await change(tenant, {})).status).toBe(200);
    });

    test('to null puts each setting back to the default', async () => {
      const tenant = await service().tenant({
        access_token_ttl_seconds: 1,
        refresh_token_ttl_seconds: 2,
        session_max_lifetime_seconds: 3,
        refresh_grace_seconds: 4,
        max_sessions_per_user: 5,
        audience: 'other',
        on_store_outage: 'refuse',
      });
      const names = [...Object.keys(DEFAULTS), 'audience'];
      const { status, body } = await change(tenant, Object.fromEntries(names.map((name) => [name, null])));
      expect(status).toBe(200);
      expect(body).toMatchObject({ ...DEFAULTS, audience: tenant.tenantId });
    });

    test('keeps all of many simultaneous changes or says that it did not', async () => {
      const tenant = await service().tenant();
      const wanted = {
        access_token_ttl_seconds: 61,
        refresh_grace_seconds: 11,
        max_sessions_per_user: 12,
        audience: 'thirteen',
      };
      const answers = await Promise.all(
        Object.entries(wanted).map(async ([name, value]) => ({
          name,
          value,
          status: (await change(tenant, { [name]: value })).status,
        })),
      );
      const { body } = await service().asPlatform('GET', `/tenants/${tenant.tenantId}`);
      for (const { name, value, status } of answers) {
        expect([200, 503]).toContain(status);
        if (status === 200) expect(body[name]).toBe(value);
      }
      expect(answers.some(({ status }) => status === 200)).toBe(true);
    });

    test.each([
      { access_token_ttl_seconds: 0 },
      { access_token_ttl_seconds: 86_401 },
      { access_token_ttl_seconds: 1.5 },
      { access_token_ttl_seconds: '900' },
      { access_token_ttl_seconds: -1 },
      { access_token_ttl_seconds: true },
      { refresh_token_ttl_seconds: 0 },
      { refresh_token_ttl_seconds: 31_536_001 },
      { session_max_lifetime_seconds: 0 },
      { session_max_lifetime_seconds: 157_680_001 },
      { refresh_grace_seconds: -1 },
      { refresh_grace_seconds: 61 },
      { max_sessions_per_user: 0 },
      { max_sessions_per_user: 1001 },
      { max_sessions_per_user: Number.POSITIVE_INFINITY }, // sent as 1e400
      { audience: '' },
      { audience: 'x'.repeat(257) },
      { audience: 'line\nbreak' },
      { audience: ['a', 'b'] },
      { on_store_outage: 'shrug' },
      { status: 'deleted' },
      { name: '' },
      { name: 'x'.repeat(129) },
      { tenant_id: 'other' },
      { epoch: 1 },
      { overrides: {} },
      [{}],
    ])('to %j is refused', async (body) => {
      const tenant = await service().tenant();
      const text = JSON.stringify(body).replace(':null', ':1e400');
      expect(await change(tenant, text)).toMatchObject({ status: 400, body: { error: 'invalid_request' } });
      expect((await service().asPlatform('GET', `/tenants/${tenant.tenantId}`)).body).toMatchObject({
        ...DEFAULTS,
        tenant_id: tenant.tenantId,
        status: 'active',
      });
    });

    test('of a tenant that does not exist is not found', async () => {
      expect(await service().asPlatform('PATCH', '/tenants/nobody', { name: 'x' })).toMatchObject({
        status: 404,
        body: { error: 'tenant_not_found' },
      });
    });
  });

  describe('suspension', () => {
    test('refuses every call of the tenant, and reactivation logs nobody out', async () => {
      const tenant = await service().tenant();
      const session = await service().createSession(tenant);
      expect((await change(tenant, { status: 'suspended' })).body['status']).toBe('suspended');

      const refused = await Promise.all([
        service().validate(tenant, session.access_token),
        service().validate(tenant, session.access_token, 'skip'),
        service().refresh(tenant, session.refresh_token),
        service().revoke(tenant, session.access_token),
        service().post(tenant, '/sessions', { tenant_id: tenant.tenantId, user_id: 'bob', scope: '' }),
        service().call('GET', `/sessions/${session.session_id}`, { apiKey: tenant.apiKey }),
        service().call('GET', `/tenants/${tenant.tenantId}/keys`, { apiKey: tenant.apiKey }),
        service().call('GET', `/tenants/${tenant.tenantId}/api-keys`, { apiKey: tenant.apiKey }),
      ]);
      for (const answer of refused) {
        expect(answer).toMatchObject({
          status: 403,
          body: { error: 'tenant_suspended', action: 'contact_operator' },
        });
      }

      await change(tenant, { status: 'active' });
      expect((await service().validate(tenant, session.access_token)).status).toBe(200);
      expect((await service().refresh(tenant, session.refresh_token)).status).toBe(200);
    });

    test('leaves the platform able to read, change and revoke', async () => {
      const tenant = await service().tenant();
      await change(tenant, { status: 'suspended' });
      const path = `/tenants/${tenant.tenantId}`;
      expect(await service().asPlatform('GET', path)).toMatchObject({
        status: 200,
        body: { status: 'suspended' },
      });
      expect((await service().asPlatform('GET', `${path}/api-keys`)).status).toBe(200);
      expect((await service().asPlatform('GET', `${path}/keys`)).status).toBe(200);
      expect((await change(tenant, { name: 'Still here' })).body).toMatchObject({
        name: 'Still here',
        status: 'suspended',
      });
      expect(
        (await service().asPlatform('POST', `${path}/revoke-all`, { reason: 'security_incident' })).status,
      ).toBe(200);
    });

    test('touches no other tenant', async () => {
      const [suspended, other] = [await service().tenant(), await service().tenant()];
      const session = await service().createSession(other);
      await change(suspended, { status: 'suspended' });
      expect((await service().validate(other, session.access_token)).status).toBe(200);
    });
  });

  describe('deletion', () => {
    test('makes the tenant, its keys and its API keys unknown', async () => {
      const tenant = await service().tenant();
      const session = await service().createSession(tenant);
      const path = `/tenants/${tenant.tenantId}`;
      const deleted = await service().asPlatform('DELETE', path);
      expect(deleted).toMatchObject({ status: 204, body: undefined });
      for (const [method, where] of [
        ['GET', path],
        ['PATCH', path],
        ['DELETE', path],
        ['GET', `${path}/jwks`],
        ['GET', `${path}/api-keys`],
        ['GET', `${path}/keys`],
      ] as const) {
        const answer = await service().call(method, where, {
          apiKey: ADMIN_API_KEY,
          ...(method === 'PATCH' ? { body: {} } : {}),
        });
        expect({ method, where, ...answer }).toMatchObject({
          status: 404,
          body: { error: 'tenant_not_found' },
        });
      }
      expect(await service().validate(tenant, session.access_token)).toMatchObject({
        status: 401,
        body: { error: 'unauthorized' },
      });
    });

    test('touches no other tenant', async () => {
      const [deleted, other] = [await service().tenant(), await service().tenant()];
      const session = await service().createSession(other);
      await service().asPlatform('DELETE', `/tenants/${deleted.tenantId}`);
      expect((await service().validate(other, session.access_token)).status).toBe(200);
    });

    test('is final: a tenant created again under the id knows nothing of the old one', async () => {
      const old = await service().tenant({ audience: 'old' });
      const session = await service().createSession(old);
      const jwksBefore = await service().call('GET', `/tenants/${old.tenantId}/jwks`);
      await service().asPlatform('DELETE', `/tenants/${old.tenantId}`);
      const { status, body } = await service().asPlatform('POST', '/tenants', { tenant_id: old.tenantId });
      expect(status).toBe(201);
      expect(body).toMatchObject({ ...DEFAULTS, audience: old.tenantId });
      const reborn = { tenantId: old.tenantId, apiKey: String(body['api_key']) };

      expect(await service().validate(old, session.access_token)).toMatchObject({
        status: 401,
        body: { error: 'unauthorized' },
      });
      for (const check of ['replica', 'store', 'skip']) {
        expect(await service().validate(reborn, session.access_token, check)).toMatchObject({
          status: 401,
          body: { valid: false, action: 'reauthenticate' },
        });
      }
      expect(await service().refresh(reborn, session.refresh_token)).toMatchObject({
        status: 401,
        body: { action: 'reauthenticate' },
      });
      const listed = await service().call('GET', `/sessions?tenant_id=${reborn.tenantId}&user_id=alice`, {
        apiKey: reborn.apiKey,
      });
      expect(listed).toMatchObject({ status: 200, body: { sessions: [] } });
      expect(
        (await service().call('GET', `/sessions/${session.session_id}`, { apiKey: reborn.apiKey })).status,
      ).toBe(404);
      const jwksAfter = await service().call('GET', `/tenants/${old.tenantId}/jwks`);
      expect(jwksAfter.body).not.toEqual(jwksBefore.body);

      const fresh = await service().createSession(reborn);
      expect((await service().validate(reborn, fresh.access_token)).status).toBe(200);
    });
  });
});
