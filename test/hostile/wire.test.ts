/** Bytes that only just are HTTP, or no longer: what is below the routes and the same on every store. */
import { afterAll, beforeAll, describe, expect, test } from '@jest/globals';
import { connect } from 'node:net';
import { rawRequest, type RawAnswer } from '../e2e/raw-http.js';
import { ADMIN_API_KEY, TestService, type TestTenant } from '../support/test-service.js';
import { expectTableError } from './error-answer.js';

/** Longer than any time-out of the server and its tick. */
const PATIENCE_MS = 25_000;

let service: TestService;
let acme: TestTenant;
/** As the service has set them; shortened for the tests. */
let configured: object;
/** Begun before all other tests, because they take as long as the time-outs do. */
let slow: Record<string, Promise<RawAnswer>>;

beforeAll(async () => {
  service = await TestService.start();
  acme = await service.tenant();
  const server = service.app.getHttpServer();
  configured = {
    headersTimeout: server.headersTimeout,
    requestTimeout: server.requestTimeout,
    keepAliveTimeout: server.keepAliveTimeout,
  };
  server.headersTimeout = 1000;
  server.requestTimeout = 2000;
  const line = 'POST /sessions HTTP/1.1';
  const unread = head(line, 'Host: x', 'Content-Length: 1000');
  const post = head(line, 'Host: x', 'Content-Type: application/json', 'Content-Length: 1000');
  slow = {
    'nothing at all': rawRequest(service.url, '', PATIENCE_MS),
    'half a request line': rawRequest(service.url, 'GET /hea', PATIENCE_MS),
    'headers without an end': rawRequest(service.url, 'GET /health HTTP/1.1\r\nHost: x\r\nX: ', PATIENCE_MS),
    'a header every now and then': trickle(service.url, 'GET /health HTTP/1.1\r\nHost: x\r\n', 'X: y\r\n'),
    'a body without an end': rawRequest(service.url, `${post}{"tenant_id":`, PATIENCE_MS),
    'a byte of the body every now and then': trickle(service.url, `${post}{`, ' '),
    'a body that nobody waits for': rawRequest(service.url, `${unread}{`, PATIENCE_MS),
  };
});

afterAll(() => service.stop());

const NOTHING: RawAnswer = { status: 0, head: '', body: '' };

const head = (...lines: string[]): string => `${lines.join('\r\n')}\r\n\r\n`;
const send = (bytes: string): Promise<RawAnswer> => rawRequest(service.url, Buffer.from(bytes, 'latin1'));
const get = (path: string, ...headers: string[]): Promise<RawAnswer> =>
  send(head(`GET ${path} HTTP/1.1`, 'Host: x', ...headers, 'Connection: close'));

/** Goes on sending until the server has had enough. */
async function trickle(url: string, start: string, more: string): Promise<RawAnswer> {
  const { hostname, port } = new URL(url);
  const chunks: Buffer[] = [];
  await new Promise<void>((closed) => {
    const socket = connect(Number(port), hostname, () => socket.write(start));
    const timer = setInterval(() => socket.write(more), 200);
    const patience = setTimeout(() => socket.destroy(), PATIENCE_MS);
    socket.on('data', (chunk) => chunks.push(chunk));
    socket.on('error', () => undefined);
    socket.on('close', () => {
      clearInterval(timer);
      clearTimeout(patience);
      closed();
    });
  });
  const text = Buffer.concat(chunks).toString('latin1');
  const [first = '', ...rest] = text.split('\r\n\r\n');
  return { status: Number(/^HTTP\/1\.1 (\d{3})/.exec(first)?.[1] ?? 0), head: first, body: rest.join('') };
}

const headerOf = ({ head: text }: RawAnswer, name: string): string | null =>
  new RegExp(`^${name}: *(.*)$`, 'im').exec(text)?.[1]?.trim() ?? null;

function expectRow(answer: RawAnswer, sent: unknown): void {
  const headers = { get: (name: string) => headerOf(answer, name) };
  expectTableError({ status: answer.status, headers, body: JSON.parse(answer.body || 'null') }, sent);
}

