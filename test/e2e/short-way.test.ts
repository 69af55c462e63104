/** The short way and the ordinary one, side by side: nobody can tell which of them answered. */
import { once } from 'node:events';
import { connect } from 'node:net';
import { afterAll, beforeAll, describe, expect, test } from '@jest/globals';
import { AppError } from '../../src/errors.js';
import { DirectAnswers } from '../../src/http/direct-answers.js';
import { Drain } from '../../src/http/drain.js';
import { Happenings } from '../../src/http/happenings.js';
import { ShortWay } from '../../src/sessions/short-way.js';
import { eventually } from '../support/eventually.js';
import { RedisServer } from '../support/redis-server.js';
import {
  STORES,
  TestService,
  type HttpAnswer,
  type TestTenant,
  type Tokens,
} from '../support/test-service.js';
import { TurnableClock } from '../support/turnable-clock.js';
import { rawRequest } from './raw-http.js';

let redis: RedisServer;
let clock: TurnableClock;
let short: TestService;
let ordinary: TestService;
let acme: TestTenant;

beforeAll(async () => {
  redis = await RedisServer.start();
  clock = new TurnableClock();
  const env = { STORE_URL: redis.url };
  short = await TestService.start(env, clock);
  // With traces nothing goes the short way; here nobody takes them.
  ordinary = await TestService.start({ ...env, OTEL_EXPORTER_OTLP_ENDPOINT: 'http://127.0.0.1:9' }, clock);
  acme = await short.tenant();
});

afterAll(async () => {
  await short.stop();
  await ordinary.stop();
  await redis.stop();
});

const VARYING = new Set(['date', 'x-request-id', 'keep-alive', 'connection', 'content-length']);
const NEW_EACH_TIME = new Set(['request_id', 'session_id', 'access_token', 'refresh_token']);

/** Without what is another one for each request; that it is there at all, and of which kind, counts. */
function comparable({ status, headers, body }: HttpAnswer): unknown {
  const { revocation, ...rest } = body;
  const { checked } = (revocation ?? {}) as { checked?: string };
  const kept = [...headers].filter(([name]) => !VARYING.has(name));
  const members = Object.entries(rest).map(([name, value]) => [
    name,
    NEW_EACH_TIME.has(name) ? typeof value : value,
  ]);
  return { status, kept, members, checked };
}

type Asking = { apiKey?: string; body?: unknown; headers?: Record<string, string> };

async function sameOfBoth(path: string, asked: (service: TestService) => Asking | Promise<Asking>) {
  let status = 0;
  // Three times: what is in memory may take another way than what is not.
  for (let time = 0; time < 3; time++) {
    const [one, other] = [
      await short.call('POST', path, await asked(short)),
      await ordinary.call('POST', path, await asked(ordinary)),
    ];
    expect(comparable(one)).toEqual(comparable(other));
    ({ status } = one);
  }
  return status;
}

const validated = (body: unknown, apiKey = acme.apiKey): Promise<number> =>
  sameOfBoth('/sessions/validate', () => ({ apiKey, body }));

