/** A tenant as an authorization server, on both stores. With clients that others wrote: interop.test.ts. */
import { beforeAll, describe, expect, test } from '@jest/globals';
import { OAUTH_ERRORS } from '../../src/http/oauth-errors.js';
import { entriesOf } from '../audit/audit-calls.js';
import { useService } from '../e2e/use-service.js';
import { partsOf } from '../e2e/token-parts.js';
import { Scrape } from '../metrics/scrape.js';
import { RedisServer } from '../support/redis-server.js';
import { SOON_OUT, STORES, TestService, type TestTenant } from '../support/test-service.js';
import { ask, basic, clientOf, FORM } from './oauth-calls.js';

describe.each(STORES)('OAuth on $name', ({ prepare }) => {
  const service = useService(prepare);
  let acme: TestTenant;
  let bravo: TestTenant;

  beforeAll(async () => {
    acme = await service().tenant();
    bravo = await service().tenant();
  });

  const token = (form: Record<string, string>, tenant = acme) =>
    ask(service(), tenant, 'token', { grant_type: 'refresh_token', ...form });
  const introspect = (form: Record<string, string>, tenant = acme) =>
    ask(service(), tenant, 'introspect', form);
  const revoke = (form: Record<string, string>, tenant = acme) => ask(service(), tenant, 'revoke', form);

  describe('the metadata', () => {
    test('says what there is, alike at the three addresses', async () => {
      const { tenantId } = acme;
      const issuer = `http://localhost:3000/tenants/${tenantId}`;
      for (const path of [
        `/.well-known/oauth-authorization-server/tenants/${tenantId}`,
        `/tenants/${tenantId}/.well-known/oauth-authorization-server`,
        `/tenants/${tenantId}/.well-known/openid-configuration`,
      ]) {
        const { status, headers, body } = await service().call('GET', path);
        expect(status).toBe(200);
        expect(headers.get('cache-control')).toBe('public, max-age=3600');
        expect(body).toEqual({
          issuer,
          jwks_uri: `${issuer}/jwks`,
          token_endpoint: `${issuer}/oauth/token`,
          introspection_endpoint: `${issuer}/oauth/introspect`,
          revocation_endpoint: `${issuer}/oauth/revoke`,
          grant_types_supported: ['refresh_token'],
          response_types_supported: [],
          token_endpoint_auth_methods_supported: ['client_secret_basic', 'client_secret_post'],
          introspection_endpoint_auth_methods_supported: ['client_secret_basic', 'client_secret_post'],
          revocation_endpoint_auth_methods_supported: ['client_secret_basic', 'client_secret_post'],
        });
      }
      const { access_token: issued } = await service().createSession(acme);
      expect(partsOf(issued).claims['iss']).toBe(issuer);
    });

    test('of a tenant that does not exist is not there', async () => {
      const answer = await service().call('GET', '/.well-known/oauth-authorization-server/tenants/absent');
      expect(answer).toMatchObject({ status: 404, body: { error: 'tenant_not_found' } });
      expect(answer.headers.get('cache-control')).toBe('no-store');
    });
  });

  describe('the token endpoint', () => {
    test('exchanges a refresh token, and the exchange is that of the JSON route', async () => {
      const session = await service().createSession(acme, { scope: 'read write' });
      const answer = await token({ refresh_token: session.refresh_token });
      expect(answer.status).toBe(200);
      expect(answer.headers.get('cache-control')).toBe('no-store');
      expect(answer.body).toEqual({
        session_id: session.session_id,
        access_token: expect.any(String),
        refresh_token: expect.any(String),
        token_type: 'Bearer',
        expires_in: 900,
        refresh_expires_in: 2_592_000,
        scope: 'read write',
      });
      expect((await service().validate(acme, String(answer.body['access_token']))).status).toBe(200);
      const repeated = await service().refresh(acme, session.refresh_token);
      expect(repeated.body.refresh_token).toBe(answer.body['refresh_token']);
      const { tenantId } = acme;
      const entries = await entriesOf(service(), acme, `&session_id=${session.session_id}`);
      expect(entries.map(({ action }) => action)).toEqual([
        'session_refreshed',
        'session_refreshed',
        'session_created',
      ]);
      const scrape = await Scrape.of(service());
      const counted = (outcome: string) =>
        scrape.value('sessions_refreshed_total', { tenant_id: tenantId, outcome });
      expect([counted('rotated'), counted('repeated')]).toEqual([1, 1]);
    });

    test('ignores what it does not know, and does not narrow the scope', async () => {
      const { refresh_token: refresh } = await service().createSession(acme, { scope: 'read write' });
      const answer = await token({ refresh_token: refresh, scope: 'read', resource: 'https://x', foo: '' });
      expect(answer).toMatchObject({ status: 200, body: { scope: 'read write' } });
    });

    test('refuses in the words of RFC 6749, and says in `code` what it is', async () => {
      const reused = await service().createSession(acme);
      await token({ refresh_token: reused.refresh_token });
      service().clock.advanceSeconds(11);
      const revoked = await service().createSession(acme);
      await service().revoke(acme, revoked.access_token);
      const { access_token: access } = await service().createSession(acme);
      const { refresh_token: foreign } = await service().createSession(bravo);
      for (const [form, status, error, code] of [
        [{ refresh_token: reused.refresh_token }, 400, 'invalid_grant', 'refresh_token_reused'],
        [{ refresh_token: revoked.refresh_token }, 400, 'invalid_grant', 'token_revoked'],
        [{ refresh_token: access }, 400, 'invalid_grant', 'invalid_token'],
        [{ refresh_token: foreign }, 400, 'invalid_grant', 'invalid_token'],
        [{ refresh_token: 'nonsense' }, 400, 'invalid_grant', 'invalid_token'],
        [{}, 400, 'invalid_request', 'invalid_request'],
        [{ refresh_token: '' }, 400, 'invalid_request', 'invalid_request'],
        [{ grant_type: '', refresh_token: 'x' }, 400, 'invalid_request', 'invalid_request'],
        [{ grant_type: 'password' }, 400, 'unsupported_grant_type', 'unsupported_grant_type'],
        [{ grant_type: 'client_credentials' }, 400, 'unsupported_grant_type', 'unsupported_grant_type'],
      ] as const) {
        const answer = await token({ ...form });
        expect({ form, status: answer.status, ...answer.body }).toEqual({
          form,
          status,
          error,
          error_description: expect.stringMatching(/^[\x20-\x21\x23-\x5b\x5d-\x7e]+$/),
          code,
          action: error === 'invalid_grant' ? 'reauthenticate' : 'fix_request',
          request_id: answer.headers.get('x-request-id'),
        });
        expect(OAUTH_ERRORS).toContain(error);
      }
      const scrape = await Scrape.of(service());
      const counted = { tenant_id: acme.tenantId, outcome: 'refresh_token_reused' };
      expect(scrape.value('sessions_refreshed_total', counted)).toBe(1);
    });
  });

  describe('introspection', () => {
    test('says what an access token says', async () => {
      const { access_token: access } = await service().createSession(acme, { scope: 'read' });
      const { claims } = partsOf(access);
      const { status, body } = await introspect({ token: access });
      expect({ status, body }).toEqual({
        status: 200,
        body: { ...claims, active: true, token_type: 'Bearer' },
      });
      expect((await introspect({ token: access, token_type_hint: 'refresh_token' })).body).toEqual(body);
      expect((await introspect({ token: access, token_type_hint: 'nonsense' })).body).toEqual(body);
    });

    test('says of everything else that it is not active, and nothing more', async () => {
      const revoked = await service().createSession(acme);
      await service().revoke(acme, revoked.access_token);
      const foreign = await service().createSession(bravo);
      const expired = await service().createSession(acme);
      service().clock.advanceSeconds(901);
      const epoch = await service().tenant();
      const ended = await service().createSession(epoch);
      await service().asPlatform('POST', `/tenants/${epoch.tenantId}/revoke-all`, { reason: 'admin' });
      for (const [text, tenant] of [
        [revoked.access_token, acme],
        [revoked.refresh_token, acme],
        [foreign.access_token, acme],
        [foreign.refresh_token, acme],
        [expired.access_token, acme],
        [ended.access_token, epoch],
        [ended.refresh_token, epoch],
        ['nonsense', acme],
        ['a.b.c', acme],
      ] as const) {
        for (const hint of ['', 'refresh_token']) {
          const { status, body } = await introspect({ token: text, token_type_hint: hint }, tenant);
          expect({ text, status, body }).toEqual({ text, status: 200, body: { active: false } });
        }
      }
    });

    test('calls a refresh token active to those only who mean one, while it could be exchanged', async () => {
      const session = await service().createSession(acme, { scope: 'read' });
      const isActive = async (text: string, hint?: string) =>
        (await introspect({ token: text, ...(hint ? { token_type_hint: hint } : {}) })).body['active'];
      // A resource server that was sent one as a bearer token, and looks at nothing else.
      expect(await isActive(session.refresh_token)).toBe(false);
      expect(await isActive(session.refresh_token, 'access_token')).toBe(false);
      const { claims } = partsOf(session.refresh_token);
      const { body } = await introspect({ token: session.refresh_token, token_type_hint: 'refresh_token' });
      expect(body).toEqual({ ...claims, active: true, scope: 'read', token_type: 'refresh_token' });
      const { body: next } = await service().refresh(acme, session.refresh_token);
      const { body: newest } = await service().refresh(acme, next.refresh_token);
      expect(await isActive(newest.refresh_token, 'refresh_token')).toBe(true);
      expect(await isActive(next.refresh_token, 'refresh_token')).toBe(true);
      expect(await isActive(session.refresh_token, 'refresh_token')).toBe(false);
      service().clock.advanceSeconds(11);
      expect(await isActive(next.refresh_token, 'refresh_token')).toBe(false);
      // To ask is not to use: nothing was taken for reuse.
      expect((await service().refresh(acme, newest.refresh_token)).status).toBe(200);
    });
  });

  describe('revocation', () => {
    test.each(['access_token', 'refresh_token'] as const)('of an %s ends its session', async (kind) => {
      const session = await service().createSession(acme);
      const answer = await revoke({ token: session[kind], token_type_hint: 'nonsense' });
      expect(answer).toMatchObject({ status: 200, body: {} });
      expect((await service().validate(acme, session.access_token)).body['error']).toBe('token_revoked');
      expect((await token({ refresh_token: session.refresh_token })).body['error']).toBe('invalid_grant');
      expect((await revoke({ token: session[kind] })).status).toBe(200);
    });

    test('of a token that is not known is no error, and does nothing', async () => {
      const foreign = await service().createSession(bravo);
      for (const text of ['nonsense', foreign.access_token, foreign.refresh_token]) {
        expect((await revoke({ token: text })).status).toBe(200);
      }
      expect((await service().validate(bravo, foreign.access_token, 'store')).status).toBe(200);
      expect((await revoke({})).body).toMatchObject({ error: 'invalid_request' });
    });
  });

  describe('a client', () => {
    test('authenticates in each of three ways, and in one at a time', async () => {
      const { access_token: access } = await service().createSession(acme);
      const { id, secret } = clientOf(acme);
      const post = { client_id: id, client_secret: secret };
      const header = { 'x-api-key': secret };
      const status = async (form: Record<string, string>, headers: Record<string, string>) =>
        (await ask(service(), acme, 'introspect', { token: access, ...form }, headers)).body;
      expect(await status({}, basic({ id, secret }))).toMatchObject({ active: true });
      expect(await status(post, {})).toMatchObject({ active: true });
      expect(await status({}, header)).toMatchObject({ active: true });
      expect(await status({ client_id: id }, basic({ id, secret }))).toMatchObject({ active: true });
      for (const [form, headers] of [
        [post, basic({ id, secret })],
        [post, header],
        [{}, { ...header, ...basic({ id, secret }) }],
      ] as const) {
        expect(await status({ ...form }, { ...headers })).toMatchObject({
          error: 'invalid_request',
          error_description: expect.stringContaining('one way'),
        });
      }
    });

    test('that is not good is refused alike, whatever is wrong with it', async () => {
      const { id, secret } = clientOf(acme);
      const other = clientOf(bravo);
      const raw = (text: string) => ({ authorization: `Basic ${Buffer.from(text).toString('base64')}` });
      const wrong = `${secret.slice(0, -64)}${'0'.repeat(64)}`;
      const attempts: [form: Record<string, string>, headers: Record<string, string>][] = [
        [{}, {}],
        [{}, basic({ id, secret: wrong })],
        [{}, basic({ id: '0'.repeat(16), secret })],
        [{}, basic({ id: '', secret })],
        [{}, basic(other)],
        [{}, basic({ id: other.id, secret })],
        [{}, raw(secret)],
        [{}, raw(`${id}:%zz`)],
        [{}, raw(`${id}:%ff`)],
        [{}, { authorization: 'Basic' }],
        [{}, { authorization: 'Basic !' }],
        [{}, { authorization: `Bearer ${secret}` }],
        [{ client_id: id, client_secret: wrong }, {}],
        [{ client_id: '0'.repeat(16), client_secret: secret }, {}],
        [{ client_secret: secret }, {}],
        [{ client_id: id }, {}],
        [{ client_id: other.id, client_secret: other.secret }, {}],
        [{ client_id: acme.tenantId, client_secret: 'platform-key-of-the-tests-only' }, {}],
        [{}, { 'x-api-key': other.secret }],
      ];
      const answers: object[] = [];
      for (const [form, headers] of attempts) {
        const { status, headers: said, body } = await ask(service(), acme, 'token', form, headers);
        answers.push({ status, challenge: said.get('www-authenticate'), ...body, request_id: '' });
      }
      expect(answers[0]).toEqual({
        status: 401,
        challenge: 'Basic realm="oauth"',
        error: 'invalid_client',
        error_description: expect.stringContaining('Client authentication failed'),
        code: 'unauthorized',
        action: 'fix_request',
        request_id: '',
      });
      expect(answers.filter((answer) => JSON.stringify(answer) !== JSON.stringify(answers[0]))).toEqual([]);
    });

    test('of a tenant that does not exist is refused like one that is not known', async () => {
      const absent = { tenantId: 'absent', apiKey: acme.apiKey };
      const answer = await ask(service(), absent, 'token', { grant_type: 'refresh_token' });
      expect(answer).toMatchObject({ status: 401, body: { error: 'invalid_client', code: 'unauthorized' } });
    });

    test('without the scope, and of a suspended tenant, may not, and keeps its tokens', async () => {
      const { body } = await service().asPlatform('POST', `/tenants/${acme.tenantId}/api-keys`, {
        name: 'x',
        scopes: ['sessions:read'],
      });
      const weak = { tenantId: acme.tenantId, apiKey: String(body['api_key']) };
      const charlie = await service().tenant();
      await service().asPlatform('PATCH', `/tenants/${charlie.tenantId}`, { status: 'suspended' });
      for (const [tenant, code] of [
        [weak, 'insufficient_scope'],
        [charlie, 'tenant_suspended'],
      ] as const) {
        for (const endpoint of ['token', 'introspect', 'revoke'] as const) {
          const answer = await ask(service(), tenant, endpoint, { token: 'x' });
          expect(answer).toMatchObject({ status: 400, body: { error: 'unauthorized_client', code } });
        }
      }
    });
  });

  test('takes forms here and JSON elsewhere, and not the other way round', async () => {
    const { apiKey, tenantId } = acme;
    const here = await service().call('POST', `/tenants/${tenantId}/oauth/introspect`, {
      apiKey,
      body: { token: 'x' },
    });
    expect(here).toMatchObject({
      status: 415,
      body: { error: 'invalid_request', code: 'unsupported_media_type' },
    });
    expect(here.body['error_description']).toContain('application/x-www-form-urlencoded');
    const elsewhere = await service().call('POST', '/sessions/validate', {
      apiKey,
      body: 'access_token=x',
      headers: FORM,
    });
    expect(elsewhere).toMatchObject({ status: 415, body: { error: 'unsupported_media_type' } });
    expect((await ask(service(), acme, 'introspect', '', { 'x-api-key': apiKey })).status).toBe(400);
  });
});

