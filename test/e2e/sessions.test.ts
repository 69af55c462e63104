import { beforeAll, describe, expect, test } from '@jest/globals';
import { STORES, type TestTenant, type Tokens } from '../support/test-service.js';
import { partsOf } from './token-parts.js';
import { useService } from './use-service.js';

interface BatchAnswer {
  revoked_count: number;
  results: { token_index?: number; session_id?: string; status: string; error?: string }[];
}

interface SessionList {
  sessions: { session_id: string }[];
}

const RANDOM_ID = expect.stringMatching(/^[A-Za-z0-9_-]{25}[AQgw]$/);
const UUID = expect.stringMatching(/^[0-9a-f]{8}-[0-9a-f]{4}-4[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}$/);
const ACCEPTED_METADATA: Record<string, unknown>[] = [
  {},
  { a: 'text', b: 1.5, c: false, d: [], e: ['x', 2, true], f: -0.25, g: '' },
  { toString: 'y', hasOwnProperty: 'z', '': 'empty', 'ключ "1"': '😀' },
  { big: 9_007_199_254_740_991, small: -9_007_199_254_740_991 },
  Object.fromEntries(Array.from({ length: 32 }, (_, at) => [`m${at}`, at])),
  { full: 'x'.repeat(4096 - '{"full":""}'.length) },
];

const CHECKS = ['replica', 'store', 'skip', undefined];