describe('a validation is answered alike by both ways', () => {
  test.each([undefined, 'replica', 'store', 'skip'])(
    'of good, revoked and expired tokens, checked by %s',
    async (check) => {
      const asked = (access_token: string) => ({
        access_token,
        ...(check ? { revocation_check: check } : {}),
      });
      const { access_token: token, refresh_token: refresh } = await short.createSession(acme);
      expect(await validated(asked(token))).toBe(200);
      for (const bad of [refresh, token.slice(1), `${token.slice(0, -10)}AAAAAAAAAA`, '', 'x'.repeat(9000)]) {
        expect(await validated(asked(bad))).toBe(401);
      }
      const leaked = await short.createSession(acme);
      await short.revoke(acme, leaked.access_token, { only_this_token: true });
      await short.revoke(acme, token);
      await validated(asked(leaked.access_token));
      await validated(asked(token));
      const old = await short.createSession(acme);
      clock.advanceSeconds(901);
      expect(await validated(asked(old.access_token))).toBe(401);
    },
  );

  test('of bodies that are not as they should be', async () => {
    const { access_token: token } = await short.createSession(acme);
    for (const body of [
      {},
      { access_token: 1 },
      { access_token: token, revocation_check: 'never' },
      { access_token: token, more: true },
      { access_token: [token] },
      '{"access_token":',
      `{"access_token":"${token}","access_token":"${token}"}`,
      new Uint8Array([0x7b, 0xff, 0x7d]),
      '[]',
      'null',
    ]) {
      expect(await validated(body)).toBe(400);
    }
    // null is as good as left out.
    expect(await validated({ access_token: token, revocation_check: null })).toBe(200);
  });

  test('of claims in any writing', async () => {
    const user_id = 'zoë "the\\cat" \u{1f408}';
    const { access_token } = await short.createSession(acme, {
      user_id,
      metadata: { '"': ['\\', 'é', 1, true] },
    });
    expect(await validated({ access_token })).toBe(200);
    const { body } = await short.validate(acme, access_token);
    expect(body['claims']).toMatchObject({ sub: user_id, metadata: { '"': ['\\', 'é', 1, true] } });
  });

  test('of callers who may not, and of other tenants’ tokens', async () => {
    const { access_token: token } = await short.createSession(acme);
    const other = await short.tenant();
    const issued = await short.call('POST', `/tenants/${acme.tenantId}/api-keys`, {
      apiKey: acme.apiKey,
      body: { name: 'reader', scopes: ['sessions:read'] },
    });
    // Known by now, byte for byte.
    expect(await validated({ access_token: token })).toBe(200);
    expect(await validated({ access_token: token }, other.apiKey)).toBe(401);
    expect(await validated({ access_token: token }, String(issued.body['api_key']))).toBe(403);
    expect(await validated({ access_token: token }, `${acme.apiKey}0`)).toBe(401);
    expect(await validated({ access_token: token }, '')).toBe(401);
  });

  test('of a tenant that is suspended, and whose epoch has ended', async () => {
    const tenant = await short.tenant();
    const { access_token: token } = await short.createSession(tenant);
    expect(await validated({ access_token: token }, tenant.apiKey)).toBe(200);
    await short.asPlatform('PATCH', `/tenants/${tenant.tenantId}`, { status: 'suspended' });
    await ordinary.asPlatform('PATCH', `/tenants/${tenant.tenantId}`, { status: 'suspended' });
    expect(await validated({ access_token: token }, tenant.apiKey)).toBe(403);
    await short.asPlatform('PATCH', `/tenants/${tenant.tenantId}`, { status: 'active' });
    await ordinary.asPlatform('PATCH', `/tenants/${tenant.tenantId}`, { status: 'active' });
    await short.asPlatform('POST', `/tenants/${tenant.tenantId}/revoke-all`, { reason: 'admin' });
    await ordinary.asPlatform('POST', `/tenants/${tenant.tenantId}/revoke-all`, { reason: 'admin' });
    expect(await validated({ access_token: token }, tenant.apiKey)).toBe(401);
  });

  test('of a limited caller, with what is left of the limit', async () => {
    const tenant = await short.tenant({ rate_limit_per_second: 100, rate_limit_burst_seconds: 1 });
    const { access_token: token } = await short.createSession(tenant);
    const limits = async (service: TestService): Promise<unknown[]> => {
      const { headers, status } = await service.validate(tenant, token);
      return [
        status,
        headers.get('ratelimit-policy'),
        /^"tenant";r=\d+;t=\d+/.test(headers.get('ratelimit') ?? ''),
      ];
    };
    await limits(short);
    expect(await limits(short)).toEqual([200, '"tenant";q=100;w=1', true]);
    expect(await limits(ordinary)).toEqual([200, '"tenant";q=100;w=1', true]);
    const scarce = await short.tenant({ rate_limit_per_second: 1, rate_limit_burst_seconds: 1 });
    const refusal = async (service: TestService): Promise<unknown> => {
      for (;;) {
        const answer = await service.validate(scarce, token);
        if (answer.status !== 429) continue;
        const { headers, body } = answer;
        const names = [...headers.keys()].filter((name) => !VARYING.has(name)).toSorted();
        return [names, body['error'], headers.get('ratelimit-policy')];
      }
    };
    expect(await refusal(short)).toEqual(await refusal(ordinary));
  });
});