test('an outage is no error of the grant: 503 at every endpoint', async () => {
  const redis = await RedisServer.start();
  const service = await TestService.start({ STORE_URL: redis.url, ...SOON_OUT });
  const tenant = await service.tenant();
  const { refresh_token: refresh } = await service.createSession(tenant);
  await redis.stop();
  const forms = {
    token: { grant_type: 'refresh_token', refresh_token: refresh },
    introspect: { token: refresh, token_type_hint: 'refresh_token' },
    revoke: { token: refresh },
  };
  for (const endpoint of ['token', 'introspect', 'revoke'] as const) {
    const answer = await ask(service, tenant, endpoint, forms[endpoint]);
    expect(answer).toMatchObject({
      status: 503,
      body: { error: 'temporarily_unavailable', code: 'store_unavailable', action: 'retry' },
    });
    expect(answer.headers.get('retry-after')).toMatch(/^\d+$/);
  }
  await service.stop();
});

test('a client that fails too often is put off, and a good one is not', async () => {
  const service = await TestService.start({ RATE_LIMIT_FAILED_AUTH_PER_SECOND: '1' });
  const tenant = await service.tenant();
  const { id, secret } = clientOf(tenant);
  const wrong = basic({ id, secret: `${secret.slice(0, -64)}${'0'.repeat(64)}` });
  const fail = () => ask(service, tenant, 'introspect', { token: 'x' }, wrong);
  expect([(await fail()).status, (await fail()).status]).toEqual([401, 401]);
  const put = await fail();
  expect(put).toMatchObject({
    status: 429,
    body: { error: 'temporarily_unavailable', code: 'rate_limited' },
  });
  expect((await ask(service, tenant, 'introspect', { token: 'x' })).status).toBe(200);
  await service.stop();
});
