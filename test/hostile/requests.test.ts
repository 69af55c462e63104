/** Bodies, queries and addresses that are not as they should be, on both stores. Bytes below HTTP: wire.test.ts. */
import { beforeAll, describe, expect, test } from '@jest/globals';
import { ADMIN_API_KEY, STORES, type TestTenant } from '../support/test-service.js';
import { rawRequest } from '../e2e/raw-http.js';
import { routesOf } from '../e2e/routes.js';
import { useService } from '../e2e/use-service.js';
import { expectClientError, expectInvalid } from './error-answer.js';
import { BODY_ROUTES, FORM_ROUTES, type BodyRoute, type Target } from './route-bodies.js';

const UUID = /^[0-9a-f]{8}-[0-9a-f]{4}-4[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}$/;

const expectRefused = (answer: { status: number; body: unknown }, status: number, error: string) => {
  expect(answer).toMatchObject({ status, body: { error } });
  expect(answer.body).toEqual({
    error,
    error_description: expect.stringMatching(/^\S.*\.$/s),
    action: 'fix_request',
    request_id: expect.any(String),
  });
};

/** Members that are somebody else's business, or that libraries act upon. */
/** Not spelled out where the linter would take the object for a promise. */
const THEN: string = ['th', 'en'].join('');
const ASSIGNED: Record<string, unknown> = {
  admin: true,
  is_admin: true,
  role: 'platform',
  session_id: 'A'.repeat(26),
  jti: 'x',
  sid: 'x',
  sub: 'bob',
  exp: 4_102_444_800,
  epoch: 0,
  version: 0,
  created_at: 0,
  key_id: '0'.repeat(16),
  secret_hash: '0'.repeat(64),
  secretHash: '0'.repeat(64),
  userId: 'bob',
  TENANT_ID: 'bravo',
  overrides: {},
  prototype: {},
  toString: 'x',
  valueOf: 'x',
  hasOwnProperty: 'x',
  [THEN]: 'x',
  toJSON: 'x',
  length: -1,
  '': 1,
  ' ': 1,
  $where: '1',
  'a.b': 1,
  'a[b]': 1,
  '\u0000': 1,
};

/** Raw JSON of texts that people, logs or other readers would take for something else. */
const HOSTILE_TEXTS = [
  '"\\u0000"',
  '"a\\u0000b"',
  '"a\\r\\nSet-Cookie: x"',
  '"a\\nb"',
  '"\\u202eadmin"',
  '"a\\u200bb"',
  '"\\ufeffa"',
  '"a\\u2028b"',
  '"\\ud800"',
  '"\\udfff\\ud800"',
  '"\\u001b[31m"',
  '"\\u007f"',
  '"\\ue000"',
  '"\\udb40\\udc41"',
];

/** Raw JSON of what is no text, number, or list of ours. */
const NO_VALUES = [
  '{}',
  '{"$ne":null}',
  '[[]]',
  '[{}]',
  '1e400',
  '-1',
  '1e308',
  '0.5',
  '"' + 'x'.repeat(20_000) + '"',
];