describe('sessions are begun and refreshed alike by both ways', () => {
  const wanted = { tenant_id: '', user_id: 'alice', scope: 'read' };

  test.each([
    ['all there is', { metadata: { device: 'phone', mfa: true } }, 201],
    ['the least there is', {}, 201],
    ['null for what may be left out', { metadata: null }, 201],
    ['an empty scope', { scope: '' }, 201],
    ['no user', { user_id: '' }, 400],
    ['control characters', { user_id: 'a\u0000b' }, 400],
    ['broken scope', { scope: 'a  b' }, 400],
    ['nested metadata', { metadata: { a: { b: 1 } } }, 400],
    ['unknown members', { more: 1 }, 400],
    ['another tenant', { tenant_id: 'nobody' }, 404],
  ])('with %s', async (_, more, status) => {
    const body = { ...wanted, tenant_id: acme.tenantId, ...more };
    expect(await sameOfBoth('/sessions', () => ({ apiKey: acme.apiKey, body }))).toBe(status);
  });

  test('by good, replaced and broken refresh tokens', async () => {
    const refreshed = (token: (service: TestService) => Promise<unknown>) =>
      sameOfBoth('/sessions/refresh', async (service) => ({
        apiKey: acme.apiKey,
        body: { refresh_token: await token(service) },
      }));
    const fresh = async (service: TestService) => (await service.createSession(acme)).refresh_token;
    expect(await refreshed(fresh)).toBe(200);
    expect(await refreshed(async (service) => (await service.createSession(acme)).access_token)).toBe(401);
    expect(await refreshed(async () => 'no token')).toBe(401);
    expect(await refreshed(async () => 7)).toBe(400);
    const revoked = async (service: TestService): Promise<string> => {
      const { refresh_token: token } = await service.createSession(acme);
      await service.revoke(acme, token);
      return token;
    };
    expect(await refreshed(revoked)).toBe(401);
  });

  test('and the audit knows by whom', async () => {
    const { session_id: sessionId, refresh_token: token } = await short.createSession(acme, {
      user_id: 'zoe',
    });
    await short.refresh(acme, token);
    await short.refresh(acme, 'no token');
    const { body } = await short.call('GET', `/tenants/${acme.tenantId}/audit?session_id=${sessionId}`, {
      apiKey: acme.apiKey,
    });
    const entries = body['entries'] as { action: string; actor: { kind: string }; request_id: string }[];
    expect(entries.map(({ action }) => action).toSorted()).toEqual(['session_created', 'session_refreshed']);
    for (const { actor, request_id: id } of entries) {
      expect(actor.kind).toBe('api_key');
      expect(id).toMatch(/^[0-9a-f-]{36}$/);
    }
  });
});

describe('those whose requests come in the same turn', () => {
  test('are not taken for one another, also by the audit', async () => {
    const other = await short.tenant();
    await short.createSession(other); // now its API key is in memory
    const broken = () =>
      fetch(`${short.url}/sessions/validate`, {
        method: 'POST',
        headers: { 'content-type': 'application/json', 'x-api-key': other.apiKey },
        body: '{',
      });
    const begun: Tokens[] = [];
    for (let time = 0; time < 20; time++) {
      const [mine, theirs] = await Promise.all([
        Promise.all(Array.from({ length: 4 }, () => short.createSession(acme, { user_id: 'same-turn' }))),
        Promise.all(Array.from({ length: 4 }, broken)),
        ...begun.splice(0).map(({ access_token: token }) => short.revoke(acme, token)),
      ]);
      expect(theirs.map(({ status }) => status)).toEqual([400, 400, 400, 400]);
      begun.push(...mine);
    }
    const { body } = await short.call('GET', `/tenants/${acme.tenantId}/audit?user_id=same-turn&limit=200`, {
      apiKey: acme.apiKey,
    });
    const entries = body['entries'] as { actor: { key_id: string }; outcome: string }[];
    expect(entries.length).toBeGreaterThan(150);
    expect(new Set(entries.map(({ actor, outcome }) => `${actor.key_id} ${outcome}`)).size).toBe(1);
  });
});

