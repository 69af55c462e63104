/** Every route with every kind of credential, of the tenant and of others; a route that is not listed here fails. */
import { afterAll, beforeAll, describe, expect, test } from '@jest/globals';
import { SCOPES, type Scope } from '../../src/http/access.js';
import { createHash } from 'node:crypto';
import {
  ADMIN_API_KEY,
  STORES,
  TestService,
  type HttpAnswer,
  type TestTenant,
  type Tokens,
} from '../support/test-service.js';
import { RedisServer } from '../support/redis-server.js';
import { routesOf } from '../e2e/routes.js';
import { partsOf } from '../e2e/token-parts.js';
import { useService } from '../e2e/use-service.js';

/** What a request is about: either real or made up. */
interface Subject {
  readonly tenantId: string;
  readonly keyId: string;
  readonly kid: string;
  readonly session: Tokens;
}

interface Expectation {
  /** The body that a good caller sends, and the query. */
  readonly body?: (subject: Subject) => unknown;
  readonly query?: (subject: Subject) => string;
  readonly headers?: (subject: Subject) => Record<string, string>;
  /** In place of a body, for routes that speak OAuth. */
  readonly form?: (subject: Subject) => Record<string, string>;
  /** The answer to a caller who may. */
  readonly done: number;
  /** The answer to another tenant's key that has every scope. */
  readonly foreign: readonly [status: number, error: string | undefined];
}

const ABSENT: Subject = {
  tenantId: 'absent',
  keyId: '0123456789abcdef',
  kid: '00000000-0000-4000-8000-000000000000',
  session: {
    session_id: 'A'.repeat(26),
    access_token: 'a.b.c',
    refresh_token: 'a.b.c',
    token_type: 'Bearer',
    expires_in: 1,
    refresh_expires_in: 1,
  },
};

/** Of the user, behind a gateway. */
const bearer = ({ session }: Subject) => ({ authorization: `Bearer ${session.access_token}` });

const FORM = { 'content-type': 'application/x-www-form-urlencoded' };

const OPEN: Expectation = { done: 200, foreign: [200, undefined] };
const PLATFORM_ONLY = [403, 'insufficient_scope'] as const;
const OTHER_TENANT = [404, 'tenant_not_found'] as const;
const NO_TOKEN = [401, 'invalid_token'] as const;
const NO_CLIENT = [401, 'invalid_client'] as const;
const NO_SESSION = [404, 'session_not_found'] as const;