function expectMalformed(answer: RawAnswer, sent: unknown): void {
  expectRow(answer, sent);
  expect({ sent, status: answer.status }).toEqual({ sent, status: 400 });
}

describe('what is not HTTP/1.1', () => {
  test.each([
    'hello\r\n\r\n',
    '\0\0\0\0\r\n\r\n',
    'PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n',
    '\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03',
    'GET /health\r\n\r\n',
    'GET /health HTTP/1.1\nHost: x\n\n',
    'GET /health HTTP/9.9\r\nHost: x\r\n\r\n',
    'GET /health HTTP/1.1 \r\nHost: x\r\n\r\n',
    'get /health HTTP/1.1\r\nHost: x\r\n\r\n',
    'G\xc9T /health HTTP/1.1\r\nHost: x\r\n\r\n',
    'MAGIC /health HTTP/1.1\r\nHost: x\r\n\r\n',
    'GET /hea\0lth HTTP/1.1\r\nHost: x\r\n\r\n',
    'GET /hea\xfflth HTTP/1.1\r\nHost: x\r\n\r\n',
    'GET /health HTTP/1.1\r\nHost: x\r\nX: a\0b\r\n\r\n',
    'GET /health HTTP/1.1\r\nHost: x\r\nX: a\rY: b\r\n\r\n',
    'GET /health HTTP/1.1\r\nHost: x\r\nX: a\r\n folded\r\n\r\n',
    'GET /health HTTP/1.1\r\n Host: x\r\n\r\n',
    'GET /health HTTP/1.1\r\nHost : x\r\n\r\n',
    'GET /health HTTP/1.1\r\nHost: x\r\n: y\r\n\r\n',
    'GET /health HTTP/1.1\r\nHost: x\r\nX Y: z\r\n\r\n',
    'GET /health HTTP/1.1\r\nHost: x\r\nno colon\r\n\r\n',
  ])('%j is refused and the connection closed', async (bytes) => {
    const answer = await send(bytes);
    expectMalformed(answer, bytes);
    expect(headerOf(answer, 'connection')).toBe('close');
  });

  test.each([
    ['no Host', head('GET /health HTTP/1.1', 'Connection: close')],
    ['two Hosts', head('GET /health HTTP/1.1', 'Host: a', 'Host: b', 'Connection: close')],
    ['two Hosts that agree', head('GET /health HTTP/1.1', 'Host: a', 'hOST: a', 'Connection: close')],
    ['an Expect that nobody knows', head('GET /health HTTP/1.1', 'Host: x', 'Expect: magic')],
  ])('%s is refused', async (_, bytes) => {
    expectMalformed(await send(bytes), bytes);
  });

  test.each(['HTTP/1.0', 'HTTP/1.1'])('a good request in %s is answered', async (version) => {
    expect((await send(head(`GET /health ${version}`, 'Host: x', 'Connection: close'))).status).toBe(200);
  });
});