describe.each(STORES)('sessions over HTTP on $name', ({ prepare }) => {
  const service = useService(prepare);
  let acme: TestTenant;

  beforeAll(async () => {
    acme = await service().tenant();
  });

  const nowSeconds = () => service().clock.nowMs() / 1000;

  const turnTo = (seconds: number) =>
    service().clock.advanceSeconds((Math.round(seconds * 1000) - service().clock.nowMs()) / 1000);

  const read = (tenant: TestTenant, sessionId: string) =>
    service().call('GET', `/sessions/${sessionId}`, { apiKey: tenant.apiKey });

  const list = (tenant: TestTenant, userId = 'alice') =>
    service().call<SessionList>(
      'GET',
      `/sessions?tenant_id=${tenant.tenantId}&user_id=${encodeURIComponent(userId)}`,
      { apiKey: tenant.apiKey },
    );

  const idsOf = async (tenant: TestTenant, userId?: string) =>
    (await list(tenant, userId)).body.sessions.map(({ session_id: id }) => id);

  const revokeBatch = (tenant: TestTenant, body: unknown) =>
    service().post<BatchAnswer & Record<string, unknown>>(tenant, '/sessions/revoke-batch', body);

  const revokeUser = (tenant: TestTenant, userId: string) =>
    service().post(tenant, '/sessions/revoke-all', {
      tenant_id: tenant.tenantId,
      user_id: userId,
      reason: 'password_change',
    });

  const revokeTenant = (tenant: TestTenant) =>
    service().post(tenant, `/tenants/${tenant.tenantId}/revoke-all`, { reason: 'security_incident' });

  const remove = (tenant: TestTenant, sessionId: string, query = '') =>
    service().call('DELETE', `/sessions/${sessionId}${query}`, { apiKey: tenant.apiKey });

  const create = (more: Record<string, unknown>) =>
    service().post(acme, '/sessions', { tenant_id: acme.tenantId, user_id: 'alice', scope: '', ...more });

  const expectDead = async (tenant: TestTenant, session: Tokens) => {
    expect(await service().validate(tenant, session.access_token)).toMatchObject({
      status: 401,
      body: { valid: false, error: 'token_revoked', action: 'reauthenticate' },
    });
    expect(await service().refresh(tenant, session.refresh_token)).toMatchObject({
      status: 401,
      body: { error: 'token_revoked', action: 'reauthenticate' },
    });
  };

  const expectAlive = async (tenant: TestTenant, session: Tokens) => {
    expect((await service().validate(tenant, session.access_token, 'store')).status).toBe(200);
  };

  describe('tokens', () => {
    test('are answered with their lives', async () => {
      const { status, body } = await service().post(acme, '/sessions', {
        tenant_id: acme.tenantId,
        user_id: 'alice',
        scope: 'read',
      });
      expect(status).toBe(201);
      expect(body).toEqual({
        session_id: expect.stringMatching(/^[A-Za-z0-9_-]{26}$/),
        access_token: expect.stringMatching(/^[\w-]+\.[\w-]+\.[\w-]{342}$/),
        refresh_token: expect.stringMatching(/^[\w-]+\.[\w-]+\.[\w-]{43}$/),
        token_type: 'Bearer',
        expires_in: 900,
        refresh_expires_in: 2_592_000,
      });
    });

    test('for access say exactly what they should', async () => {
      const metadata = { device: 'phone', mfa: true, level: 2, tags: ['a', 'b'] };
      const session = await service().createSession(acme, { scope: 'read write', metadata });
      const { header, claims } = partsOf(session.access_token);
      expect(header).toEqual({ alg: 'RS256', typ: 'at+jwt', kid: UUID });
      expect(claims).toEqual({
        iss: `http://localhost:3000/tenants/${acme.tenantId}`,
        sub: 'alice',
        aud: acme.tenantId,
        exp: nowSeconds() + 900,
        iat: nowSeconds(),
        nbf: nowSeconds(),
        jti: RANDOM_ID,
        sid: session.session_id,
        tenant_id: acme.tenantId,
        scope: 'read write',
        metadata,
        token_type: 'access',
      });
    });

    test('for refresh say exactly what they should', async () => {
      const session = await service().createSession(acme, { metadata: { device: 'phone' } });
      const { header, claims } = partsOf(session.refresh_token);
      expect(header).toEqual({ alg: 'HS256', typ: 'rt+jwt', kid: UUID });
      expect(claims).toEqual({
        iss: `http://localhost:3000/tenants/${acme.tenantId}`,
        sub: 'alice',
        aud: 'http://localhost:3000',
        exp: nowSeconds() + 2_592_000,
        iat: nowSeconds(),
        jti: expect.stringMatching(/^[0-9a-f-]{36}_0$/),
        sid: session.session_id,
        tenant_id: acme.tenantId,
        token_type: 'refresh',
      });
      expect(header['kid']).not.toBe(partsOf(session.access_token).header['kid']);
    });

    test('never share an id', async () => {
      const session = await service().createSession(acme);
      const refreshed = (await service().refresh(acme, session.refresh_token)).body;
      const tokens = [session, refreshed].flatMap((pair) => [pair.access_token, pair.refresh_token]);
      expect(new Set(tokens.map((token) => partsOf(token).claims['jti'])).size).toBe(4);
    });
  });

  describe('validation', () => {
    test('answers with the claims, and with what was asked for revocation', async () => {
      const session = await service().createSession(acme, { metadata: { device: 'phone', mfa: true } });
      for (const check of CHECKS) {
        const { status, body } = await service().validate(acme, session.access_token, check);
        expect(status).toBe(200);
        expect(body).toEqual({
          valid: true,
          claims: partsOf(session.access_token).claims,
          revocation:
            check === 'skip'
              ? { checked: 'skip', age_ms: null }
              : { checked: expect.stringMatching(/^(replica|store)$/), age_ms: expect.any(Number) },
        });
      }
    });

    test('accepts a token to the last millisecond of its life and not beyond, by every check', async () => {
      const session = await service().createSession(acme);
      service().clock.advanceSeconds(899.999);
      for (const check of CHECKS) {
        expect((await service().validate(acme, session.access_token, check)).status).toBe(200);
      }
      service().clock.advanceSeconds(0.001);
      for (const check of CHECKS) {
        const answer = await service().validate(acme, session.access_token, check);
        expect(answer).toMatchObject({
          status: 401,
          body: { valid: false, error: 'token_expired', action: 'refresh', request_id: expect.any(String) },
        });
      }
    });

    test('accepts a token from an instance that is up to 5 seconds ahead', async () => {
      const session = await service().createSession(acme);
      service().clock.advanceSeconds(-5);
      expect((await service().validate(acme, session.access_token)).status).toBe(200);
      expect((await service().refresh(acme, session.refresh_token)).status).toBe(200);
      service().clock.advanceSeconds(-1);
      expect(await service().validate(acme, session.access_token)).toMatchObject({
        status: 401,
        body: { valid: false, error: 'invalid_token' },
      });
      expect(await service().refresh(acme, session.refresh_token)).toMatchObject({
        status: 401,
        body: { error: 'invalid_token' },
      });
      service().clock.advanceSeconds(6);
    });

    test('leaves the decision about a revoked session to the caller who skips the check', async () => {
      const session = await service().createSession(acme);
      await service().revoke(acme, session.access_token);
      expect((await service().validate(acme, session.access_token, 'skip')).status).toBe(200);
      expect((await service().validate(acme, session.access_token, 'store')).status).toBe(401);
    });

    test('refuses a check that does not exist', async () => {
      const session = await service().createSession(acme);
      for (const check of ['none', '', 'STORE']) {
        expect(await service().validate(acme, session.access_token, check)).toMatchObject({
          status: 400,
          body: { error: 'invalid_request' },
        });
      }
    });
  });

  describe('refresh', () => {
    test('answers with a new pair for the same session and leaves the old access token alone', async () => {
      const session = await service().createSession(acme, { scope: 'a b', metadata: { device: 'phone' } });
      service().clock.advanceSeconds(100);
      const { status, body } = await service().refresh(acme, session.refresh_token);
      expect(status).toBe(200);
      expect(Object.keys(body).toSorted()).toEqual(Object.keys(session).toSorted());
      expect(body.session_id).toBe(session.session_id);
      expect(partsOf(body.access_token).claims).toMatchObject({
        scope: 'a b',
        metadata: { device: 'phone' },
        iat: nowSeconds(),
        exp: nowSeconds() + 900,
      });
      await expectAlive(acme, session);
      await expectAlive(acme, body);
    });

    test('repeated within the grace window answers with the same successor, byte for byte', async () => {
      const session = await service().createSession(acme);
      const first = await service().refresh(acme, session.refresh_token);
      service().clock.advanceSeconds(9.999);
      const second = await service().refresh(acme, session.refresh_token);
      expect([first.status, second.status]).toEqual([200, 200]);
      expect(second.body.refresh_token).toBe(first.body.refresh_token);
      expect(second.body.refresh_token).not.toBe(session.refresh_token);
      expect(second.body.access_token).not.toBe(first.body.access_token);
      await expectAlive(acme, second.body);
    });

    test('with a token used again after the grace window ends the session', async () => {
      const session = await service().createSession(acme);
      const next = (await service().refresh(acme, session.refresh_token)).body;
      service().clock.advanceSeconds(10);
      expect(await service().refresh(acme, session.refresh_token)).toMatchObject({
        status: 401,
        body: { error: 'refresh_token_reused', action: 'reauthenticate' },
      });
      await expectDead(acme, session);
      await expectDead(acme, next);
      expect((await read(acme, session.session_id)).status).toBe(404);
    });

    test('with the last token but one ends the session even within the grace window', async () => {
      const session = await service().createSession(acme);
      const second = (await service().refresh(acme, session.refresh_token)).body;
      await service().refresh(acme, second.refresh_token);
      expect(await service().refresh(acme, session.refresh_token)).toMatchObject({
        status: 401,
        body: { error: 'refresh_token_reused' },
      });
      await expectDead(acme, second);
    });

    test('by 30 at once leaves one lineage and ends nobody', async () => {
      const session = await service().createSession(acme);
      const answers = await Promise.all(
        Array.from({ length: 30 }, () => service().refresh(acme, session.refresh_token)),
      );
      expect(new Set(answers.map(({ status }) => status))).toEqual(new Set([200]));
      const successors = new Set(answers.map(({ body }) => body.refresh_token));
      expect(successors.size).toBe(1);
      const [successor = ''] = successors;
      expect((await service().refresh(acme, successor)).status).toBe(200);
      for (const { body } of answers.slice(0, 5)) await expectAlive(acme, body);
    });

    test('keeps a session alive beyond its idle life, up to its absolute end', async () => {
      const tenant = await service().tenant({
        refresh_token_ttl_seconds: 1000,
        session_max_lifetime_seconds: 2500,
      });
      const startedAt = nowSeconds();
      const session = await service().createSession(tenant);
      expect(session.refresh_expires_in).toBe(1000);

      turnTo(startedAt + 999.999);
      const second = (await service().refresh(tenant, session.refresh_token)).body;
      turnTo(startedAt + 1900);
      const third = (await service().refresh(tenant, second.refresh_token)).body;
      expect([third.refresh_expires_in, third.expires_in]).toEqual([600, 600]);
      expect((await read(tenant, session.session_id)).body).toMatchObject({
        created_at: startedAt,
        last_used_at: startedAt + 1900,
        expires_at: startedAt + 2500,
        absolute_expires_at: startedAt + 2500,
      });

      turnTo(startedAt + 2499.999);
      await expectAlive(tenant, third);
      turnTo(startedAt + 2500);
      expect(await service().validate(tenant, third.access_token)).toMatchObject({
        status: 401,
        body: { error: 'token_expired' },
      });
      expect(await service().refresh(tenant, third.refresh_token)).toMatchObject({
        status: 401,
        body: { error: 'token_expired', action: 'reauthenticate' },
      });
      expect((await read(tenant, session.session_id)).status).toBe(404);
      expect(await idsOf(tenant)).toEqual([]);
    });

    test('after the idle life is over is refused', async () => {
      const tenant = await service().tenant({ refresh_token_ttl_seconds: 1000 });
      const session = await service().createSession(tenant);
      service().clock.advanceSeconds(1000);
      expect(await service().refresh(tenant, session.refresh_token)).toMatchObject({
        status: 401,
        body: { error: 'token_expired', action: 'reauthenticate' },
      });
      expect(await idsOf(tenant)).toEqual([]);
    });

    test('never issues an access token that outlives its session', async () => {
      const tenant = await service().tenant({ refresh_token_ttl_seconds: 300 });
      const session = await service().createSession(tenant);
      expect([session.expires_in, session.refresh_expires_in]).toEqual([300, 300]);
    });
  });

  describe('revocation', () => {
    test.each(['access_token', 'refresh_token'] as const)('by %s ends the whole session', async (kind) => {
      const session = await service().createSession(acme);
      const next = (await service().refresh(acme, session.refresh_token)).body;
      expect(await service().revoke(acme, session[kind])).toMatchObject({ status: 204, body: undefined });
      await expectDead(acme, session);
      await expectDead(acme, next);
      expect((await read(acme, session.session_id)).status).toBe(404);
    });

    test('by an expired access token ends the session', async () => {
      const session = await service().createSession(acme);
      service().clock.advanceSeconds(901);
      expect((await service().revoke(acme, session.access_token)).status).toBe(204);
      expect(await service().refresh(acme, session.refresh_token)).toMatchObject({
        status: 401,
        body: { error: 'token_revoked' },
      });
    });

    test('may be repeated', async () => {
      const session = await service().createSession(acme);
      for (const token of [session.access_token, session.access_token, session.refresh_token]) {
        expect((await service().revoke(acme, token)).status).toBe(204);
      }
      await expectDead(acme, session);
    });

    test('of a session that has expired is no error', async () => {
      const tenant = await service().tenant({ refresh_token_ttl_seconds: 10 });
      const session = await service().createSession(tenant);
      service().clock.advanceSeconds(11);
      expect((await service().revoke(tenant, session.refresh_token)).status).toBe(204);
    });

    test('with only_this_token ends the access token and lets the session live', async () => {
      const session = await service().createSession(acme);
      const next = (await service().refresh(acme, session.refresh_token)).body;
      const leaked = { only_this_token: true, reason: 'security_incident', comment: 'in a log file' };
      expect((await service().revoke(acme, session.access_token, leaked)).status).toBe(204);
      expect(await service().validate(acme, session.access_token)).toMatchObject({
        status: 401,
        body: { error: 'token_revoked' },
      });
      await expectAlive(acme, next);
      expect((await service().refresh(acme, next.refresh_token)).status).toBe(200);
    });

    test('with only_this_token refuses a refresh token and ends nothing', async () => {
      const session = await service().createSession(acme);
      const answer = await service().revoke(acme, session.refresh_token, { only_this_token: true });
      expect(answer).toMatchObject({
        status: 400,
        body: { error: 'invalid_request', action: 'fix_request' },
      });
      await expectAlive(acme, session);
      expect((await service().refresh(acme, session.refresh_token)).status).toBe(200);
    });

    test.each([
      { reason: 'because' },
      { reason: '' },
      { reason: null },
      { reason: undefined },
      { comment: 'x'.repeat(501) },
      { only_this_token: 'true' },
    ])('refuses %j and ends nothing', async (more) => {
      const session = await service().createSession(acme);
      expect(await service().revoke(acme, session.access_token, more)).toMatchObject({
        status: 400,
        body: { error: 'invalid_request' },
      });
      await expectAlive(acme, session);
    });

    test('outlives the session for as long as its access tokens could live', async () => {
      const tenant = await service().tenant({ access_token_ttl_seconds: 86_400 });
      const session = await service().createSession(tenant);
      await service().revoke(tenant, session.refresh_token);
      service().clock.advanceSeconds(86_399);
      expect(await service().validate(tenant, session.access_token)).toMatchObject({
        status: 401,
        body: { error: 'token_revoked' },
      });
    });
  });

  describe('revocation of a batch', () => {
    test('answers for each token and each id in the order they were sent', async () => {
      const bravo = await service().tenant();
      const [one, two, three, four] = await Promise.all(
        Array.from({ length: 4 }, () => service().createSession(acme)),
      );
      const foreign = await service().createSession(bravo);
      if (!one || !two || !three || !four) throw new Error('unreachable');
      await service().revoke(acme, four.access_token);
      const { status, body } = await revokeBatch(acme, {
        tokens: [one.access_token, 'nonsense', two.refresh_token, foreign.access_token, four.access_token],
        session_ids: [three.session_id, foreign.session_id, 'nonsense'],
        reason: 'admin',
      });
      expect(status).toBe(200);
      expect(body).toEqual({
        revoked_count: 3,
        results: [
          { token_index: 0, status: 'revoked' },
          { token_index: 1, status: 'refused', error: 'invalid_token' },
          { token_index: 2, status: 'revoked' },
          { token_index: 3, status: 'refused', error: 'invalid_token' },
          { token_index: 4, status: 'not_found' },
          { session_id: three.session_id, status: 'revoked' },
          { session_id: foreign.session_id, status: 'not_found' },
          { session_id: 'nonsense', status: 'not_found' },
        ],
      });
      for (const session of [one, two, three]) await expectDead(acme, session);
      await expectAlive(bravo, foreign);
    });

    test('counts a session once, however often it is named', async () => {
      const [one, two] = [await service().createSession(acme), await service().createSession(acme)];
      const { status, body } = await revokeBatch(acme, {
        tokens: [one.access_token, one.refresh_token, one.access_token],
        session_ids: [one.session_id, two.session_id],
        reason: 'admin',
      });
      expect(status).toBe(200);
      expect(body.revoked_count).toBe(2);
      expect(body.results.map((result) => result.status)).toEqual(Array.from({ length: 5 }, () => 'revoked'));
      await expectDead(acme, one);
      await expectDead(acme, two);
    });

    test('takes 1,000 real tokens', async () => {
      const tenant = await service().tenant({ max_sessions_per_user: 1000 });
      const sessions: Tokens[] = [];
      while (sessions.length < 500) {
        const more = Array.from({ length: 50 }, () => service().createSession(tenant));
        sessions.push(...(await Promise.all(more)));
      }
      const tokens = sessions.flatMap((session) => [session.access_token, session.refresh_token]);
      expect(JSON.stringify(tokens).length).toBeGreaterThan(10 * 65_536);
      const { status, body } = await revokeBatch(tenant, { tokens, reason: 'security_incident' });
      expect(status).toBe(200);
      expect(body.results).toHaveLength(1000);
      expect(body.results.every((result) => result.status === 'revoked')).toBe(true);
      expect(body.revoked_count).toBe(500);
      expect(await idsOf(tenant)).toEqual([]);
    });

    test.each([
      ['nothing', {}],
      ['empty lists', { tokens: [], session_ids: [] }],
      ['1,001 tokens', { tokens: Array.from({ length: 1001 }, () => 'x') }],
      [
        '1,001 tokens and ids together',
        {
          tokens: Array.from({ length: 501 }, () => 'x'),
          session_ids: Array.from({ length: 500 }, (_, at) => `id-${at}`),
        },
      ],
      ['a token that is no text', { tokens: [7] }],
      ['text in place of a list', { tokens: 'abc' }],
      ['an object in place of a list', { session_ids: { 0: 'a', length: 1 } }],
      ['a reason that does not exist', { tokens: ['x'], reason: 'because' }],
      ['an unknown member', { tokens: ['x'], token: 'x' }],
    ])('refuses %s', async (_, body) => {
      expect(await revokeBatch(acme, { reason: 'admin', ...body })).toMatchObject({
        status: 400,
        body: { error: 'invalid_request' },
      });
    });

    test('refuses a body beyond its own limit', async () => {
      const answer = await revokeBatch(acme, { tokens: ['x'.repeat(4 * 1024 * 1024)], reason: 'admin' });
      expect(answer).toMatchObject({ status: 413, body: { error: 'payload_too_large' } });
    });
  });

  describe('revocation of a user', () => {
    test('ends all of the sessions of that user and nobody else', async () => {
      const bravo = await service().tenant();
      const userId = 'née O’Brien/"*?{}[]:%00';
      const own = [
        await service().createSession(acme, { user_id: userId }),
        await service().createSession(acme, { user_id: userId }),
      ];
      const others = [
        [acme, await service().createSession(acme, { user_id: `${userId}x` })],
        [acme, await service().createSession(acme, { user_id: '*' })],
        [bravo, await service().createSession(bravo, { user_id: userId })],
      ] as const;
      expect(await revokeUser(acme, userId)).toMatchObject({ status: 200, body: { revoked_count: 2 } });
      for (const session of own) await expectDead(acme, session);
      for (const [tenant, session] of others) await expectAlive(tenant, session);
      expect(await idsOf(acme, userId)).toEqual([]);
      expect(await revokeUser(acme, userId)).toMatchObject({ status: 200, body: { revoked_count: 0 } });
    });

    test('of nobody counts nothing', async () => {
      expect(await revokeUser(acme, 'nobody')).toMatchObject({ status: 200, body: { revoked_count: 0 } });
    });

    test('lets the user log in again', async () => {
      await service().createSession(acme, { user_id: 'bob' });
      await revokeUser(acme, 'bob');
      const fresh = await service().createSession(acme, { user_id: 'bob' });
      await expectAlive(acme, fresh);
      expect(await idsOf(acme, 'bob')).toEqual([fresh.session_id]);
    });
  });

  describe('revocation of a tenant', () => {
    test('ends every session by a new epoch and lets new ones begin', async () => {
      const [tenant, other] = [await service().tenant(), await service().tenant()];
      const old = await service().createSession(tenant);
      const rotated = (await service().refresh(tenant, old.refresh_token)).body;
      const untouched = await service().createSession(other);

      expect(await revokeTenant(tenant)).toMatchObject({ status: 200, body: { epoch: 2 } });
      await expectDead(tenant, old);
      await expectDead(tenant, rotated);
      expect(await service().validate(tenant, old.access_token, 'skip')).toMatchObject({
        status: 401,
        body: { error: 'token_revoked' },
      });
      expect((await read(tenant, old.session_id)).status).toBe(404);
      expect(await idsOf(tenant)).toEqual([]);

      const fresh = await service().createSession(tenant);
      await expectAlive(tenant, fresh);
      expect((await service().refresh(tenant, fresh.refresh_token)).status).toBe(200);
      expect(await idsOf(tenant)).toEqual([fresh.session_id]);
      await expectAlive(other, untouched);
    });

    test('moves the epoch each time', async () => {
      const tenant = await service().tenant();
      const epochs = [];
      for (let at = 0; at < 3; at++) epochs.push((await revokeTenant(tenant)).body['epoch']);
      expect(epochs).toEqual([2, 3, 4]);
    });

    test('lets an older token be revoked once more', async () => {
      const tenant = await service().tenant();
      const old = await service().createSession(tenant);
      await revokeTenant(tenant);
      for (const token of [old.access_token, old.refresh_token]) {
        expect((await service().revoke(tenant, token)).status).toBe(204);
      }
      await expectDead(tenant, old);
    });
  });

  describe('the list', () => {
    test('shows live sessions, oldest first', async () => {
      const tenant = await service().tenant({ refresh_token_ttl_seconds: 100 });
      const expired = await service().createSession(tenant);
      service().clock.advanceSeconds(100);
      const first = await service().createSession(tenant, { scope: 'a', metadata: { n: 1 } });
      const createdAt = nowSeconds();
      service().clock.advanceSeconds(5);
      const second = await service().createSession(tenant);
      const ended = await service().createSession(tenant);
      await service().revoke(tenant, ended.access_token);
      await service().createSession(tenant, { user_id: 'bob' });
      await service().refresh(tenant, first.refresh_token);

      const { status, body } = await list(tenant);
      expect(status).toBe(200);
      expect(body.sessions.map(({ session_id: id }) => id)).toEqual([first.session_id, second.session_id]);
      expect(body.sessions[0]).toEqual({
        session_id: first.session_id,
        tenant_id: tenant.tenantId,
        user_id: 'alice',
        scope: 'a',
        metadata: { n: 1 },
        created_at: createdAt,
        last_used_at: createdAt + 5,
        expires_at: createdAt + 105,
        absolute_expires_at: createdAt + 7_776_000,
      });
      expect(await read(tenant, first.session_id)).toMatchObject({ status: 200, body: body.sessions[0] });
      expect((await read(tenant, expired.session_id)).status).toBe(404);
    });

    test('of somebody unknown is empty', async () => {
      expect(await list(acme, 'nobody')).toMatchObject({ status: 200, body: { sessions: [] } });
    });

    test.each([
      '',
      '?tenant_id=acme',
      '?user_id=alice',
      '?tenant_id=&user_id=alice',
      '?tenant_id=acme&user_id=',
      '?tenant_id=acme&user_id=a&user_id=b',
      '?tenant_id=acme&user_id=alice&x=1',
      '?tenant_id=acme&user_id=a%00b',
      '?tenant_id[]=acme&user_id=alice',
    ])('refuses the query "%s"', async (query) => {
      expect(await service().call('GET', `/sessions${query}`, { apiKey: acme.apiKey })).toMatchObject({
        status: 400,
        body: { error: 'invalid_request' },
      });
    });
  });

  describe('deletion', () => {
    test('ends the session once', async () => {
      const session = await service().createSession(acme);
      expect(await remove(acme, session.session_id, '?reason=admin&comment=asked%20for')).toMatchObject({
        status: 204,
        body: undefined,
      });
      await expectDead(acme, session);
      expect(await remove(acme, session.session_id)).toMatchObject({
        status: 404,
        body: { error: 'session_not_found' },
      });
    });

    test('needs no reason', async () => {
      const session = await service().createSession(acme);
      expect((await remove(acme, session.session_id)).status).toBe(204);
      await expectDead(acme, session);
    });

    test('refuses a reason that does not exist and ends nothing', async () => {
      const session = await service().createSession(acme);
      expect(await remove(acme, session.session_id, '?reason=because')).toMatchObject({ status: 400 });
      await expectAlive(acme, session);
    });

    test.each(['x', 'A'.repeat(26), 'A'.repeat(27), '%00', '%2a', '..%2f..%2ftenants', '{}'])(
      'does not find %s',
      async (id) => {
        for (const answer of [await read(acme, id), await remove(acme, id)]) {
          expect(answer).toMatchObject({ status: 404, body: { error: 'session_not_found' } });
        }
      },
    );
  });

  describe('the limit', () => {
    test('ends the oldest session for a new one', async () => {
      const tenant = await service().tenant({ max_sessions_per_user: 2 });
      const sessions: Tokens[] = [];
      for (let at = 0; at < 4; at++) {
        sessions.push(await service().createSession(tenant));
        service().clock.advanceSeconds(1);
      }
      const bob = await service().createSession(tenant, { user_id: 'bob' });
      const [one, two, three, four] = sessions;
      if (!one || !two || !three || !four) throw new Error('unreachable');
      await expectDead(tenant, one);
      await expectDead(tenant, two);
      await expectAlive(tenant, three);
      await expectAlive(tenant, four);
      await expectAlive(tenant, bob);
      expect(await idsOf(tenant)).toEqual([three.session_id, four.session_id]);
    });

    test('does not count sessions that have ended', async () => {
      const tenant = await service().tenant({ max_sessions_per_user: 2, refresh_token_ttl_seconds: 50 });
      const ended = await service().createSession(tenant);
      await service().revoke(tenant, ended.access_token);
      await service().createSession(tenant);
      service().clock.advanceSeconds(50);
      const [one, two] = [await service().createSession(tenant), await service().createSession(tenant)];
      await expectAlive(tenant, one);
      await expectAlive(tenant, two);
    });

    test('holds when many sessions begin at once', async () => {
      const tenant = await service().tenant({ max_sessions_per_user: 3 });
      await Promise.all(Array.from({ length: 12 }, () => service().createSession(tenant)));
      expect(await idsOf(tenant)).toHaveLength(3);
    });
  });

  describe('what a session may hold', () => {
    test.each([
      'a',
      ' ',
      'x'.repeat(256),
      '😀'.repeat(64),
      'ü'.repeat(128),
      'auth0|5f7c8ec7c33c6c004bbafe82',
      'urn:user:{42}:*',
      'Ärger & "Söhne" <x>',
      '__proto__',
      'é'.normalize('NFD'),
    ])('user_id %j travels unchanged', async (userId) => {
      const { status, body } = await create({ user_id: userId });
      expect(status).toBe(201);
      expect(partsOf(String(body['access_token'])).claims['sub']).toBe(userId);
      const validated = await service().validate(acme, String(body['access_token']));
      expect(validated).toMatchObject({ status: 200, body: { claims: { sub: userId } } });
      expect(await idsOf(acme, userId)).toContain(body['session_id']);
    });

    test('two spellings of a name are two users', async () => {
      const tenant = await service().tenant();
      await service().createSession(tenant, { user_id: 'é'.normalize('NFC') });
      expect(await idsOf(tenant, 'é'.normalize('NFD'))).toEqual([]);
    });

    test.each([
      '',
      'x'.repeat(257),
      '😀'.repeat(65),
      'a\u0000b',
      'a\nb',
      'a\u202Eb',
      'a\u200Bb',
      'a\u2028b',
      'a\u007F',
      7,
      null,
      true,
      ['alice'],
      { $ne: null },
      undefined,
    ])('user_id %j is refused', async (userId) => {
      expect(await create({ user_id: userId })).toMatchObject({
        status: 400,
        body: { error: 'invalid_request' },
      });
    });

    test.each(['', 'read', 'read write', 'https://api/read:all', 'x'.repeat(1024)])(
      'scope %j travels unchanged',
      async (scope) => {
        const { status, body } = await create({ scope });
        expect(status).toBe(201);
        expect(partsOf(String(body['access_token'])).claims['scope']).toBe(scope);
      },
    );

    test.each([
      ' ',
      'a  b',
      ' a',
      'a ',
      'a\tb',
      'a"b',
      'a\\b',
      'é',
      'x'.repeat(1025),
      7,
      null,
      ['read'],
      undefined,
    ])('scope %j is refused', async (scope) => {
      expect(await create({ scope })).toMatchObject({ status: 400, body: { error: 'invalid_request' } });
    });

    test.each(ACCEPTED_METADATA)('metadata %j travels unchanged', async (metadata) => {
      const { status, body } = await create({ metadata });
      expect(status).toBe(201);
      const validated = await service().validate(acme, String(body['access_token']));
      expect(validated.status).toBe(200);
      expect(validated.body['claims']).toHaveProperty('metadata', metadata);
      expect((await read(acme, String(body['session_id']))).body['metadata']).toEqual(metadata);
      const refreshed = await service().refresh(acme, String(body['refresh_token']));
      expect(partsOf(refreshed.body.access_token).claims['metadata']).toEqual(metadata);
    });

    test('metadata that is left out is empty', async () => {
      const { body } = await create({});
      expect(partsOf(String(body['access_token'])).claims['metadata']).toEqual({});
    });

    test.each([
      [[]],
      ['text'],
      [7],
      [{ nested: {} }],
      [{ nested: null }],
      [{ list: [[]] }],
      [{ list: [{}] }],
      [{ list: [null] }],
      [Object.fromEntries(Array.from({ length: 33 }, (_, at) => [`m${at}`, at]))],
      [{ full: 'x'.repeat(4097 - '{"full":""}'.length) }],
      [{ full: 'ü'.repeat(2047) }],
      [{ big: 9_007_199_254_740_992 }],
    ])('metadata %j is refused', async (metadata) => {
      expect(await create({ metadata })).toMatchObject({ status: 400, body: { error: 'invalid_request' } });
    });

    test.each([
      '1e400',
      '{"a":1e400}',
      '{"a":12345678901234567890}',
      '{"a":"\\ud800"}',
      '{"\\udfff":1}',
      '{"constructor":"x"}',
    ])('metadata %s is refused', async (metadata) => {
      const body = `{"tenant_id":"${acme.tenantId}","user_id":"alice","scope":"","metadata":${metadata}}`;
      expect(await service().post(acme, '/sessions', body)).toMatchObject({
        status: 400,
        body: { error: 'invalid_request' },
      });
    });

    test('a tenant_id other than the caller’s own is not found', async () => {
      for (const tenantId of ['nobody', '', 'UPPER', '*', 'a'.repeat(64)]) {
        expect(await create({ tenant_id: tenantId })).toMatchObject({
          status: 404,
          body: { error: 'tenant_not_found' },
        });
      }
    });
  });
});