/** A route that is not here fails the first test below. */
const EXPECTED: Readonly<Record<string, Expectation>> = {
  'GET /health': OPEN,
  'GET /health/live': OPEN,
  'GET /health/ready': OPEN,
  'GET /health/startup': OPEN,
  'GET /metrics': OPEN,
  // Neither Redis nor a SQLite in memory is a file to be copied.
  'GET /backup': { done: 400, foreign: PLATFORM_ONLY },
  'POST /master-keys/reseal': { done: 200, foreign: PLATFORM_ONLY },
  'GET /tenants/:id/jwks': OPEN,
  'GET /tenants/:id/.well-known/jwks.json': OPEN,
  'GET /.well-known/oauth-authorization-server/tenants/:id': OPEN,
  'GET /tenants/:id/.well-known/oauth-authorization-server': OPEN,
  'GET /tenants/:id/.well-known/openid-configuration': OPEN,
  'POST /tenants/:id/oauth/token': {
    form: ({ session }) => ({ grant_type: 'refresh_token', refresh_token: session.refresh_token }),
    done: 200,
    foreign: NO_CLIENT,
  },
  'POST /tenants/:id/oauth/introspect': {
    form: ({ session }) => ({ token: session.access_token }),
    done: 200,
    foreign: NO_CLIENT,
  },
  'POST /tenants/:id/oauth/revoke': {
    form: ({ session }) => ({ token: session.access_token }),
    done: 200,
    foreign: NO_CLIENT,
  },
  'POST /tenants': {
    body: ({ tenantId }) => ({ tenant_id: `${tenantId}-new` }),
    done: 201,
    foreign: PLATFORM_ONLY,
  },
  'GET /tenants': { done: 200, foreign: PLATFORM_ONLY },
  'GET /tenants/:id': { done: 200, foreign: PLATFORM_ONLY },
  'PATCH /tenants/:id': { body: () => ({ name: 'x' }), done: 200, foreign: PLATFORM_ONLY },
  'DELETE /tenants/:id': { done: 204, foreign: PLATFORM_ONLY },
  'POST /tenants/:id/api-keys': {
    body: () => ({ name: 'x', scopes: ['api_keys:manage'] }),
    done: 201,
    foreign: OTHER_TENANT,
  },
  'GET /tenants/:id/api-keys': { done: 200, foreign: OTHER_TENANT },
  'DELETE /tenants/:id/api-keys/:key_id': { done: 204, foreign: OTHER_TENANT },
  'GET /tenants/:id/revocations': { done: 200, foreign: OTHER_TENANT },
  'GET /tenants/:id/keys': { done: 200, foreign: OTHER_TENANT },
  'POST /tenants/:id/keys/rotate': { done: 200, foreign: OTHER_TENANT },
  'DELETE /tenants/:id/keys/:kid': { done: 204, foreign: OTHER_TENANT },
  'POST /tenants/:id/revoke-all': { body: () => ({ reason: 'admin' }), done: 200, foreign: OTHER_TENANT },
  'POST /tenants/:id/revoke-matching': {
    body: () => ({ user_prefix: 'al', reason: 'admin' }),
    done: 200,
    foreign: OTHER_TENANT,
  },
  'GET /tenants/:id/audit': { done: 200, foreign: OTHER_TENANT },
  'GET /tenants/:id/audit/verification': { done: 200, foreign: OTHER_TENANT },
  'POST /sessions': {
    body: ({ tenantId }) => ({ tenant_id: tenantId, user_id: 'alice', scope: '' }),
    done: 201,
    foreign: OTHER_TENANT,
  },
  'POST /sessions/validate': {
    body: ({ session }) => ({ access_token: session.access_token }),
    done: 200,
    foreign: NO_TOKEN,
  },
  'GET /sessions/verify': { headers: bearer, done: 204, foreign: NO_TOKEN },
  'ALL /sessions/verify/*': { headers: bearer, done: 204, foreign: NO_TOKEN },
  'POST /sessions/refresh': {
    body: ({ session }) => ({ refresh_token: session.refresh_token }),
    done: 200,
    foreign: NO_TOKEN,
  },
  'POST /sessions/revoke': {
    body: ({ session }) => ({ token: session.access_token, reason: 'admin' }),
    done: 204,
    foreign: NO_TOKEN,
  },
  'POST /sessions/revoke-batch': {
    body: ({ session }) => ({
      tokens: [session.access_token, session.refresh_token],
      session_ids: [session.session_id],
      reason: 'admin',
    }),
    done: 200,
    foreign: [200, undefined],
  },
  'POST /sessions/revoke-all': {
    body: ({ tenantId }) => ({ tenant_id: tenantId, user_id: 'alice', reason: 'admin' }),
    done: 200,
    foreign: OTHER_TENANT,
  },
  'GET /sessions': {
    query: ({ tenantId }) => `?tenant_id=${tenantId}&user_id=alice`,
    done: 200,
    foreign: OTHER_TENANT,
  },
  'GET /sessions/:session_id/history': { done: 200, foreign: NO_SESSION },
  'GET /sessions/:session_id': { done: 200, foreign: NO_SESSION },
  'DELETE /sessions/:session_id': { done: 204, foreign: NO_SESSION },
};

const NAMES = Object.keys(EXPECTED);

/** How a caller is refused whom nobody knows, and one who may not do it. */
const IN_THE_TABLE = {
  refused: {
    error: 'unauthorized',
    error_description: 'Send a valid API key in the X-API-Key header.',
  },
  forbidden: [403, 'insufficient_scope'],
};
const IN_OAUTH = {
  refused: {
    error: 'invalid_client',
    error_description:
      "Client authentication failed: client_id is an API key's id, client_secret the whole API key.",
    code: 'unauthorized',
  },
  forbidden: [400, 'unauthorized_client'],
};

describe('access policies', () => {
  test('are declared on every route, and every route is tested here', async () => {
    const service = await TestService.start();
    try {
      const routes = routesOf(service.app);
      expect(routes.map(({ name }) => name).toSorted()).toEqual(NAMES.toSorted());
      expect(routes.filter(({ policy }) => policy === undefined)).toEqual([]);
    } finally {
      await service.stop();
    }
  });
});