describe('where a request ends', () => {
  const smuggled = head('GET /tenants HTTP/1.1', 'Host: x', `X-API-Key: ${ADMIN_API_KEY}`);
  const post = (...headers: string[]) =>
    head('POST /sessions HTTP/1.1', 'Host: x', 'Content-Type: application/json', ...headers);

  test.each([
    ['two lengths', post('Content-Length: 2', 'Content-Length: 3')],
    ['two lengths that agree', post('Content-Length: 2', 'Content-Length: 2')],
    ['a list of lengths', post('Content-Length: 2, 2')],
    ['a length and chunks', post('Content-Length: 2', 'Transfer-Encoding: chunked')],
    ['chunks and a length', post('Transfer-Encoding: chunked', 'Content-Length: 2')],
    ['a signed length', post('Content-Length: +2')],
    ['a negative length', post('Content-Length: -1')],
    ['a hexadecimal length', post('Content-Length: 0x2')],
    ['a length in words', post('Content-Length: two')],
    ['a length beyond all numbers', post('Content-Length: 99999999999999999999999')],
    ['an empty length', post('Content-Length:')],
    ['an unknown coding', post('Transfer-Encoding: xchunked')],
    ['no coding', post('Transfer-Encoding: identity')],
    ['chunks that are not last', post('Transfer-Encoding: chunked, identity')],
    ['chunks twice', post('Transfer-Encoding: chunked', 'Transfer-Encoding: identity')],
    ['a coding behind a control character', post('Transfer-Encoding: \x0bchunked')],
    ['a chunk of no size', `${post('Transfer-Encoding: chunked')}zz\r\n{}\r\n0\r\n\r\n`],
    ['a chunk of negative size', `${post('Transfer-Encoding: chunked')}-2\r\n{}\r\n0\r\n\r\n`],
    ['a chunk beyond all sizes', `${post('Transfer-Encoding: chunked')}fffffffffffffffff\r\n{}\r\n0\r\n\r\n`],
    ['a chunk that ends elsewhere', `${post('Transfer-Encoding: chunked')}2\r\n{}x\r\n0\r\n\r\n`],
    ['a chunk ended by a bare line feed', `${post('Transfer-Encoding: chunked')}2\n{}\n0\n\n`],
  ])('%s: refused, and what follows is not a request', async (name, bytes) => {
    const answer = await send(bytes + smuggled);
    expectMalformed({ ...answer, body: answer.body.split('HTTP/1.1 ')[0] ?? '' }, name);
    expect(answer.body).not.toContain('HTTP/1.1 ');
    expect(answer.body).not.toContain('"tenants"');
  });

  test.each([
    ['a GET', 'GET /nowhere HTTP/1.1', 404],
    ['a HEAD', 'HEAD /health HTTP/1.1', 200],
    ['a DELETE without a credential', 'DELETE /sessions/x HTTP/1.1', 415],
  ])('the body of %s is not another request', async (_, line, status) => {
    const bytes = head(line, 'Host: x', `Content-Length: ${smuggled.length}`) + smuggled;
    const answer = await send(bytes + head('GET /health/live HTTP/1.1', 'Host: x', 'Connection: close'));
    expect(answer.status).toBe(status);
    const all = `${answer.head}\r\n\r\n${answer.body}`;
    expect(all.match(/HTTP\/1\.1 \d{3}/g)?.slice(1)).toEqual(['HTTP/1.1 200']);
    expect(all).not.toContain('"tenants"');
  });

  test('a body that is too large ends the connection or is read to its end', async () => {
    const large = `${post('Content-Length: 70000')}${smuggled}${'x'.repeat(70_000 - smuggled.length)}`;
    const answer = await send(large + head('GET /health/live HTTP/1.1', 'Host: x', 'Connection: close'));
    expect(answer.status).toBe(413);
    expect(answer.body).not.toContain('"tenants"');
  });

  test('an interim answer is only given to 100-continue', async () => {
    const bytes = `${post('Expect: 100-continue', 'Content-Length: 2', 'Connection: close')}{}`;
    const answer = await send(bytes);
    expect(answer.head).toBe('HTTP/1.1 100 Continue');
    expect(answer.body).toMatch(/^HTTP\/1\.1 401 /);
  });
});