describe.each(STORES)('requests that are not as they should be on $name', ({ prepare }) => {
  const service = useService(prepare);
  let acme: TestTenant;
  let target: Target;

  beforeAll(async () => {
    acme = await service().tenant();
    target = { acme, session: await service().createSession(acme, { user_id: 'target' }) };
  });

  const sendTo = (route: BodyRoute, body: unknown, headers: Record<string, string> = {}) =>
    service().call(route.method, route.path(target), { apiKey: route.apiKey(target), body, headers });

  test('are made for every route that takes a body', () => {
    const withBody = routesOf(service().app).filter(({ name }) => /^(POST|PUT|PATCH) /.test(name));
    expect([...BODY_ROUTES.map(({ name }) => name), ...Object.keys(FORM_ROUTES)].toSorted()).toEqual(
      withBody.map(({ name }) => name).toSorted(),
    );
  });

  describe.each(BODY_ROUTES.map((route) => [route.name, route] as const))('%s', (_, route) => {
    const good = () => route.body?.(target) ?? {};
    const text = () => JSON.stringify(good());

    test('refuses what is not JSON, not UTF-8, not an object, too deep or too much', async () => {
      const bodies: (string | Buffer)[] = [
        '{',
        '{"a":1,}',
        "{'a':1}",
        `${text()}x`,
        `${text()}${text()}`,
        '{"a":1,"a":1}',
        '{"a":1,"\\u0061":1}',
        '{"__proto__":{"admin":true}}',
        '{"constructor":{"prototype":{"admin":true}}}',
        '{"a":{"b":[{"__proto__":1}]}}',
        '{"a":"\\ud800"}',
        '{"a":NaN}',
        '['.repeat(10_000),
        `{"a":${'['.repeat(17)}${']'.repeat(17)}}`,
        '{"a":'.repeat(10_000),
        JSON.stringify(Object.fromEntries(Array.from({ length: 1001 }, (__, at) => [String(at), at]))),
        Buffer.from([0x7b, 0x22, 0xff, 0x22, 0x3a, 0x31, 0x7d]),
        Buffer.from([0xff, 0xfe, 0x7b, 0, 0x7d, 0]),
        Buffer.from(text(), 'utf16le'),
        Buffer.from(`\ufeff${text()}`),
      ];
      for (const body of bodies) expectInvalid(await sendTo(route, body), body);
      for (const body of ['[]', `[${text()}]`, 'null', 'true', '7', '"x"', JSON.stringify(text())]) {
        expectInvalid(await sendTo(route, body), body);
      }
    });

    test('refuses other content types, whatever is in them', async () => {
      for (const type of [
        'text/plain',
        'text/json',
        'application/x-www-form-urlencoded',
        'multipart/form-data; boundary=x',
        'application/xml',
        'application/jsonp',
        'application/ld+json',
        'application/json-patch+json',
        'application/json, text/plain',
        'application/json\tx',
        'application/jsonx',
        'nonsense',
      ]) {
        const answer = await sendTo(route, text(), { 'content-type': type });
        expect({ type, ...answer }).toMatchObject({
          type,
          status: 415,
          body: { error: 'unsupported_media_type', action: 'fix_request' },
        });
      }
    });

    test('refuses members that it does not know', async () => {
      if (!route.body) return;
      for (const [member, value] of Object.entries(ASSIGNED)) {
        const body = `{${JSON.stringify(member)}:${JSON.stringify(value)},${text().slice(1)}`;
        expectInvalid(await sendTo(route, body), body);
      }
    });

    test('refuses texts and values that no member can have', async () => {
      for (const [member, value] of Object.entries(good())) {
        if (member === 'metadata') continue; // may hold any text; has cases of its own
        for (const raw of [...HOSTILE_TEXTS, ...NO_VALUES]) {
          for (const hostile of Array.isArray(value) ? [raw, `[${raw}]`] : [raw]) {
            const body = JSON.stringify({ ...good(), [member]: 'RAW' }).replace('"RAW"', () => hostile);
            const answer = await sendTo(route, body);
            // In a list of tokens or ids each has its own result.
            if (route.name.endsWith('revoke-batch') && answer.status === 200) {
              expect({ body, results: answer.body['results'] }).toMatchObject({
                results: expect.arrayContaining([
                  expect.objectContaining({ status: expect.stringMatching(/^(refused|not_found)$/) }),
                ]),
              });
            } else {
              expectClientError(answer, body.slice(0, 500));
            }
          }
        }
      }
    });
  });

  const create = (body: unknown, headers: Record<string, string> = {}) =>
    service().call('POST', '/sessions', { apiKey: acme.apiKey, body, headers });

  const good = (more: Record<string, unknown> = {}) => ({
    tenant_id: acme.tenantId,
    user_id: 'alice',
    scope: 'read',
    ...more,
  });

  const withMember = (member: string) => `{${member},${JSON.stringify(good()).slice(1)}`;

  const padded = (bytes: number) => {
    const body = JSON.stringify(good());
    return body + ' '.repeat(bytes - body.length);
  };

  const idOf = async (given?: string) => {
    const headers: Record<string, string> = given === undefined ? {} : { 'x-request-id': given };
    const { headers: answered, body } = await service().call('GET', '/nowhere', { headers });
    expect(answered.get('x-request-id')).toBe(body['request_id']);
    return String(body['request_id']);
  };

  describe('the JSON', () => {
    test('is taken with white space around it', async () => {
      expect((await create(` \r\n\t${JSON.stringify(good())}\n`)).status).toBe(201);
    });

    test('may have members escaped', async () => {
      const escaped = JSON.stringify(good()).replace('user_id', '\\u0075ser_id');
      expect((await create(escaped)).status).toBe(201);
    });

    test.each([
      ['an unknown member', '"admin":true'],
      ['an unknown member that is null', '"admin":null'],
      ['a member in another case', '"User_Id":"bob"'],
      ['a member named twice', '"user_id":"bob"'],
      ['a member named twice with the same value', '"user_id":"alice"'],
      ['a member named twice, once escaped', '"us\\u0065r_id":"bob"'],
      ['a member named twice inside of another', '"metadata":{"a":1,"a":2}'],
      ['a member named twice inside of another, once escaped', '"metadata":{"a":1,"\\u0061":2}'],
      ['__proto__', '"__proto__":{"user_id":"bob"}'],
      ['__proto__ escaped', '"\\u005f_proto__":{}'],
      ['__proto__ inside of another', '"metadata":{"__proto__":{"admin":true}}'],
      ['constructor', '"constructor":{"prototype":{}}'],
      ['constructor inside of another', '"metadata":{"constructor":"x"}'],
      ['NUL in a member', '"metadata":{"a":"\u0000"}'],
      ['a raw line break in text', '"metadata":{"a":"\n"}'],
      ['an object that is too deep', `"metadata":${'{"a":'.repeat(20)}1${'}'.repeat(20)}`],
      ['an array that is too deep', `"metadata":${'['.repeat(20_000)}${']'.repeat(20_000)}`],
      ['a comment', '"metadata":{} /* x */'],
      ['NaN', '"metadata":{"a":NaN}'],
      ['a hexadecimal number', '"metadata":{"a":0x10}'],
      ['a lone high surrogate', '"metadata":{"a":"\\ud83d"}'],
      ['a lone low surrogate in a name', '"metadata":{"\\ude00":1}'],
    ])('with %s is refused', async (_, member) => {
      expectRefused(await create(withMember(member)), 400, 'invalid_request');
    });

    test.each([
      ['a lone surrogate', '"\\ud800"'],
      ['a surrogate pair the wrong way round', '"\\ude00\\ud83d"'],
      ['NUL', '"a\\u0000b"'],
      ['an overlong line', '"a\\u2028b"'],
    ])('with %s as the user is refused', async (_, userId) => {
      const body = `{"tenant_id":"${acme.tenantId}","user_id":${userId},"scope":""}`;
      expectRefused(await create(body), 400, 'invalid_request');
    });

    test.each([
      '{',
      '}',
      '"',
      '"text"',
      '[]',
      '[{}]',
      'null',
      'true',
      '7',
      '{}',
      '{"tenant_id"}',
      '{"tenant_id":}',
      "{'tenant_id':'acme'}",
      '{"a":1,}',
      '{}{}',
      '{"a":"\\"}',
      '{"a":"\\x"}',
      '\\',
      ' ',
      '\u0000',
      '[[[[',
      '['.repeat(30_000),
      '{"":{"":{"":{"":',
    ])('%j is refused', async (body) => {
      expectRefused(await create(body), 400, 'invalid_request');
    });

    test.each([
      ['a lone continuation byte', [0x80]],
      ['an overlong slash', [0xc0, 0xaf]],
      ['an encoded surrogate', [0xed, 0xa0, 0x80]],
      ['a sequence cut short', [0xe2, 0x82]],
      ['a code point beyond the last', [0xf4, 0x90, 0x80, 0x80]],
      ['0xFF', [0xff]],
    ])('with %s is refused: it is not UTF-8', async (_, bytes) => {
      const [before = '', after = ''] = JSON.stringify(good({ user_id: 'al#ice' })).split('#');
      const body = Buffer.concat([Buffer.from(before), Buffer.from(bytes), Buffer.from(after)]);
      expectRefused(await create(body), 400, 'invalid_request');
    });

    test('in UTF-16 or behind a byte order mark is refused', async () => {
      const text = JSON.stringify(good());
      expectRefused(await create(Buffer.from(text, 'utf16le')), 400, 'invalid_request');
      expectRefused(
        await create(Buffer.concat([Buffer.from('\ufeff'), Buffer.from(text)])),
        400,
        'invalid_request',
      );
    });

    test('of wrong types is refused, for every member', async () => {
      for (const member of ['tenant_id', 'user_id', 'scope', 'metadata']) {
        for (const value of [7, true, [], ['x'], [[]], { toString: {} }, 1e300]) {
          const answer = await create(good({ [member]: value }));
          expect({ member, value, status: answer.status }).toEqual({ member, value, status: 400 });
        }
      }
    });

    test('without a member that is needed is refused', async () => {
      for (const member of ['tenant_id', 'user_id', 'scope']) {
        expectRefused(await create(good({ [member]: undefined })), 400, 'invalid_request');
        expectRefused(await create(good({ [member]: null })), 400, 'invalid_request');
      }
    });

    test('is never quoted back', async () => {
      const secret = 'do-not-repeat-me';
      for (const body of [
        good({ [secret]: 1 }),
        good({ scope: `${secret}\n` }),
        `{"${secret}":`,
        `{"a":"${secret}","a":1}`,
      ]) {
        const answer = await create(body);
        expect(answer.status).toBe(400);
        expect(JSON.stringify(answer.body)).not.toContain(secret);
      }
    });
  });

  describe('an empty body', () => {
    test.each([
      'POST /sessions',
      'POST /sessions/validate',
      'POST /sessions/refresh',
      'POST /sessions/revoke',
      'POST /sessions/revoke-batch',
      'POST /sessions/revoke-all',
      'POST /tenants/:id/revoke-all',
      'POST /tenants/:id/api-keys',
    ])('is refused by %s, with and without a content type', async (name) => {
      const [method = '', path = ''] = name.replace(':id', acme.tenantId).split(' ');
      const { apiKey } = acme;
      expectRefused(await service().call(method, path, { apiKey }), 400, 'invalid_request');
      expectRefused(await service().call(method, path, { apiKey, body: '' }), 400, 'invalid_request');
    });

    test('is refused where the platform creates a tenant', async () => {
      expectRefused(await service().asPlatform('POST', '/tenants'), 400, 'invalid_request');
    });
  });

  describe('the size', () => {
    test('may be the limit and no more', async () => {
      expect((await create(padded(65_536))).status).toBe(201);
      expectRefused(await create(padded(65_537)), 413, 'payload_too_large');
    });

    test('is limited when it is not told beforehand', async () => {
      const chunk = 'x'.repeat(0x8000);
      const chunked = `8000\r\n${chunk}\r\n`.repeat(3);
      const answer = await rawRequest(
        service().url,
        `POST /sessions HTTP/1.1\r\nHost: x\r\nX-API-Key: ${acme.apiKey}\r\nContent-Type: application/json\r\n` +
          `Transfer-Encoding: chunked\r\nConnection: close\r\n\r\n${chunked}0\r\n\r\n`,
      );
      expect(answer.status).toBe(413);
      expect(JSON.parse(answer.body)).toMatchObject({ error: 'payload_too_large' });
    });

    test('is not looked at for a caller who may not', async () => {
      const answer = await service().call('POST', '/sessions', { apiKey: 'nobody', body: padded(65_537) });
      expect([401, 413]).toContain(answer.status);
    });
  });

  describe('the content type', () => {
    test.each([
      'text/plain',
      'application/x-www-form-urlencoded',
      'multipart/form-data; boundary=x',
      'application/xml',
      'application/jsonp',
      'application/json-patch+json',
      'nonsense',
    ])('%s is refused', async (type) => {
      expectRefused(
        await create(JSON.stringify(good()), { 'content-type': type }),
        415,
        'unsupported_media_type',
      );
    });

    test('that is missing is refused', async () => {
      const body = JSON.stringify(good());
      const answer = await rawRequest(
        service().url,
        `POST /sessions HTTP/1.1\r\nHost: x\r\nX-API-Key: ${acme.apiKey}\r\n` +
          `Content-Length: ${body.length}\r\nConnection: close\r\n\r\n${body}`,
      );
      expect(answer.status).toBe(415);
      expect(JSON.parse(answer.body)).toMatchObject({ error: 'unsupported_media_type' });
    });

    test.each<Record<string, string>>([
      { 'content-type': 'application/json; charset=utf-16' },
      { 'content-type': 'application/json;charset="iso-8859-1"' },
      { 'content-type': 'application/json; a=b; charset = utf-7' },
      { 'content-encoding': 'gzip' },
      { 'content-encoding': 'identity, br' },
    ])('%p is not what the body is read as, and refused', async (headers) => {
      expectRefused(await create(JSON.stringify(good()), headers), 415, 'unsupported_media_type');
    });

    test.each(['application/json; charset=utf-8', 'application/json;charset="UTF-8"', 'Application/JSON'])(
      '%s is taken',
      async (type) => {
        expect((await create(JSON.stringify(good()), { 'content-type': type })).status).toBe(201);
      },
    );
  });

  describe('the address', () => {
    test.each([
      'GET /',
      'GET /nowhere',
      'POST /sessions/nowhere',
      'GET /tenants/acme/nowhere',
      'GET /.env',
      'GET /%2e%2e/%2e%2e/etc/passwd',
    ])('%s is not found, with or without a credential', async (name) => {
      const [method = '', path = ''] = name.split(' ');
      expectRefused(await service().call(method, path), 404, 'not_found');
      expectRefused(await service().call(method, path, { apiKey: acme.apiKey }), 404, 'not_found');
    });

    test.each(['/%', '/%zz', '/sessions/%', '/sessions/%e0%a4', '/tenants/%c0%af/keys', '/tenants/%ff'])(
      '%s is broken and answered in the shape of every error',
      async (path) => {
        const answer = await service().call('GET', path, { apiKey: acme.apiKey });
        expect([400, 404]).toContain(answer.status);
        expect(answer.body).toEqual({
          error: expect.stringMatching(/^(invalid_request|not_found|tenant_not_found|session_not_found)$/),
          error_description: expect.any(String),
          action: 'fix_request',
          request_id: answer.headers.get('x-request-id'),
        });
      },
    );

    test('that is very long is refused', async () => {
      const { status } = await service().call('GET', `/sessions/${'x'.repeat(12_000)}`, {
        apiKey: acme.apiKey,
      });
      expect([400, 404, 414]).toContain(status);
    });

    test('may have a query that makes no sense, which is never an error of the service', async () => {
      for (const query of [
        '?',
        '?&&&',
        '?=',
        '?%',
        '?__proto__=1',
        '?constructor=1',
        '?a[b]=c',
        '?tenant_id=%ff&user_id=%00',
      ]) {
        const { status } = await service().call('GET', `/sessions${query}`, { apiKey: acme.apiKey });
        expect({ query, status }).toEqual({ query, status: expect.any(Number) });
        expect(status).toBeGreaterThanOrEqual(400);
        expect(status).toBeLessThan(500);
      }
    });
  });

  describe('the request id', () => {
    test.each(['7', 'trace.id_of-the-caller', 'A'.repeat(128)])('%s is taken over', async (id) => {
      expect(await idOf(id)).toBe(id);
    });

    test.each(['', 'with space', 'A'.repeat(129), '<script>', 'a;b', 'é', '"}', 'a, b'])(
      '%j is replaced by a new one',
      async (id) => {
        expect(await idOf(id)).toMatch(UUID);
      },
    );

    test('is new for each request and on every answer', async () => {
      const ids = [await idOf(), await idOf()];
      expect(new Set(ids).size).toBe(2);
      for (const id of ids) expect(id).toMatch(UUID);
      expect((await create(good())).headers.get('x-request-id')).toMatch(UUID);
    });
  });

  describe('answers', () => {
    test('are never kept by a cache', async () => {
      const session = await service().createSession(acme);
      for (const { headers } of [
        await create(good()),
        await service().validate(acme, session.access_token),
        await service().refresh(acme, session.refresh_token),
        await service().asPlatform('GET', '/tenants'),
        await service().call('GET', '/health'),
        await service().call('GET', '/nowhere'),
        await create('{'),
      ]) {
        expect(headers.get('cache-control')).toMatch(/\bno-store\b/);
      }
    });

    test('say what they are and forbid guessing', async () => {
      const { headers } = await create(good());
      expect(headers.get('content-type')).toBe('application/json; charset=utf-8');
      expect(headers.get('x-content-type-options')).toBe('nosniff');
      expect(headers.get('x-powered-by')).toBeNull();
      expect(headers.get('server')).toBeNull();
    });
  });

  describe('queries', () => {
    test.each([
      '0',
      '-1',
      '201',
      '1e1',
      '0x10',
      '0b1',
      '+5',
      ' 5',
      '5 ',
      '',
      'NaN',
      'Infinity',
      '1.0',
      '99999999999999999999',
      '\u0661',
      '5\0',
      'true',
      '[5]',
      '1,2',
    ])('limit %j is refused', async (limit) => {
      const path = `/tenants?limit=${encodeURIComponent(limit)}`;
      expectInvalid(await service().call('GET', path, { apiKey: ADMIN_API_KEY }), path);
    });

    test.each([
      '',
      '*',
      '..',
      "'",
      'ACME',
      '-a',
      'a_b',
      'a\0',
      'a\n',
      '{a}',
      '\u202ea',
      'x'.repeat(64),
      'x'.repeat(8000),
      '\ud83d\ude00',
    ])('cursor %j is refused', async (cursor) => {
      const path = `/tenants?cursor=${encodeURIComponent(cursor)}`;
      expectInvalid(await service().call('GET', path, { apiKey: ADMIN_API_KEY }), path);
    });

    test.each([
      'limit=1&limit=2',
      'limit[]=1',
      'limit[$gt]=1',
      'limit%5B%5D=1',
      'offset=1',
      'page=-1',
      'cursor=a&cursor=b',
      '__proto__=1',
      '__proto__[admin]=1',
      'constructor=1',
      'constructor[prototype][admin]=1',
      'constructor.prototype.admin=1',
      'toString=1',
      'limit=%ff',
      'limit=%',
      'limit=%zz',
      'x=%c0%af',
      'x=%ed%a0%80',
      'x=1'.padEnd(8000, '&x=1'),
    ])('GET /tenants?%s is refused', async (query) => {
      expectInvalid(await service().call('GET', `/tenants?${query}`, { apiKey: ADMIN_API_KEY }), query);
      expect(({} as Record<string, unknown>)['admin']).toBeUndefined();
    });

    test.each([
      'user_id=a',
      'user_id=a&user_id=b',
      'user_id[]=a',
      'user_id=',
      'user_id=%00',
      'user_id=a%0d%0ab',
      'user_id=%ff',
      'user_id=%e0%a4',
      'user_id=%ed%a0%80',
      'user_id=%f4%90%80%80',
      'user_id=%u0061',
      'user_id=%',
      'user_id=%E2%80%AE',
      `user_id=${'x'.repeat(257)}`,
      'user_id=a&tenant_id=bravo',
      'user_id=a&admin=true',
    ])('GET /sessions?tenant_id=own&%s is refused', async (query) => {
      const own = query === 'user_id=a' ? '' : `tenant_id=${acme.tenantId}&`;
      const answer = await service().call('GET', `/sessions?${own}${query}`, { apiKey: acme.apiKey });
      expectInvalid(answer, query);
    });

    test('DELETE /sessions/:session_id takes reasons of the list and comments of one line', async () => {
      const session = await service().createSession(acme, { user_id: 'alive' });
      const path = `/sessions/${session.session_id}`;
      for (const query of [
        'reason=x',
        'reason=admin&reason=admin',
        'comment=a%0ab',
        'comment=%ff',
        'force=1',
      ]) {
        const answer = await service().call('DELETE', `${path}?${query}`, { apiKey: acme.apiKey });
        expectInvalid(answer, query);
      }
      expect((await service().call('GET', path, { apiKey: acme.apiKey })).status).toBe(200);
    });
  });

  describe('what a route does not read', () => {
    /** Every route that is not public, with a caller who may use it; but for those to which gateways pass things on. */
    const protectedRoutes = ({ session }: Target) =>
      routesOf(service().app).flatMap(({ name, policy }) => {
        if (!policy || policy.who === 'anyone') return [];
        const [method = '', pattern = ''] = name.split(' ');
        if (method === 'ALL') return [];
        const own = pattern.replace(':id', acme.tenantId).replace(':session_id', session.session_id);
        const path = own.replace(/:\w+/, 'x');
        const apiKey = policy.who === 'tenant' ? acme.apiKey : ADMIN_API_KEY;
        return [{ name, method, path, apiKey }];
      });

    test('in the query is refused', async () => {
      const own: Target = { acme, session: await service().createSession(acme) };
      for (const { name, method, path, apiKey } of protectedRoutes(own)) {
        if (name in FORM_ROUTES) continue; // forms.test.ts has them
        const good = BODY_ROUTES.find((route) => route.name === name)?.body ?? null;
        for (const query of ['unread=1', 'access%5ftoken=x', 'api_key=x', '__proto__=1']) {
          const body = good?.(own);
          expectInvalid(
            await service().call(method, `${path}?${query}`, { apiKey, body }),
            `${name}?${query}`,
          );
        }
      }
      const { access_token: token } = own.session;
      expect((await service().validate(acme, token)).status).toBe(200);
      const elsewhere = '/sessions/validate?revocation_check=store';
      expectInvalid(await service().post(acme, elsewhere, { access_token: token }), elsewhere);
    });

    test('in the body is refused, also where there is no body', async () => {
      const bodiless = protectedRoutes(target).filter(
        ({ name, method }) =>
          method !== 'GET' &&
          !(name in FORM_ROUTES) &&
          !BODY_ROUTES.some((route) => route.name === name && route.body),
      );
      expect(bodiless.map(({ name }) => name)).toEqual(
        expect.arrayContaining(['DELETE /sessions/:session_id', 'POST /master-keys/reseal']),
      );
      for (const { name, method, path, apiKey } of bodiless) {
        for (const body of [{ reason: 'security_incident' }, { comment: 'a\nb' }, { toString: 1 }]) {
          expectInvalid(await service().call(method, path, { apiKey, body }), name);
        }
      }
    });

    test('is nothing in an empty query or an empty object', async () => {
      const { session_id: id } = await service().createSession(acme, { user_id: 'ending' });
      const answer = await service().call('DELETE', `/sessions/${id}?`, { apiKey: acme.apiKey, body: {} });
      expect(answer.status).toBe(204);
    });
  });

  describe('ids in paths', () => {
    const IDS = [
      '*',
      '?',
      '[a-z]',
      '{}',
      '{acme}',
      '..',
      '.',
      '...',
      '__proto__',
      'constructor',
      'null',
      'undefined',
      'NaN',
      '0',
      '-1',
      "' OR '1'='1",
      '; DROP TABLE sessions',
      'a:b',
      'a/b',
      'a\\b',
      'a\0b',
      'a\r\nX-Injected: 1',
      'a b',
      ' ',
      '%',
      '%25',
      '\u202e',
      '\ud83d\ude00',
      'x'.repeat(4000),
      'A'.repeat(26),
      '<script>alert(1)</script>',
      '${7*7}',
      '{{7*7}}',
      'http://attacker.example/',
      '169.254.169.254',
      '=cmd|calc',
    ];
    const PATHS = [
      ['GET', '/sessions/ID'],
      ['DELETE', '/sessions/ID'],
      ['GET', '/tenants/ID'],
      ['DELETE', '/tenants/ID'],
      ['GET', '/tenants/ID/jwks'],
      ['GET', '/tenants/ID/keys'],
      ['DELETE', '/tenants/OWN/keys/ID'],
      ['DELETE', '/tenants/OWN/api-keys/ID'],
    ] as const;

    test.each(IDS)('%j is nobody, on every route', async (id) => {
      for (const [method, pattern] of PATHS) {
        const path = pattern.replace('OWN', acme.tenantId).replace('ID', () => encodeURIComponent(id));
        for (const apiKey of [acme.apiKey, ADMIN_API_KEY]) {
          const answer = await service().call(method, path, { apiKey });
          expectClientError(answer, `${method} ${path.slice(0, 200)}`);
          expect([...answer.headers].flat().join()).not.toContain('injected');
          expect(answer.headers.get('content-type')).toBe('application/json; charset=utf-8');
        }
      }
    });
  });

  describe('users whose names could be taken for each other', () => {
    const USERS = [
      'a',
      'a ',
      ' a',
      'A',
      'a:b',
      'b',
      'a:b:c',
      ':',
      '{a}',
      'a}b',
      '{',
      '*',
      'a*',
      '?',
      '[a]',
      '\\',
      'a\\0b',
      '..',
      'a/b',
      'a%2fb',
      '%61',
      'a+b',
      'a b',
      '__proto__',
      'constructor',
      'null',
      'undefined',
      '0',
      '-0',
      '00',
      '1e3',
      '1000',
      "'; DROP TABLE sessions; --",
      '"a"',
      '=1+1',
      '\u00e9',
      'e\u0301',
      '\u0430',
      'K',
      '\u212a',
      'k',
      's',
      '\u017f',
      'ss',
      '\u00df',
      '\ufb01',
      'fi',
      'i',
      '\u0130',
      '\u0131',
      '\uff41',
      'sessions:a',
      'revoked:a',
      'x'.repeat(256),
      'x'.repeat(255),
      '\u00e9'.repeat(128),
    ];

    test('have each their own sessions', async () => {
      const tenant = await service().tenant();
      const { tenantId, apiKey } = tenant;
      const sessions = new Map<string, string>();
      for (const user of USERS) {
        sessions.set(user, (await service().createSession(tenant, { user_id: user })).session_id);
      }
      const listOf = async (user: string) => {
        const path = `/sessions?tenant_id=${tenantId}&user_id=${encodeURIComponent(user)}`;
        const { body } = await service().call<{ sessions: { session_id: string; user_id: string }[] }>(
          'GET',
          path,
          { apiKey },
        );
        return body.sessions.map(({ session_id, user_id }) => ({ session_id, user_id }));
      };
      for (const user of USERS) {
        expect(await listOf(user)).toEqual([{ session_id: sessions.get(user), user_id: user }]);
      }
      for (const [at, user] of USERS.entries()) {
        const ended = { tenant_id: tenantId, user_id: user, reason: 'admin' };
        expect((await service().post(tenant, '/sessions/revoke-all', ended)).body).toEqual({
          revoked_count: 1,
        });
        const next = USERS[at + 1];
        if (next !== undefined) expect(await listOf(next)).toHaveLength(1);
      }
    });

    test('and tenants that are parts of each other stay apart', async () => {
      const base = `t${Date.now().toString(36)}`;
      const ids = [base, `${base}-a`, `${base}-a-b`, `${base}a`, `${base}-`];
      const tenants: TestTenant[] = [];
      for (const id of ids) {
        const { body } = await service().asPlatform('POST', '/tenants', { tenant_id: id });
        tenants.push({ tenantId: id, apiKey: String(body['api_key']) });
      }
      for (const tenant of tenants) await service().createSession(tenant, { user_id: 'a-b:c' });
      for (const tenant of tenants) {
        const ended = { tenant_id: tenant.tenantId, user_id: 'a-b:c', reason: 'admin' };
        expect((await service().post(tenant, '/sessions/revoke-all', ended)).body).toEqual({
          revoked_count: 1,
        });
      }
    });
  });

  test('metadata keeps members whose names mean something to libraries', async () => {
    const metadata = {
      prototype: 1,
      toString: 'x',
      valueOf: 'x',
      length: -1,
      [THEN]: 'x',
      toJSON: 'x',
      '': 0,
    };
    const session = await service().createSession(acme, { user_id: 'odd', metadata });
    const { body } = await service().validate(acme, session.access_token, 'store');
    expect(body).toMatchObject({ valid: true, claims: { metadata } });
    const path = `/sessions/${session.session_id}`;
    const read = await service().call('GET', path, { apiKey: acme.apiKey });
    expect(read.body['metadata']).toEqual(metadata);
  });

  describe('large bodies', () => {
    test('of somebody unknown are refused before they are read', async () => {
      const body = `{"session_ids":[${'"x",'.repeat(200_000)}`; // not even JSON
      for (const apiKey of [undefined, 'nonsense']) {
        const answer = await service().call('POST', '/sessions/revoke-batch', {
          body,
          ...(apiKey === undefined ? {} : { apiKey }),
        });
        expect(answer).toMatchObject({ status: 401, body: { error: 'unauthorized' } });
      }
    });

    test('with far too many ids are refused without comparing each with each', async () => {
      const batch = { session_ids: Array.from({ length: 300_000 }, () => 'x'), reason: 'admin' };
      expect(await service().post(acme, '/sessions/revoke-batch', batch)).toMatchObject({
        status: 400,
        body: { error_description: 'session_ids must contain no more than 1000 elements.' },
      });
    });

    test('with far too many scopes are refused without comparing each with each', async () => {
      const path = `/tenants/${acme.tenantId}/api-keys`;
      const scopes = Array.from({ length: 10_000 }, (_, at) => at);
      const startMs = performance.now();
      for (let round = 0; round < 10; round++) {
        expectInvalid(await service().post(acme, path, { name: 'x', scopes }), 'scopes');
      }
      // Each with each took 50 to 100 ms of everybody's time.
      expect(performance.now() - startMs).toBeLessThan(10_000);
    });

    test('that collide in hash tables are one of many', async () => {
      // Names like array indices, and names of one hash in a naive table.
      const indices = Object.fromEntries(Array.from({ length: 990 }, (_, at) => [String(at * 65_536), 1]));
      expectInvalid(await create(good(indices)), 'indices');
      const twins = Array.from({ length: 512 }, (_, at) =>
        [...at.toString(2).padStart(9, '0')].map((bit) => (bit === '0' ? 'Aa' : 'BB')).join(''),
      );
      expectInvalid(await create(good(Object.fromEntries(twins.map((name) => [name, 1])))), 'twins');
    });
  });
});