describe.each(STORES)('access over HTTP on $name', ({ prepare }) => {
  const service = useService(prepare);
  let bravo: TestTenant;
  let refusable: Record<string, string>;
  /** What everybody tries to reach and nobody may touch. */
  let victim: { readonly subject: Subject; readonly tenant: TestTenant };

  const expectUntouched = async () => {
    const { tenant, subject } = victim;
    const { session, keyId } = subject;
    expect((await service().validate(tenant, session.access_token, 'store')).status).toBe(200);
    const keys = await service().call<{ keys: { state: string }[]; epoch: number }>(
      'GET',
      `/tenants/${tenant.tenantId}/keys`,
      { apiKey: tenant.apiKey },
    );
    expect([keys.body.epoch, keys.body.keys.map(({ state }) => state)]).toEqual([1, ['active']]);
    const apiKeys = await service().call<{ api_keys: { key_id: string }[] }>(
      'GET',
      `/tenants/${tenant.tenantId}/api-keys`,
      { apiKey: tenant.apiKey },
    );
    expect(apiKeys.body.api_keys.map(({ key_id: id }) => id)).toContain(keyId);
    const list = await service().call<{ sessions: object[] }>(
      'GET',
      `/sessions?tenant_id=${tenant.tenantId}&user_id=alice`,
      { apiKey: tenant.apiKey },
    );
    expect(list.body.sessions).toHaveLength(1);
  };

  const keyOf = async (tenant: TestTenant, scopes: readonly Scope[], more: Record<string, unknown> = {}) => {
    const path = `/tenants/${tenant.tenantId}/api-keys`;
    const { body } = await service().asPlatform('POST', path, { name: 'x', scopes, ...more });
    return { apiKey: String(body['api_key']), keyId: String(body['key_id']) };
  };

  const send = (name: string, subject: Subject, apiKey?: string): Promise<HttpAnswer> => {
    const [method = '', pattern = ''] = name.split(' ');
    const path = pattern
      .replace(':id', subject.tenantId)
      .replace(':key_id', subject.keyId)
      .replace(':kid', subject.kid)
      .replace(':session_id', subject.session.session_id);
    const { body, query, headers, form } = EXPECTED[name] ?? {};
    return service().call(method === 'ALL' ? 'PUT' : method, path + (query?.(subject) ?? ''), {
      ...(headers ? { headers: headers(subject) } : {}),
      ...(form ? { body: new URLSearchParams(form(subject)).toString(), headers: FORM } : {}),
      ...(apiKey === undefined ? {} : { apiKey }),
      ...(body ? { body: body(subject) } : {}),
    });
  };

  /** A tenant with a session and a spare API key, for one route to work upon. */
  const newSubject = async (): Promise<{ subject: Subject; tenant: TestTenant }> => {
    const tenant = await service().tenant();
    const session = await service().createSession(tenant);
    const { keyId } = await keyOf(tenant, ['audit:read']);
    const { body } = await service().asPlatform<{ keys: { kid: string }[] }>(
      'GET',
      `/tenants/${tenant.tenantId}/keys`,
    );
    const kid = body.keys[0]?.kid ?? '';
    return { tenant, subject: { tenantId: tenant.tenantId, keyId, kid, session } };
  };

  const policyOf = (name: string) => {
    const policy = routesOf(service().app).find((route) => route.name === name)?.policy;
    if (!policy) throw new Error(`${name} has no policy`);
    return policy;
  };

  beforeAll(async () => {
    const acme = await service().tenant();
    bravo = await service().tenant();
    const revoked = await keyOf(acme, SCOPES);
    await service().asPlatform('DELETE', `/tenants/${acme.tenantId}/api-keys/${revoked.keyId}`);
    const expired = await keyOf(acme, SCOPES, { expires_in: 1 });
    service().clock.advanceSeconds(1);
    const gone = await service().tenant();
    await service().asPlatform('DELETE', `/tenants/${gone.tenantId}`);
    const [, , keyId = '', secret = ''] = acme.apiKey.split('_');
    victim = await newSubject();
    refusable = {
      empty: '',
      blank: ' ',
      'made up': 'nonsense',
      'cut short': acme.apiKey.slice(0, -1),
      'too long': `${acme.apiKey}0`,
      'in capitals': acme.apiKey.toUpperCase(),
      'of an unknown id': `sk_${acme.tenantId}_${'0'.repeat(16)}_${'0'.repeat(64)}`,
      'of an unknown tenant': `sk_absent_${'0'.repeat(16)}_${'0'.repeat(64)}`,
      'with a wrong secret': acme.apiKey.replace(/[0-9a-f]{64}$/, '0'.repeat(64)),
      'sent twice': `${acme.apiKey}, ${acme.apiKey}`,
      'almost the platform key': `${ADMIN_API_KEY}x`,
      'with a scheme': `Bearer ${acme.apiKey}`,
      'of another tenant by name': `sk_${bravo.tenantId}_${keyId}_${secret}`,
      'with the secret of another tenant': `${acme.apiKey.slice(0, -64)}${bravo.apiKey.slice(-64)}`,
      'with a glob for a tenant': `sk_*_${keyId}_${secret}`,
      'with a glob for an id': `sk_${acme.tenantId}_${'*'.repeat(16)}_${secret}`,
      'with braces': `sk_{${acme.tenantId}}_${keyId}_${secret}`,
      'with a hash for a secret': `${acme.apiKey.slice(0, -64)}${createHash('sha256').update(secret).digest('hex')}`,
      'in letters beyond ASCII': `sk_acm\u00e9_${keyId}_${secret}`,
      'of 8 KB': 'x'.repeat(8192),
      'an access token': victim.subject.session.access_token,
      'a refresh token': victim.subject.session.refresh_token,
      'of a tenant that was deleted': gone.apiKey,
      revoked: revoked.apiKey,
      expired: expired.apiKey,
    };
  });

  describe.each(NAMES)('%s', (name) => {
    const { done, foreign } = EXPECTED[name] ?? OPEN;
    const isOpen = foreign[0] === 200 && name.startsWith('GET');
    const { refused, forbidden } = EXPECTED[name]?.form ? IN_OAUTH : IN_THE_TABLE;

    test('treats every credential that is not good alike', async () => {
      const { subject } = victim;
      const none = await send(name, subject);
      expect(none.status).toBe(isOpen ? 200 : 401);
      for (const [kind, apiKey] of Object.entries(refusable)) {
        const { status, body } = await send(name, subject, apiKey);
        expect({ kind, status }).toEqual({ kind, status: none.status });
        if (!isOpen) {
          expect({ ...body, request_id: '' }).toEqual({
            ...refused,
            action: 'fix_request',
            request_id: '',
          });
        }
      }
    });

    test('keeps the key of another tenant out', async () => {
      const { subject } = victim;
      const { status, body } = await send(name, subject, bravo.apiKey);
      expect([status, isOpen ? undefined : body['error']]).toEqual(foreign);
      await expectUntouched();
    });

    test('tells another tenant nothing that it would not tell of what does not exist', async () => {
      if (isOpen) return; // what is public is public
      const { subject } = victim;
      const answers = [await send(name, subject, bravo.apiKey), await send(name, ABSENT, bravo.apiKey)].map(
        ({ status, headers, body }) => ({
          status,
          headers: [...headers.keys()].toSorted(),
          body: JSON.stringify(body, (member, value: unknown) =>
            ['request_id', 'session_id'].includes(member) ? '' : value,
          ),
        }),
      );
      expect(answers[0]).toEqual(answers[1]);
    });

    test('refuses a key of the tenant that lacks the scope', async () => {
      const policy = policyOf(name);
      const { subject, tenant } = victim;
      const scopes = 'scope' in policy ? SCOPES.filter((scope) => scope !== policy.scope) : SCOPES;
      const { apiKey } = await keyOf(tenant, scopes);
      const { status, body } = await send(name, subject, apiKey);
      expect([status, isOpen ? undefined : body['error']]).toEqual(isOpen ? [200, undefined] : forbidden);
      await expectUntouched();
    });

    test('lets a key of the tenant with the scope alone do it, unless it is for the platform', async () => {
      const policy = policyOf(name);
      const { subject, tenant } = await newSubject();
      const { apiKey } = await keyOf(tenant, 'scope' in policy ? [policy.scope] : SCOPES);
      const { status } = await send(name, subject, apiKey);
      expect(status).toBe(policy.who === 'platform' ? 403 : done);
    });

    test('lets the platform do what is for the platform and nothing else', async () => {
      const policy = policyOf(name);
      const { subject } = await newSubject();
      const { status, body } = await send(name, subject, ADMIN_API_KEY);
      expect(status).toBe(policy.who === 'tenant' ? forbidden[0] : done);
      if (policy.who === 'tenant') expect(body['error']).toBe(forbidden[1]);
    });
  });

  test('nothing that was refused has done anything', async () => {
    await expectUntouched();
    const { tenant, subject } = victim;
    expect((await service().refresh(tenant, subject.session.refresh_token)).status).toBe(200);
  });

  test('HEAD is guarded like GET', async () => {
    const { subject } = victim;
    for (const name of NAMES.filter((candidate) => candidate.startsWith('GET'))) {
      const head = name.replace('GET', 'HEAD');
      const { status } = await send(head, subject);
      expect({ head, status }).toEqual({ head, status: (await send(name, subject)).status });
    }
  });

  test('another spelling of a path leads nowhere', async () => {
    const { subject, tenant } = victim;
    for (const path of [
      `/tenants/${subject.tenantId}/`,
      `//tenants/${subject.tenantId}`,
      `/TENANTS/${subject.tenantId}`,
      `/tenants/${subject.tenantId}/keys/`,
      `/tenants;x/${subject.tenantId}/keys`,
      `/health/../tenants/${bravo.tenantId}/keys`,
      `/tenants/${bravo.tenantId}%2fkeys`,
      `/tenants/${bravo.tenantId}/keys%2f`,
      `/tenants/${subject.tenantId}%2f..%2f${bravo.tenantId}/keys`,
      `/tenants/${subject.tenantId}/../${bravo.tenantId}/keys`,
      `/tenants/${subject.tenantId}/%2e%2e/${bravo.tenantId}/keys`,
      `/tenants/${bravo.tenantId}/keys?/health`,
      `/tenants/${bravo.tenantId}/keys?id=${subject.tenantId}`,
      `/tenants/${bravo.tenantId}/keys;id=${subject.tenantId}`,
      `/tenants/${bravo.tenantId}%00/keys`,
      `/tenants/${bravo.tenantId}%20/keys`,
      `/tenants/ ${bravo.tenantId}/keys`,
      `/tenants/${bravo.tenantId.toUpperCase()}/keys`,
      `/%74enants/${bravo.tenantId}/keys`,
      `/./tenants/${bravo.tenantId}/keys`,
      `/tenants//keys`,
      `/tenants/%/keys`,
    ]) {
      const { status } = await service().call('GET', path, { apiKey: tenant.apiKey });
      expect({ path, isRefused: [400, 403, 404].includes(status) }).toEqual({ path, isRefused: true });
    }
  });

  test('another spelling of a path that leads somewhere is guarded there', async () => {
    const { tenantId } = victim.subject;
    for (const path of [`/%74enants/${tenantId}/keys`, `/tenants/${tenantId}/%6beys`, '/%74enants']) {
      expect((await service().call('GET', path)).status).toBe(401);
      expect((await service().call('GET', path, { apiKey: bravo.apiKey })).status).not.toBe(200);
    }
  });

  test('headers that speak for a proxy or another method change nothing', async () => {
    const { subject, tenant } = victim;
    const path = `/sessions/${subject.session.session_id}`;
    for (const headers of [
      { 'x-http-method-override': 'DELETE' },
      { 'x-http-method': 'DELETE' },
      { 'x-method-override': 'DELETE' },
      { 'x-original-url': `/tenants/${bravo.tenantId}/keys` },
      { 'x-rewrite-url': `/tenants/${bravo.tenantId}/keys` },
      { 'x-forwarded-host': 'attacker.example', 'x-forwarded-proto': 'https' },
      { 'x-forwarded-prefix': '/x', forwarded: 'host=attacker.example' },
      { 'x-forwarded-for': '127.0.0.1', 'x-real-ip': '127.0.0.1', 'true-client-ip': '127.0.0.1' },
      { authorization: `Bearer ${ADMIN_API_KEY}`, cookie: `x-api-key=${ADMIN_API_KEY}` },
      { 'x-tenant-id': bravo.tenantId, 'x-user-id': 'admin' },
    ] as Record<string, string>[]) {
      const read = await service().call('GET', path, { apiKey: tenant.apiKey, headers });
      expect({ headers, status: read.status }).toEqual({ headers, status: 200 });
      expect(JSON.stringify(read.body)).not.toContain('attacker.example');
      expect((await service().call('GET', '/tenants', { headers })).status).toBe(401);
      const jwks = await service().call('GET', `/tenants/${tenant.tenantId}/jwks`, { headers });
      expect(JSON.stringify([...jwks.headers])).not.toContain('attacker.example');
    }
    const created = await service().call<Tokens>('POST', '/sessions', {
      apiKey: tenant.apiKey,
      body: { tenant_id: tenant.tenantId, user_id: 'bob', scope: '' },
      headers: { 'x-forwarded-host': 'attacker.example', 'x-forwarded-proto': 'https' },
    });
    expect(partsOf(created.body.access_token).claims['iss']).toBe(
      `http://localhost:3000/tenants/${tenant.tenantId}`,
    );
  });

  test('a query cannot take the place of the header or the body', async () => {
    const { subject, tenant } = victim;
    const { access_token: token } = subject.session;
    for (const path of [
      `/tenants?x-api-key=${ADMIN_API_KEY}`,
      `/tenants?api_key=${ADMIN_API_KEY}`,
      `/sessions?tenant_id=${tenant.tenantId}&user_id=alice&access_token=${token}`,
    ]) {
      expect((await service().call('GET', path)).status).toBe(401);
    }
    const { apiKey } = tenant;
    const answer = await service().call('POST', `/sessions/validate?access_token=${token}`, { apiKey });
    expect(answer.status).toBe(400);
  });

  test('refused credentials take about the same time, whatever is wrong with them', async () => {
    const { subject } = victim;
    const kinds = Object.entries(refusable).filter(([kind]) =>
      [
        'made up',
        'of an unknown id',
        'of an unknown tenant',
        'with a wrong secret',
        'of another tenant by name',
        'revoked',
        'expired',
      ].includes(kind),
    );
    expect(kinds).toHaveLength(7);
    const times = new Map<string, number[]>(kinds.map(([kind]) => [kind, []]));
    for (let round = 0; round < 60; round++) {
      for (const [kind, apiKey] of kinds) {
        const startMs = performance.now();
        await send('GET /sessions/:session_id', subject, apiKey);
        times.get(kind)?.push(performance.now() - startMs);
      }
    }
    // A path that waits for something the others do not waits every time; a busy machine spares some of sixty.
    const fastest = [...times.values()].map((all) => Math.min(...all));
    expect(Math.max(...fastest)).toBeLessThan(3 * Math.min(...fastest) + 3);
  });

  test('a method that a path does not have is not found', async () => {
    for (const [method, path] of [
      ['PUT', '/sessions'],
      ['PATCH', '/sessions'],
      ['DELETE', '/tenants'],
      ['GET', '/sessions/validate/x'],
      ['POST', '/health'],
    ] as const) {
      const answer = await service().call(method, path, { apiKey: ADMIN_API_KEY });
      expect(answer).toMatchObject({ status: 404, body: { error: 'not_found' } });
    }
  });
});

