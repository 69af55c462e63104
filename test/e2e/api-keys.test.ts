import { beforeAll, describe, expect, test } from '@jest/globals';
import { STORES, type TestTenant } from '../support/test-service.js';
import { useService } from './use-service.js';

interface IssuedKey {
  key_id: string;
  api_key: string;
  name: string;
  scopes: string[];
  created_at: number;
  expires_at: number | null;
}

const pathOf = ({ tenantId }: TestTenant) => `/tenants/${tenantId}/api-keys`;

describe.each(STORES)('API keys over HTTP on $name', ({ prepare }) => {
  const service = useService(prepare);
  let acme: TestTenant;

  beforeAll(async () => {
    acme = await service().tenant();
  });

  const issue = (caller: TestTenant, grant: Record<string, unknown> = {}, tenant = caller) =>
    service().call<IssuedKey & Record<string, unknown>>('POST', pathOf(tenant), {
      apiKey: caller.apiKey,
      body: { name: 'checkout', scopes: ['sessions:validate'], ...grant },
    });

  const list = (tenant: TestTenant) =>
    service().call<{ api_keys: IssuedKey[] }>('GET', pathOf(tenant), { apiKey: tenant.apiKey });

  const revoke = (caller: TestTenant, keyId: string, tenant = caller) =>
    service().call('DELETE', `${pathOf(tenant)}/${keyId}`, { apiKey: caller.apiKey });

  test('issues a key that works', async () => {
    const { status, body } = await issue(acme, {
      name: 'Kasse 1',
      scopes: ['sessions:create', 'sessions:validate'],
    });
    expect(status).toBe(201);
    expect(body).toEqual({
      key_id: expect.stringMatching(/^[0-9a-f]{16}$/),
      name: 'Kasse 1',
      scopes: ['sessions:create', 'sessions:validate'],
      created_at: service().clock.nowMs() / 1000,
      expires_at: null,
      rate_limit_per_second: null,
      api_key: expect.stringMatching(new RegExp(`^sk_${acme.tenantId}_${body.key_id}_[0-9a-f]{64}$`)),
    });
    const holder = { ...acme, apiKey: body.api_key };
    const session = await service().createSession(holder);
    expect((await service().validate(holder, session.access_token)).status).toBe(200);
  });

  test('grants the scopes that were asked for and no other', async () => {
    const session = await service().createSession(acme);
    const { body } = await issue(acme, { scopes: ['sessions:validate'] });
    const holder = { ...acme, apiKey: body.api_key };
    expect((await service().validate(holder, session.access_token)).status).toBe(200);
    const refused = await Promise.all([
      service().post(holder, '/sessions', { tenant_id: acme.tenantId, user_id: 'alice', scope: '' }),
      service().refresh(holder, session.refresh_token),
      service().revoke(holder, session.access_token),
      service().call('GET', `/sessions/${session.session_id}`, { apiKey: holder.apiKey }),
      list(holder),
      issue(holder),
      service().call('GET', `/tenants/${acme.tenantId}/keys`, { apiKey: holder.apiKey }),
    ]);
    for (const answer of refused) {
      expect(answer).toMatchObject({ status: 403, body: { error: 'insufficient_scope' } });
    }
    expect((await service().validate(acme, session.access_token)).status).toBe(200);
  });

  test('shows the secret once: neither the list nor a second look has it', async () => {
    const tenant = await service().tenant();
    service().clock.advanceSeconds(1);
    const { body } = await issue(tenant, { name: 'second' });
    const listed = await list(tenant);
    expect(listed.body.api_keys.map(({ name }) => name)).toEqual(['first', 'second']);
    const secret = body.api_key.split('_').at(-1) ?? '';
    expect(secret).toHaveLength(64);
    const text = JSON.stringify(listed.body);
    expect(text).not.toContain(secret);
    expect(text).not.toMatch(/sk_|hash|secret/);
    expect(listed.body.api_keys[1]).toEqual({
      key_id: body.key_id,
      name: 'second',
      scopes: ['sessions:validate'],
      created_at: body.created_at,
      expires_at: null,
      rate_limit_per_second: null,
    });
  });

  test('does not let a key grant more than it has', async () => {
    const { body } = await issue(acme, { scopes: ['api_keys:manage', 'sessions:read'] });
    const manager = { ...acme, apiKey: body.api_key };
    expect((await issue(manager, { scopes: ['sessions:read'] })).status).toBe(201);
    const before = (await list(acme)).body.api_keys.length;
    for (const scopes of [['sessions:revoke'], ['sessions:read', 'sessions:create'], ['audit:read']]) {
      expect(await issue(manager, { scopes })).toMatchObject({
        status: 403,
        body: { error: 'insufficient_scope' },
      });
    }
    expect((await list(acme)).body.api_keys).toHaveLength(before);
  });

  test('lets the platform grant any scope', async () => {
    const { status, body } = await service().asPlatform<IssuedKey>('POST', pathOf(acme), {
      name: 'by the platform',
      scopes: ['keys:manage'],
    });
    expect(status).toBe(201);
    const answer = await service().call('GET', `/tenants/${acme.tenantId}/keys`, { apiKey: body.api_key });
    expect(answer.status).toBe(200);
  });

  test('accepts a key up to the moment it expires and not at it', async () => {
    const session = await service().createSession(acme);
    const { body } = await issue(acme, { expires_in: 60 });
    const holder = { ...acme, apiKey: body.api_key };
    expect(body.expires_at).toBe(body.created_at + 60);
    service().clock.advanceSeconds(59.999);
    expect((await service().validate(holder, session.access_token)).status).toBe(200);
    service().clock.advanceSeconds(0.001);
    expect(await service().validate(holder, session.access_token)).toMatchObject({
      status: 401,
      body: { error: 'unauthorized' },
    });
  });

  test('refuses a revoked key from the next request on', async () => {
    const session = await service().createSession(acme);
    const { body } = await issue(acme);
    const holder = { ...acme, apiKey: body.api_key };
    expect((await service().validate(holder, session.access_token)).status).toBe(200);
    expect(await revoke(acme, body.key_id)).toMatchObject({ status: 204, body: undefined });
    expect(await service().validate(holder, session.access_token)).toMatchObject({
      status: 401,
      body: { error: 'unauthorized' },
    });
    expect((await list(acme)).body.api_keys.map(({ key_id: id }) => id)).not.toContain(body.key_id);
    expect(await revoke(acme, body.key_id)).toMatchObject({ status: 404, body: { error: 'not_found' } });
  });

  test('lets a key revoke itself', async () => {
    const { body } = await issue(acme, { scopes: ['api_keys:manage'] });
    const holder = { ...acme, apiKey: body.api_key };
    expect((await revoke(holder, body.key_id)).status).toBe(204);
    expect((await list(holder)).status).toBe(401);
  });

  test('keeps each tenant out of the keys of another', async () => {
    const bravo = await service().tenant();
    const { body: bravosKey } = await issue(bravo);
    for (const answer of [
      await issue(acme, {}, bravo),
      await service().call('GET', pathOf(bravo), { apiKey: acme.apiKey }),
      await revoke(acme, bravosKey.key_id, bravo),
    ]) {
      expect(answer).toMatchObject({ status: 404, body: { error: 'tenant_not_found' } });
    }
    expect(await revoke(acme, bravosKey.key_id)).toMatchObject({ status: 404, body: { error: 'not_found' } });
    expect((await list(bravo)).body.api_keys).toHaveLength(2);
    const stillWorks = await list({ ...bravo, apiKey: bravo.apiKey });
    expect(stillWorks.status).toBe(200);
  });

  test('refuses a key whose secret, id or tenant belongs to another key', async () => {
    const bravo = await service().tenant();
    const { body: one } = await issue(acme, { scopes: ['api_keys:manage'] });
    const { body: two } = await issue(acme, { scopes: ['api_keys:manage'] });
    const [, , , secretOfTwo = ''] = two.api_key.split('_');
    for (const apiKey of [
      `sk_${acme.tenantId}_${one.key_id}_${secretOfTwo}`,
      one.api_key.replace(acme.tenantId, bravo.tenantId),
      one.api_key.replace(/.$/, (last) => (last === '0' ? '1' : '0')),
      one.api_key.toUpperCase(),
    ]) {
      expect(await list({ ...acme, apiKey })).toMatchObject({ status: 401, body: { error: 'unauthorized' } });
    }
  });

  test.each(['nope', 'first', '0'.repeat(16), '__proto__', '%2e%2e'])(
    'does not find the key %s',
    async (id) => {
      expect(await revoke(acme, id)).toMatchObject({ status: 404, body: { error: 'not_found' } });
    },
  );

  test.each([
    { scopes: [] },
    { scopes: ['sessions:everything'] },
    { scopes: ['sessions:read', 'sessions:read'] },
    { scopes: 'sessions:read' },
    { scopes: [null] },
    { scopes: null },
    { scopes: { length: 1 } },
    { name: '' },
    { name: 'x'.repeat(129) },
    { name: 'two\nlines' },
    { name: 7 },
    { name: null },
    { expires_in: 0 },
    { expires_in: -1 },
    { expires_in: 1.5 },
    { expires_in: '60' },
    { expires_in: 315_360_001 },
    { key_id: '0000000000000000' },
  ])('refuses to issue %j', async (grant) => {
    const before = (await list(acme)).body.api_keys.length;
    expect(await issue(acme, grant)).toMatchObject({ status: 400, body: { error: 'invalid_request' } });
    expect((await list(acme)).body.api_keys).toHaveLength(before);
  });
});