describe('headers', () => {
  test.each([
    ['10,000 of them', Array.from({ length: 10_000 }, (_, at) => `X-${at}: y`)],
    ['3,000 short ones', Array.from({ length: 3000 }, () => 'a:')],
    ['one of a megabyte', [`X: ${'y'.repeat(1_000_000)}`]],
    ['a credential of 20 KB', [`X-API-Key: ${'y'.repeat(20_000)}`]],
    ['a cookie of 20 KB', [`Cookie: ${'y'.repeat(20_000)}`]],
  ])('%s are refused', async (name, headers) => {
    expectMalformed(await get('/health', ...headers), name);
  });

  test('never decide anything when they are sent twice', async () => {
    const [good, other] = [`X-API-Key: ${ADMIN_API_KEY}`, 'X-API-Key: other-key-of-somebody'];
    expect((await get('/tenants', good)).status).toBe(200);
    for (const twice of [
      [good, other],
      [other, good],
      [good, good],
    ]) {
      const answer = await get('/tenants', ...twice);
      expectRow(answer, twice);
      expect(answer.status).toBe(401);
    }
  });

  test.each(['\xff\xfe', 'a\tb', 'a;b', 'x'.repeat(129), 'a b', '<script>', '%0d%0aSet-Cookie: a=b', 'é'])(
    'the request id %j is not taken over',
    async (id) => {
      const answer = await get('/nowhere', `X-Request-Id: ${id}`);
      expect(headerOf(answer, 'x-request-id')).toMatch(/^[0-9a-f-]{36}$/);
      expect(answer.head).not.toMatch(/^set-cookie/im);
    },
  );

  test('two request ids are none', async () => {
    const answer = await get('/nowhere', 'X-Request-Id: a', 'X-Request-Id: b');
    expect(headerOf(answer, 'x-request-id')).toMatch(/^[0-9a-f-]{36}$/);
  });

  test.each([
    ['h2c', 'HTTP2-Settings: AAMAAABkAAQAAP__'],
    ['websocket', 'Sec-WebSocket-Key: eA=='],
    ['TLS/1.0', 'X: y'],
  ])('an upgrade to %s leads to no other protocol', async (protocol, more) => {
    const upgrade = ['Connection: Upgrade, HTTP2-Settings, close', `Upgrade: ${protocol}`, more];
    const answer = await send(head('GET /tenants HTTP/1.1', 'Host: x', ...upgrade));
    expectRow(answer, protocol);
    expect(answer.status).toBe(401);
  });
});

describe('addresses', () => {
  test('in absolute form are guarded like others, and the Host in them is nobody', async () => {
    const guarded = await get('http://attacker.example/tenants');
    expectRow(guarded, 'absolute');
    expect(guarded.status).toBe(401);
    expect((await get('http://attacker.example/health')).status).toBe(200);
  });

  test.each([
    '/health/../tenants',
    '/health/%2e%2e/tenants',
    '/./tenants',
    '//tenants',
    '///tenants',
    '/\\tenants',
    '/%2ftenants',
    '/%5ctenants',
    '/tenants%00',
    '/tenants%20',
    '/tenants/',
    '/tenants;x',
    '/tenants%3bx',
    '/TENANTS',
    '/tenants%252f',
    '/docs/..%2ftenants',
    '/docs/../tenants',
    '/docs/..%2f..%2fpackage.json',
    '/docs/%2e%2e/%2e%2e/package.json',
    '/docs/%00',
    '/docs//etc/passwd',
    '/.git/config',
    '/.env',
    '/data/master-keys',
    '/node_modules/fastify/package.json',
    '/actuator/env',
    '/debug/pprof',
  ])('%s leads nowhere, even with the platform key', async (path) => {
    const answer = await get(path, `X-API-Key: ${ADMIN_API_KEY}`);
    expectRow(answer, path);
    expect([400, 404]).toContain(answer.status);
  });

  test.each(['TRACE', 'OPTIONS', 'PROPFIND', 'QUERY', 'PUT', 'LINK', 'PURGE', 'SUBSCRIBE'])(
    'have no %s',
    async (method) => {
      for (const path of ['/tenants', '/sessions', '/health', '*']) {
        const answer = await send(
          head(`${method} ${path} HTTP/1.1`, 'Host: x', 'X-Secret: mirrored', 'Connection: close'),
        );
        expectRow(answer, `${method} ${path}`);
        expect([400, 404]).toContain(answer.status);
        expect(`${answer.head}${answer.body}`).not.toContain('mirrored');
      }
    },
  );

  test('have no CONNECT', async () => {
    const answer = await send('CONNECT attacker.example:443 HTTP/1.1\r\nHost: x\r\n\r\n');
    expect(answer).toEqual({ status: 0, head: '', body: '' });
  });
});