describe('a body is read alike, however it comes', () => {
  const head = (lines: string): string =>
    `POST /sessions/validate HTTP/1.1\r\nhost: x\r\nconnection: close\r\nx-api-key: ${acme.apiKey}\r\n${lines}\r\n\r\n`;

  test.each([
    [
      'in chunks',
      (body: string) =>
        `${head('content-type: application/json\r\ntransfer-encoding: chunked')}${body.length.toString(16)}\r\n${body}\r\n0\r\n\r\n`,
      200,
    ],
    [
      'of another type',
      (body: string) => `${head(`content-type: text/plain\r\ncontent-length: ${body.length}`)}${body}`,
      415,
    ],
    ['of no type', (body: string) => `${head(`content-length: ${body.length}`)}${body}`, 415],
    [
      'with its charset',
      (body: string) =>
        `${head(`content-type: application/json;charset=utf-8\r\ncontent-length: ${body.length}`)}${body}`,
      200,
    ],
    [
      'in another charset',
      (body: string) =>
        `${head(`content-type: application/json; charset=latin1\r\ncontent-length: ${body.length}`)}${body}`,
      415,
    ],
    [
      'encoded',
      (body: string) =>
        `${head(`content-type: application/json\r\ncontent-encoding: gzip\r\ncontent-length: ${body.length}`)}${body}`,
      415,
    ],
    ['empty', () => head('content-type: application/json\r\ncontent-length: 0'), 400],
    ['too large', () => `${head(`content-type: application/json\r\ncontent-length: ${2 ** 30}`)}{`, 413],
  ])('%s', async (_, request, status) => {
    const { access_token: token } = await short.createSession(acme);
    const bytes = request(JSON.stringify({ access_token: token }));
    expect((await rawRequest(short.url, bytes)).status).toBe(status);
    expect((await rawRequest(ordinary.url, bytes)).status).toBe(status);
  });

  test.each([
    '*sessions/validate',
    '/sessions/validate#a=1',
    '/sessions/%76alidate',
    '/sessions/validate/',
    '//sessions/validate',
  ])('at an address that is written %s', async (target) => {
    const { access_token: token } = await short.createSession(acme);
    const body = JSON.stringify({ access_token: token });
    const bytes = `${head(`content-type: application/json\r\ncontent-length: ${body.length}`)}${body}`;
    const request = bytes.replace('/sessions/validate', target);
    const [one, other] = [await rawRequest(short.url, request), await rawRequest(ordinary.url, request)];
    expect(one.status).toBe(other.status);
  });

  test('in pieces, with others on the same connection behind it', async () => {
    const { access_token: token } = await short.createSession(acme);
    const body = JSON.stringify({ access_token: token });
    const bytes = `POST /sessions/validate HTTP/1.1\r\nhost: x\r\nx-api-key: ${acme.apiKey}\r\ncontent-type: application/json\r\ncontent-length: ${body.length}\r\n\r\n${body}`;
    const socket = connect(Number(new URL(short.url).port), '127.0.0.1');
    let answers = '';
    socket.on('data', (chunk: Buffer) => (answers += chunk.toString()));
    for (let at = 0; at < bytes.length; at += 97) {
      socket.write(bytes.slice(at, at + 97));
      await new Promise((resolve) => setImmediate(resolve));
    }
    socket.write(bytes + bytes);
    await eventually(() => answers.match(/HTTP\/1\.1 200 OK/g)?.length === 3);
    expect(answers.match(/"valid":true/g)).toHaveLength(3);
    socket.destroy();
  });

  test('and of a client that leaves in the middle nothing is left behind', async () => {
    const socket = connect(Number(new URL(short.url).port), '127.0.0.1');
    socket.write(
      `${head('content-type: application/json\r\ncontent-length: 500').replace('connection: close\r\n', '')}{"access`,
    );
    await new Promise((resolve) => setTimeout(resolve, 50));
    socket.destroy();
    await once(socket, 'close');
    const left =
      /http_request_duration_seconds_count\{route="\/sessions\/validate",method="POST",status="499"\}/;
    await eventually(async () => left.test((await short.call<string>('GET', '/metrics')).body));
    const { access_token: token } = await short.createSession(acme);
    expect((await short.validate(acme, token)).status).toBe(200);
  });
});