describe('a refused API key', () => {
  let redis: RedisServer;
  let service: TestService;

  beforeAll(async () => {
    redis = await RedisServer.start();
    service = await TestService.start({ STORE_URL: redis.url });
  });

  afterAll(async () => {
    await service.stop();
    await redis.stop();
  });

  test('takes one look into the store, whatever is wrong with it', async () => {
    const client = redis.client();
    const looks = async () => {
      const [, calls = '0'] = /cmdstat_hget:calls=(\d+)/.exec(await client.info('commandstats')) ?? [];
      return Number(calls);
    };
    const acme = await service.tenant();
    const bravo = await service.tenant();
    const path = `/tenants/${acme.tenantId}/api-keys`;
    const issue = async (more: object) =>
      (await service.asPlatform('POST', path, { name: 'x', scopes: ['sessions:read'], ...more })).body;
    const expired = await issue({ expires_in: 1 });
    const revoked = await issue({});
    const [, , keyId = '', secret = ''] = acme.apiKey.split('_');
    const keys = {
      unknown: `sk_${acme.tenantId}_${'0'.repeat(16)}_${secret}`,
      'of no tenant': `sk_absent_${keyId}_${secret}`,
      'of another tenant': `sk_${bravo.tenantId}_${keyId}_${secret}`,
      'with a wrong secret': acme.apiKey.slice(0, -64) + '0'.repeat(64),
      expired: String(expired['api_key']),
      revoked: String(revoked['api_key']),
      malformed: 'nonsense',
      empty: '',
    };
    // Whatever is in memory of them is there before anything is counted.
    for (const apiKey of [acme.apiKey, keys.expired, keys.revoked]) {
      await service.call('GET', '/sessions/x', { apiKey });
    }
    await service.asPlatform('DELETE', `${path}/${String(revoked['key_id'])}`);
    service.clock.advanceSeconds(1);
    const counted: Record<string, number> = {};
    for (const [kind, apiKey] of Object.entries(keys)) {
      const before = await looks();
      expect((await service.call('GET', '/sessions/x', { apiKey })).status).toBe(401);
      counted[kind] = (await looks()) - before;
    }
    client.disconnect();
    expect(counted).toEqual(Object.fromEntries(Object.keys(keys).map((kind) => [kind, 1])));
  });
});