describe('answers', () => {
  /** Of data: nothing in it may be run, framed or guessed at. */
  const DATA: Record<string, RegExp> = {
    'content-security-policy': /^default-src 'none';frame-ancestors 'none'$/,
    'strict-transport-security': /max-age=\d+/,
    'x-content-type-options': /^nosniff$/,
    'x-frame-options': /^DENY$/i,
    'referrer-policy': /^no-referrer$/,
    'cross-origin-resource-policy': /^same-origin$/,
  };
  const PAGE: Record<string, RegExp> = {
    ...DATA,
    'content-security-policy': /default-src 'self';.*script-src 'self';/,
    'x-frame-options': /^SAMEORIGIN$/i,
    'cross-origin-opener-policy': /^same-origin$/,
  };

  test.each([
    ['/health', DATA],
    ['/tenants', DATA],
    ['/nowhere', DATA],
    ['/sessions/%', DATA],
    ['/metrics', DATA],
    ['/docs', PAGE],
  ])('from %s protect browsers and say nothing of the server', async (path, protection) => {
    const answer = await get(path);
    for (const [name, pattern] of Object.entries(protection)) {
      expect({ name, value: headerOf(answer, name) }).toEqual({
        name,
        value: expect.stringMatching(pattern),
      });
    }
    expect(headerOf(answer, 'server')).toBeNull();
    expect(headerOf(answer, 'x-powered-by')).toBeNull();
  });

  test('that no route gives are protected as well', async () => {
    for (const answer of [await send('hello\r\n\r\n'), await get('/health', 'Expect: magic')]) {
      expectMalformed(answer, 'bare');
      expect(headerOf(answer, 'content-security-policy')).toBe("default-src 'none'");
      expect(headerOf(answer, 'x-content-type-options')).toBe('nosniff');
      expect(headerOf(answer, 'cache-control')).toBe('no-store');
    }
  });

  test('open nothing to other origins', async () => {
    const preflight = head(
      'OPTIONS /sessions HTTP/1.1',
      'Host: x',
      'Origin: https://attacker.example',
      'Access-Control-Request-Method: POST',
      'Access-Control-Request-Headers: x-api-key',
      'Connection: close',
    );
    for (const answer of [await send(preflight), await get('/health', 'Origin: https://attacker.example')]) {
      expect(answer.head).not.toMatch(/^access-control-/im);
    }
  });

  test('with anything of a session or a tenant are kept by no cache', async () => {
    for (const path of [
      '/tenants',
      '/sessions/x',
      `/tenants/${acme.tenantId}/keys`,
      '/nowhere.css',
      '/health',
    ]) {
      const answer = await get(path, `X-API-Key: ${ADMIN_API_KEY}`);
      expect({ path, cache: headerOf(answer, 'cache-control') }).toEqual({
        path,
        cache: expect.stringContaining('no-store'),
      });
    }
    const jwks = await get(`/tenants/${acme.tenantId}/jwks`);
    expect(headerOf(jwks, 'cache-control')).toBe('public, max-age=300');
  });

  test('to Range, If-Match and If-None-Match are whole and well', async () => {
    for (const header of [
      'Range: bytes=0-',
      'Range: bytes=0-0,1-1,2-2',
      `If-None-Match: ${'"x",'.repeat(2000)}`,
    ]) {
      expect((await get(`/tenants/${acme.tenantId}/jwks`, header)).status).toBe(200);
    }
    for (const header of [`Range: bytes=${'0-,'.repeat(2000)}`, 'Range: bytes=9-1', 'If-Match: "x"']) {
      expect((await get('/docs/swagger-ui.css', header)).status).toBeLessThan(500);
    }
  });
});

describe('slow clients', () => {
  test('meet a time-out for headers, for requests and for silence', () => {
    expect(configured).toEqual({
      headersTimeout: 10_000,
      requestTimeout: 15_000,
      keepAliveTimeout: 72_000,
    });
  });

  test(
    'are sent away, whatever they hold back',
    async () => {
      const { 'a body that nobody waits for': early, ...late } = slow;
      // One answer and no second, which would be taken for that to another request.
      const answered = await early;
      expectRow(answered ?? NOTHING, 'early');
      expect(answered?.status).toBe(415);
      for (const [name, pending] of Object.entries(late)) {
        const answer = await pending;
        expectMalformed(answer, name);
        expect(answer.body).toContain('did not arrive in time');
      }
    },
    PATIENCE_MS + 5000,
  );

  test('and all the others leave the service well', async () => {
    expect((await get('/health')).status).toBe(200);
    const session = await service.createSession(acme);
    expect((await service.validate(acme, session.access_token)).status).toBe(200);
  });
});
