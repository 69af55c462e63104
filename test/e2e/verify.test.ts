/** Forward authentication as gateways call it, on both stores. Real gateways in front of it: test/gateways. */
import { beforeAll, describe, expect, test } from '@jest/globals';
import { Scrape } from '../metrics/scrape.js';
import { SOON_OUT, STORES, TestService, type HttpAnswer, type TestTenant } from '../support/test-service.js';
import { RedisServer } from '../support/redis-server.js';
import { rawRequest } from './raw-http.js';
import { useService } from './use-service.js';

const bearer = (token: string) => ({ authorization: `Bearer ${token}` });
const IDENTITY = new Set(['user', 'tenant', 'id', 'scope', 'checked'].map((name) => `x-session-${name}`));
const identityOf = ({ headers }: HttpAnswer) =>
  Object.fromEntries([...headers].filter(([name]) => IDENTITY.has(name)));

describe.each(STORES)('verification for gateways on $name', ({ prepare }) => {
  const service = useService(prepare);
  let acme: TestTenant;

  beforeAll(async () => {
    acme = await service().tenant();
  });

  const verify = (headers: Record<string, string>, query = '', tenant = acme) =>
    service().call('GET', `/sessions/verify${query}`, { apiKey: tenant.apiKey, headers });

  test('answers 204 and says in headers who it is', async () => {
    const session = await service().createSession(acme, { scope: 'read write' });
    const answer = await verify(bearer(session.access_token));
    expect(answer.status).toBe(204);
    expect(answer.body).toBeUndefined();
    expect(identityOf(answer)).toEqual({
      'x-session-user': 'alice',
      'x-session-tenant': acme.tenantId,
      'x-session-id': session.session_id,
      'x-session-scope': 'read write',
      'x-session-checked': 'replica',
    });
    expect(answer.headers.get('cache-control')).toBe('no-store');
  });

  test('encodes a user that is no header', async () => {
    const user = 'Zoë 🦊 "a",b;c%0d%0aX-Session-Tenant: other';
    const { access_token: token } = await service().createSession(acme, { user_id: user, scope: '' });
    const answer = await verify(bearer(token));
    const named = answer.headers.get('x-session-user') ?? '';
    expect(named).toMatch(/^[\w.!~*'()%-]+$/);
    expect(decodeURIComponent(named)).toBe(user);
    // There all the same: what is missing would leave what a client sent in its place.
    expect(answer.headers.get('x-session-scope')).toBe('');
  });

  test('takes what gateways pass on of the request that they hold, and reads nothing of it', async () => {
    const { access_token: token } = await service().createSession(acme);
    const { apiKey } = acme;
    const elsewhere = '/sessions/verify/orders?page=2&revocation_check=skip';
    const body = { comment: 'of somebody else' };
    expect((await service().call('POST', elsewhere, { apiKey, body, headers: bearer(token) })).status).toBe(
      204,
    );
    const encoded = { 'content-encoding': 'gzip', 'content-type': 'text/plain; charset=iso-8859-1' };
    expect((await verify({ ...bearer(token), ...encoded })).status).toBe(204);
  });

  test('challenges who sends no token, with no error', async () => {
    for (const authorization of [undefined, 'Basic YTpi', 'Bearerx y']) {
      const answer = await verify(authorization === undefined ? {} : { authorization });
      expect(answer).toMatchObject({ status: 401, body: { valid: false, error: 'invalid_token' } });
      expect(answer.headers.get('www-authenticate')).toBe(`Bearer realm="${acme.tenantId}"`);
    }
  });

  test('refuses a bad token with the challenge of RFC 6750 and the error of validation', async () => {
    const { access_token: expired } = await service().createSession(acme);
    service().clock.advanceSeconds(901);
    const { access_token: good, refresh_token: refresh } = await service().createSession(acme);
    const { access_token: revoked } = await service().createSession(acme);
    await service().revoke(acme, revoked);
    const bravo = await service().tenant();
    const { access_token: foreign } = await service().createSession(bravo);
    for (const [text, error] of [
      ['', 'invalid_token'],
      ['nonsense', 'invalid_token'],
      [`${good} `.repeat(2).trim(), 'invalid_token'],
      [`${good}x`, 'invalid_token'],
      [refresh, 'invalid_token'],
      [foreign, 'invalid_token'],
      [expired, 'token_expired'],
      [revoked, 'token_revoked'],
    ] as const) {
      const answer = await verify(bearer(text));
      const { error_description: description } = answer.body;
      expect(answer.body).toMatchObject({ valid: false, error, request_id: expect.any(String) });
      expect(answer.status).toBe(401);
      expect(answer.headers.get('www-authenticate')).toBe(
        `Bearer realm="${acme.tenantId}", error="invalid_token", error_description="${String(description)}"`,
      );
      expect(identityOf(answer)).toEqual({});
    }
    expect((await verify({ authorization: `bEARER   ${good}` })).status).toBe(204);
  });

  test('refuses two Authorization headers: who reads the other one would read another token', async () => {
    const { access_token: token } = await service().createSession(acme);
    const line = `authorization: Bearer ${token}\r\n`;
    const head = `GET /sessions/verify HTTP/1.1\r\nhost: x\r\nconnection: close\r\nx-api-key: ${acme.apiKey}\r\n`;
    const statusOf = async (lines: string) => (await rawRequest(service().url, `${head}${lines}\r\n`)).status;
    expect(await statusOf(line)).toBe(204);
    expect(await statusOf(line.repeat(2))).toBe(401);
  });

  test('requires the words of a scope where the gateway says so', async () => {
    const { access_token: token } = await service().createSession(acme, { scope: 'read write' });
    for (const scope of ['read', 'write', 'write%20read']) {
      expect((await verify(bearer(token), `?scope=${scope}`)).status).toBe(204);
    }
    const answer = await verify(bearer(token), '?scope=read%20admin');
    expect(answer).toMatchObject({ status: 403, body: { valid: false, error: 'insufficient_scope' } });
    expect(answer.headers.get('www-authenticate')).toBe(
      `Bearer realm="${acme.tenantId}", error="insufficient_scope", ` +
        'error_description="The scope of this token is not enough.", scope="read admin"',
    );
    expect(identityOf(answer)).toEqual({});
    for (const scope of ['', '%20', 'a%20%20b', 'a%22', 'read&scope=write']) {
      expect((await verify(bearer(token), `?scope=${scope}`)).status).toBe(400);
    }
  });

  test('checks as it is told to', async () => {
    const { access_token: token } = await service().createSession(acme);
    for (const check of ['replica', 'store', 'skip']) {
      const answer = await verify(bearer(token), `?revocation_check=${check}`);
      expect(identityOf(answer)).toMatchObject({ 'x-session-checked': check });
    }
    await service().revoke(acme, token);
    expect((await verify(bearer(token), '?revocation_check=skip')).status).toBe(204);
    expect((await verify(bearer(token), '?revocation_check=store')).status).toBe(401);
    for (const query of [
      '?revocation_check=none',
      '?access_token=x',
      '?revocation_check=skip&revocation_check=skip',
    ]) {
      expect((await verify(bearer(token), query)).status).toBe(400);
    }
  });

  test('tells a refused API key and a suspended tenant from a refused token', async () => {
    const bravo = await service().tenant();
    const { access_token: token } = await service().createSession(bravo);
    const stranger = await service().call('GET', '/sessions/verify', { apiKey: 'x', headers: bearer(token) });
    expect(stranger).toMatchObject({ status: 401, body: { error: 'unauthorized' } });
    expect(stranger.headers.get('www-authenticate')).toBeNull();
    await service().asPlatform('PATCH', `/tenants/${bravo.tenantId}`, { status: 'suspended' });
    const suspended = await verify(bearer(token), '', bravo);
    expect(suspended).toMatchObject({ status: 403, body: { error: 'tenant_suspended' } });
    expect([stranger, suspended].filter(({ body }) => 'valid' in body)).toEqual([]);
  });

  test('is the same under any method, path and query of the request behind it, and goes by none of them', async () => {
    const { access_token: token } = await service().createSession(acme);
    const { access_token: revoked } = await service().createSession(acme);
    await service().revoke(acme, revoked);
    const paths = [
      '/',
      '/orders/1',
      '/orders?revocation_check=skip',
      '/a/../b?scope=x&scope=y',
      '/%20/ü?a[]=1',
    ];
    for (const method of ['GET', 'POST', 'PUT', 'PATCH', 'DELETE', 'OPTIONS', 'HEAD']) {
      for (const path of paths) {
        const ask = (headers: Record<string, string>) =>
          service().call(method, `/sessions/verify${path}`, { apiKey: acme.apiKey, headers });
        const good = await ask(bearer(token));
        expect({ method, path, status: good.status }).toEqual({ method, path, status: 204 });
        expect(identityOf(good)['x-session-user']).toBe('alice');
        expect((await ask(bearer(revoked))).status).toBe(401);
        expect((await ask({})).status).toBe(401);
      }
    }
  });

  test('counts as a validation', async () => {
    const tenant = await service().tenant();
    const { access_token: token } = await service().createSession(tenant, { scope: 'read' });
    await verify(bearer(token), '', tenant);
    await verify(bearer(token), '?scope=write', tenant);
    await verify(bearer('nonsense'), '', tenant);
    await verify({}, '', tenant);
    const scrape = await Scrape.of(service());
    const counted = (result: string) =>
      scrape.value('sessions_validated_total', { tenant_id: tenant.tenantId, result });
    expect(['valid', 'insufficient_scope', 'invalid_token'].map(counted)).toEqual([1, 1, 1]);
  });
});

test('verification for gateways never takes an outage for a bad token', async () => {
  const redis = await RedisServer.start();
  const service = await TestService.start({ STORE_URL: redis.url, ...SOON_OUT });
  const tenant = await service.tenant({ on_store_outage: 'refuse' });
  const { access_token: token } = await service.createSession(tenant);
  await redis.stop();
  const answer = await service.call('GET', '/sessions/verify?revocation_check=store', {
    apiKey: tenant.apiKey,
    headers: bearer(token),
  });
  expect(answer).toMatchObject({ status: 503, body: { error: 'store_unavailable', action: 'retry' } });
  expect(answer.headers.get('retry-after')).toMatch(/^\d+$/);
  expect(answer.headers.get('www-authenticate')).toBeNull();
  await service.stop();
});