describe.each(STORES)('the short way on $name', ({ prepare }) => {
  let service: TestService;
  let dispose: () => Promise<void>;
  let tenant: TestTenant;

  beforeAll(async () => {
    const { env, dispose: end } = await prepare();
    dispose = end;
    service = await TestService.start(env);
    tenant = await service.tenant();
    await service.createSession(tenant); // now its API key is in memory
  });

  afterAll(async () => {
    await service.stop();
    await dispose();
  });

  async function isTaken(path: string, body: unknown, headers = {}): Promise<boolean> {
    const way = service.app.get(ShortWay, { strict: false });
    const take = way['take'].bind(way);
    let wasTaken = false;
    way['take'] = (arrived) => (wasTaken = take(arrived));
    await service.call('POST', path, { apiKey: tenant.apiKey, body, headers });
    way['take'] = take;
    return wasTaken;
  }

  test('is taken by good requests, and by no others', async () => {
    const { access_token: token, refresh_token: refresh } = await service.createSession(tenant);
    for (const check of ['replica', 'store', 'skip']) {
      expect(await isTaken('/sessions/validate', { access_token: token, revocation_check: check })).toBe(
        true,
      );
    }
    expect(await isTaken('/sessions/refresh', { refresh_token: refresh })).toBe(true);
    const wanted = { tenant_id: tenant.tenantId, user_id: 'bob', scope: '' };
    expect(await isTaken('/sessions', wanted)).toBe(true);
    expect(await isTaken('/sessions', { ...wanted, more: 1 })).toBe(false);
    expect(await isTaken('/sessions/validate?a=1', { access_token: token })).toBe(false);
    expect(
      await isTaken('/sessions/validate', { access_token: token }, { 'content-type': 'text/json' }),
    ).toBe(false);
    await service.revoke(tenant, token);
    expect(await isTaken('/sessions/validate', { access_token: token })).toBe(true);
  });

  test('gives each of many that come at once its own answer', async () => {
    const other = await service.tenant();
    const good = await Promise.all(Array.from({ length: 40 }, () => service.createSession(tenant)));
    const revoked = await service.createSession(tenant);
    await service.revoke(tenant, revoked.access_token);
    const asked = [
      ...good.map(({ access_token: token, session_id: id }) => [tenant, token, 200, id] as const),
      ...good.map(({ access_token: token }) => [other, token, 401, 'invalid_token'] as const),
      ...good.map(({ refresh_token: token }) => [tenant, token, 401, 'invalid_token'] as const),
      [tenant, revoked.access_token, 401, 'token_revoked'] as const,
      ...good.map(() => [tenant, 7, 400, 'invalid_request'] as const),
    ].toSorted(([, one], [, other]) => String(one).slice(-9).localeCompare(String(other).slice(-9)));
    for (let time = 0; time < 3; time++) {
      const answers = await Promise.all(
        asked.map(([{ apiKey }, token]) =>
          service.call('POST', '/sessions/validate', { apiKey, body: { access_token: token } }),
        ),
      );
      expect(
        answers.map(({ status, body }) => [
          status,
          (body['claims'] as { sid?: string })?.sid ?? body['error'],
        ]),
      ).toEqual(asked.map(([, , status, found]) => [status, found]));
    }
  });

  test('an answer that cannot be sent is the error of its own request alone', async () => {
    const { access_token: token } = await service.createSession(tenant);
    const answers = service.app.get(DirectAnswers, { strict: false });
    const send = answers.send.bind(answers);
    let isFirst = true;
    answers.send = (...args) => {
      if (isFirst) {
        isFirst = false;
        throw new Error('no');
      }
      send(...args);
    };
    const all = await Promise.all(Array.from({ length: 10 }, () => service.validate(tenant, token))).finally(
      () => (answers.send = send),
    );
    const statuses = all.map(({ status }) => status);
    expect(statuses.filter((status) => status === 500)).toHaveLength(1);
    expect(statuses.filter((status) => status === 200)).toHaveLength(9);
  });

  test('judges a body anew that it has read before', async () => {
    const { access_token: token } = await service.createSession(tenant);
    const other = await service.tenant();
    await service.createSession(other);
    for (let time = 0; time < 3; time++) expect((await service.validate(tenant, token)).status).toBe(200);
    expect((await service.validate(other, token)).body).toMatchObject({ error: 'invalid_token' });
    await service.revoke(tenant, token);
    expect((await service.validate(tenant, token)).body).toMatchObject({ error: 'token_revoked' });
    const { access_token: short } = await service.createSession(tenant);
    for (let time = 0; time < 3; time++) expect((await service.validate(tenant, short)).status).toBe(200);
    service.clock.advanceSeconds(901);
    expect((await service.validate(tenant, short)).body).toMatchObject({ error: 'token_expired' });
  });

  test('answers a failure of its own as any other, and goes on', async () => {
    const way = service.app.get(ShortWay, { strict: false });
    const { access_token: token } = await service.createSession(tenant);
    const { validate } = way['operations'];
    const operations = way['operations'] as { validate: typeof validate };
    for (const begin of [
      () => {
        throw new Error('a slip');
      },
      () => async () => {
        throw new Error('a slip');
      },
    ]) {
      operations.validate = { ...validate, dto: validate.dto, known: () => undefined, begin };
      const { status, body, headers } = await service.validate(tenant, token);
      operations.validate = validate;
      expect({ status, error: body['error'] }).toEqual({ status: 500, error: 'internal_error' });
      expect(headers.get('x-content-type-options')).toBe('nosniff');
      expect(headers.get('cache-control')).toBe('no-store');
      expect(headers.get('x-request-id')).toBe(body['request_id']);
    }
    expect((await service.validate(tenant, token)).status).toBe(200);
  });

  test('begins nothing while the audit has no room', async () => {
    const { refresh_token: refresh, access_token: token } = await service.createSession(tenant);
    const happenings = service.app.get(Happenings);
    const requireRoom = happenings.requireRoom.bind(happenings);
    happenings.requireRoom = () => {
      throw new AppError('store_unavailable');
    };
    const wanted = { tenant_id: tenant.tenantId, user_id: 'bob', scope: '' };
    expect((await service.post(tenant, '/sessions', wanted)).status).toBe(503);
    expect((await service.refresh(tenant, refresh)).status).toBe(503);
    expect((await service.validate(tenant, token)).status).toBe(200);
    happenings.requireRoom = requireRoom;
    expect((await service.refresh(tenant, refresh)).status).toBe(200);
  });

  test('keeps no connection alive when the process wants to leave', async () => {
    const { access_token: token } = await service.createSession(tenant);
    expect((await service.validate(tenant, token)).headers.get('connection')).toBe('keep-alive');
    service.app.get(Drain).start();
    expect((await service.validate(tenant, token)).headers.get('connection')).toBe('close');
  });
});
