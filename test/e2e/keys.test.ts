import { beforeAll, describe, expect, test } from '@jest/globals';
import { createLocalJWKSet, errors, jwtVerify, type JSONWebKeySet } from 'jose';
import { STORES, type TestTenant } from '../support/test-service.js';
import { partsOf } from './token-parts.js';
import { useService } from './use-service.js';

interface KeyList {
  epoch: number;
  keys: { kid: string; state: string; epoch: number; expires_at: number | null }[];
}

describe.each(STORES)('keys over HTTP on $name', ({ prepare }) => {
  const service = useService(prepare);
  let acme: TestTenant;

  beforeAll(async () => {
    acme = await service().tenant({ audience: 'https://api.acme.example' });
  });

  const jwks = (tenant: TestTenant, headers: Record<string, string> = {}) =>
    service().call<JSONWebKeySet>('GET', `/tenants/${tenant.tenantId}/jwks`, { headers });

  const verify = async (tenant: TestTenant, token: string, audience: string) =>
    jwtVerify(token, createLocalJWKSet((await jwks(tenant)).body), {
      issuer: `http://localhost:3000/tenants/${tenant.tenantId}`,
      audience,
      typ: 'at+jwt',
      algorithms: ['RS256'],
      currentDate: new Date(service().clock.nowMs()),
    });

  test('let anybody verify an access token without asking the service', async () => {
    const session = await service().createSession(acme, { scope: 'read write' });
    const { payload } = await verify(acme, session.access_token, 'https://api.acme.example');
    expect(payload).toMatchObject({ sub: 'alice', sid: session.session_id, scope: 'read write' });
  });

  test('are served under the issuer as well, byte for byte', async () => {
    const session = await service().createSession(acme);
    const { iss } = partsOf(session.access_token).claims;
    const path = new URL(`${String(iss)}/.well-known/jwks.json`).pathname;
    const [one, other] = await Promise.all([jwks(acme), service().call('GET', path)]);
    expect(other.status).toBe(200);
    expect(other.body).toEqual(one.body);
    expect(other.headers.get('etag')).toBe(one.headers.get('etag'));
  });

  test('have public members only', async () => {
    const { status, body } = await jwks(acme);
    expect(status).toBe(200);
    expect(body).toEqual({
      keys: [
        {
          kty: 'RSA',
          use: 'sig',
          alg: 'RS256',
          kid: expect.stringMatching(/^[A-Za-z0-9_-]{1,64}$/),
          n: expect.stringMatching(/^[A-Za-z0-9_-]{342}$/), // 2,048 bits
          e: 'AQAB',
        },
      ],
    });
    const session = await service().createSession(acme);
    expect(partsOf(session.access_token).header['kid']).toBe(body.keys[0]?.kid);
  });

  test('do not verify a refresh token', async () => {
    const { refresh_token: token } = await service().createSession(acme);
    const keySet = createLocalJWKSet((await jwks(acme)).body);
    await expect(jwtVerify(token, keySet)).rejects.toThrow(errors.JOSEError);
    const kids = (await jwks(acme)).body.keys.map(({ kid }) => kid);
    expect(kids).not.toContain(partsOf(token).header['kid']);
  });

  test('of one tenant verify no token of another', async () => {
    const bravo = await service().tenant();
    const { access_token: token } = await service().createSession(bravo);
    await expect(verify(bravo, token, bravo.tenantId)).resolves.toHaveProperty('payload');
    await expect(verify(acme, token, bravo.tenantId)).rejects.toThrow(errors.JWKSNoMatchingKey);
  });

  test('may be cached for less than a key is published ahead, and need no credential', async () => {
    const { headers } = await jwks(acme);
    expect(headers.get('cache-control')).toBe('public, max-age=300');
    expect(headers.get('content-type')).toMatch(/^application\/(jwk-set\+)?json/);
    expect(headers.get('etag')).toMatch(/^"[^"]+"$/);
  });

  test('answer 304 without a body while the copy is current', async () => {
    const etag = (await jwks(acme)).headers.get('etag') ?? '';
    for (const known of [etag, `W/${etag}`, `"old", ${etag}`, '*']) {
      const answer = await jwks(acme, { 'if-none-match': known });
      expect({ known, status: answer.status, body: answer.body }).toEqual({
        known,
        status: 304,
        body: undefined,
      });
      expect(answer.headers.get('etag')).toBe(etag);
      expect(answer.headers.get('cache-control')).toBe('public, max-age=300');
    }
    for (const known of ['"old"', etag.slice(1, -1), '']) {
      expect((await jwks(acme, { 'if-none-match': known })).status).toBe(200);
    }
  });

  test('change with the epoch, and so does their ETag', async () => {
    const tenant = await service().tenant();
    const before = await jwks(tenant);
    const old = await service().createSession(tenant);
    await service().asPlatform('POST', `/tenants/${tenant.tenantId}/revoke-all`, {
      reason: 'security_incident',
    });
    const after = await jwks(tenant, { 'if-none-match': before.headers.get('etag') ?? '' });
    expect(after.status).toBe(200);
    expect(after.body.keys).toHaveLength(1);
    expect(after.body.keys[0]?.kid).not.toBe(before.body.keys[0]?.kid);
    await expect(verify(tenant, old.access_token, tenant.tenantId)).rejects.toThrow(errors.JWKSNoMatchingKey);
    const fresh = await service().createSession(tenant);
    await expect(verify(tenant, fresh.access_token, tenant.tenantId)).resolves.toHaveProperty('payload');
  });

  test('are listed with their states for those who may manage them', async () => {
    const tenant = await service().tenant();
    const path = `/tenants/${tenant.tenantId}/keys`;
    const first = await service().call<KeyList>('GET', path, { apiKey: tenant.apiKey });
    const startedAt = service().clock.nowMs() / 1000;
    expect(first).toMatchObject({
      status: 200,
      body: {
        epoch: 1,
        keys: [{ state: 'active', epoch: 1, activates_at: startedAt, retires_at: null, expires_at: null }],
      },
    });
    await service().asPlatform('POST', `/tenants/${tenant.tenantId}/revoke-all`, { reason: 'admin' });
    const second = await service().asPlatform<KeyList>('GET', path);
    expect(second.body.epoch).toBe(2);
    expect(second.body.keys.map(({ state, epoch }) => ({ state, epoch }))).toEqual([
      { state: 'revoked', epoch: 1 },
      { state: 'active', epoch: 2 },
    ]);
    service().clock.advanceSeconds(86_400 + 61);
    const third = await service().asPlatform<KeyList>('GET', path);
    expect(third.body.keys.map(({ state }) => state)).toEqual(['active']);
    expect(JSON.stringify([first.body, second.body, third.body])).not.toMatch(/sealed|secret|private|v1\./i);
  });

  test.each(['nobody', 'UPPER', 'a%2Fb'])('of the tenant %s are not found', async (id) => {
    for (const path of [`/tenants/${id}/jwks`, `/tenants/${id}/.well-known/jwks.json`]) {
      const answer = await service().call('GET', path);
      expect(answer).toMatchObject({ status: 404, body: { error: 'tenant_not_found' } });
      expect(answer.headers.get('cache-control')).toBe('no-store');
    }
  });
});
