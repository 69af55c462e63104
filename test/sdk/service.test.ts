/** The SDK beside the real service, on both stores. */
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test } from '@jest/globals';
import {
  SessionClient,
  SessionTokens,
  SessionVerifier,
  type SessionClientOptions,
  type VerifierOptions,
} from '../../sdk/src/index.js';
import { useService } from '../e2e/use-service.js';
import { eventually } from '../support/eventually.js';
import { STORES, type TestTenant } from '../support/test-service.js';
import { Link } from './link.js';

describe.each(STORES)('the SDK and the service on $name', ({ name, prepare }) => {
  const service = useService(prepare);
  let link: Link;
  let tenant: TestTenant;
  let client: SessionClient;
  const made: SessionVerifier[] = [];

  beforeAll(async () => {
    link = await Link.to(service().url);
  });

  afterAll(async () => {
    await link.stop();
  });

  beforeEach(async () => {
    link.mend();
    link.sent = '';
    tenant = await service().tenant();
    client = clientOf();
  });

  afterEach(() => {
    for (const verifier of made.splice(0)) verifier.close();
  });

  /** Slow machines are no outage here. */
  const clientOf = (more: Partial<SessionClientOptions> = {}): SessionClient =>
    new SessionClient({
      url: link.url,
      apiKey: tenant.apiKey,
      timeoutMs: 60_000,
      attemptTimeoutMs: 30_000,
      ...more,
    });

  const verifierOf = (more: Partial<VerifierOptions> = {}): SessionVerifier => {
    const verifier = new SessionVerifier({
      url: link.url,
      apiKey: tenant.apiKey,
      issuer: `http://localhost:3000/tenants/${tenant.tenantId}`,
      maxStalenessMs: 60_000,
      jwksCooldownMs: 20,
      timeoutMs: 60_000,
      nowMs: () => service().clock.nowMs(),
      ...more,
    });
    made.push(verifier);
    return verifier;
  };

  const following = async (more: Partial<VerifierOptions> = {}): Promise<SessionVerifier> => {
    const verifier = verifierOf(more);
    await verifier.ready();
    return verifier;
  };

  const verdict = async (verifier: SessionVerifier, token: string): Promise<string> =>
    verifier.verify(token).then(
      () => 'valid',
      (error: { code: string }) => error.code,
    );

  const refused = (verifier: SessionVerifier, token: string): Promise<string> =>
    eventually(
      () => verdict(verifier, token),
      (seen) => seen === 'token_revoked',
    );

  describe('a client', () => {
    test('creates, validates, refreshes, lists, reads and ends a session', async () => {
      const issued = await client.create({ userId: 'bob', scope: 'read', metadata: { device: 'phone' } });
      expect(issued).toMatchObject({ expiresInSeconds: 900, refreshExpiresInSeconds: 2_592_000 });
      const { sessionId } = issued;
      for (const check of ['replica', 'store'] as const) {
        expect(await client.validate(issued.accessToken, { check })).toMatchObject({
          sessionId,
          userId: 'bob',
          tenantId: tenant.tenantId,
          scopes: ['read'],
          metadata: { device: 'phone' },
          revocation: { checked: 'service' },
        });
      }
      const skipped = await client.validate(issued.accessToken, { check: 'skip' });
      expect(skipped.revocation).toEqual({ checked: 'none', ageMs: null });
      const newer = await client.refresh(issued.refreshToken);
      expect(newer.sessionId).toBe(sessionId);
      expect(newer.refreshToken).not.toBe(issued.refreshToken);
      const [listed] = await client.list('bob');
      expect(listed).toEqual(await client.read(sessionId));
      expect(listed).toMatchObject({ sessionId, userId: 'bob', scope: 'read', createdAt: expect.any(Date) });
      expect(listed?.createdAt.getTime()).toBe(service().clock.nowMs());
      await client.end(sessionId, { reason: 'admin', comment: 'asked for by phone' });
      await expect(client.read(sessionId)).rejects.toMatchObject({ code: 'session_not_found', status: 404 });
      await expect(client.end(sessionId, { reason: 'admin' })).rejects.toMatchObject({
        code: 'session_not_found',
      });
      const story = await eventually(
        () => client.history(sessionId),
        ({ state }) => state === 'ended',
      );
      expect(story).toMatchObject({ sessionId, userId: 'bob', summary: expect.any(String) });
      expect(story.events[0]).toMatchObject({ time: expect.any(Date), what: expect.any(String) });
      expect((await client.jwks()).keys[0]).toMatchObject({ kty: 'RSA', alg: 'RS256' });
    });

    test('revokes a session, a token alone, a batch, a user, a tenant', async () => {
      const [first, second, third, fourth] = await Promise.all(
        Array.from({ length: 4 }, () => client.create({ userId: 'bob' })),
      );
      if (!first || !second || !third || !fourth) throw new Error('four were made');
      await client.revoke(first.accessToken, { reason: 'user_logout' });
      await expect(client.validate(first.accessToken)).rejects.toMatchObject({
        code: 'token_revoked',
        action: 'reauthenticate',
        status: 401,
        requestId: expect.any(String),
      });
      await client.revokeToken(second.accessToken, { reason: 'security_incident' });
      await expect(client.validate(second.accessToken)).rejects.toMatchObject({ code: 'token_revoked' });
      const newer = await client.refresh(second.refreshToken);
      expect((await client.validate(newer.accessToken)).sessionId).toBe(second.sessionId);
      const batch = await client.revokeBatch(
        { tokens: [second.refreshToken, 'x'], sessionIds: [first.sessionId] },
        { reason: 'admin' },
      );
      expect(batch).toEqual({
        revokedCount: 1,
        results: [
          { tokenIndex: 0, status: 'revoked' },
          { tokenIndex: 1, status: 'refused', error: 'invalid_token' },
          { sessionId: first.sessionId, status: 'not_found' },
        ],
      });
      expect(await client.revokeAll('bob', { reason: 'password_change' })).toBe(2);
      expect(await client.list('bob')).toEqual([]);
      const last = await client.create({ userId: 'bob' });
      expect(await client.revokeTenant({ reason: 'security_incident' })).toBe(2);
      await expect(client.validate(last.accessToken)).rejects.toMatchObject({ code: 'token_revoked' });
    });

    test('says in the words of the service what is wrong', async () => {
      await expect(client.create({ userId: '' })).rejects.toMatchObject({
        code: 'invalid_request',
        action: 'fix_request',
        status: 400,
        requestId: expect.any(String),
      });
      await expect(client.refresh('x')).rejects.toMatchObject({
        code: 'invalid_token',
        action: 'reauthenticate',
      });
      const stranger = clientOf({ apiKey: `${tenant.apiKey.slice(0, -8)}00000000` });
      await expect(stranger.list('bob')).rejects.toMatchObject({
        code: 'unauthorized',
        action: 'fix_request',
      });
    });

    test('repeats what is safe when an answer is lost, and nothing else', async () => {
      const issued = await client.create({ userId: 'bob' });
      const path = '/sessions/refresh';
      const lost = link.loseAnswerTo(path);
      const newer = await client.refresh(issued.refreshToken);
      await lost;
      expect(link.sent.split(`POST ${path}`)).toHaveLength(3);
      // The lineage is one: what the lost answer had was the same successor.
      expect((await client.refresh(newer.refreshToken)).sessionId).toBe(issued.sessionId);

      const ended = link.loseAnswerTo(`DELETE /sessions/${issued.sessionId}`);
      await client.end(issued.sessionId, { reason: 'admin' });
      await ended;

      const created = link.loseAnswerTo('POST /sessions HTTP');
      await expect(client.create({ userId: 'carol' })).rejects.toMatchObject({
        code: 'unreachable',
        action: 'retry',
      });
      await created;
      expect(await client.list('carol')).toHaveLength(1);
    });

    test('gives up in time, and when it is told to', async () => {
      link.cut();
      await expect(client.list('bob')).rejects.toMatchObject({ code: 'unreachable', action: 'retry' });
      link.mend();
      const reason = new Error('enough');
      await expect(client.list('bob', { signal: AbortSignal.abort(reason) })).rejects.toBe(reason);
      const never = clientOf({ fetch: (_, init) => untilAborted(init?.signal), timeoutMs: 50 });
      await expect(never.list('bob')).rejects.toMatchObject({ code: 'timed_out', action: 'retry' });
    });
  });

  describe('a verifier', () => {
    test('accepts what the service issues, before and after a refresh', async () => {
      const issued = await client.create({
        userId: 'bob',
        scope: 'read write',
        metadata: { 1: 'b', a: [true, 2] },
      });
      const verifier = await following();
      const session = await verifier.verify(issued.accessToken);
      expect(session).toMatchObject({
        ...(await client.validate(issued.accessToken)),
        revocation: { checked: 'feed' },
      });
      const newer = await client.refresh(issued.refreshToken);
      expect((await verifier.verify(newer.accessToken)).sessionId).toBe(issued.sessionId);
    });

    test('hears of every kind of revocation, and of what came before it', async () => {
      const before = await client.create({ userId: 'early' });
      await client.revoke(before.accessToken, { reason: 'user_logout' });
      const verifier = await following();
      expect(await verdict(verifier, before.accessToken)).toBe('token_revoked');
      const make = () => client.create({ userId: 'bob' });
      const [bySession, byToken, byId, byBatch, byUser] = await Promise.all([
        make(),
        make(),
        make(),
        make(),
        make(),
      ]);
      const other = await client.create({ userId: 'carol' });
      const all = [bySession, byToken, byId, byBatch, byUser];
      for (const { accessToken } of all) expect(await verdict(verifier, accessToken)).toBe('valid');
      await client.revoke(bySession.refreshToken, { reason: 'user_logout' });
      await client.revokeToken(byToken.accessToken, { reason: 'security_incident' });
      await client.end(byId.sessionId, { reason: 'admin' });
      await client.revokeBatch({ sessionIds: [byBatch.sessionId] }, { reason: 'admin' });
      for (const { accessToken } of [bySession, byToken, byId, byBatch]) await refused(verifier, accessToken);
      await client.revokeAll('bob', { reason: 'password_change' });
      await refused(verifier, byUser.accessToken);
      expect(await verdict(verifier, other.accessToken)).toBe('valid');
      expect(verifier.status()).toMatchObject({ state: 'following', revocations: 7, keys: 1 });
    });

    test('refuses soon after a revocation', async () => {
      const verifier = await following();
      const delaysMs: number[] = [];
      for (let time = 0; time < 30; time++) {
        const { accessToken } = await client.create({ userId: `user-${time}` });
        expect(await verdict(verifier, accessToken)).toBe('valid');
        await client.revoke(accessToken, { reason: 'user_logout' });
        const answeredAtMs = performance.now();
        while ((await verdict(verifier, accessToken)) !== 'token_revoked') await new Promise(setImmediate);
        delaysMs.push(performance.now() - answeredAtMs);
      }
      delaysMs.sort((a, b) => a - b);
      if (process.env['REPORT_SDK'] === '1') {
        const [median, longest] = [delaysMs[15], delaysMs.at(-1)].map((ms) => ms?.toFixed(1));
        console.log(
          `${name}: refused after a revocation's answer: median ${median} ms, longest ${longest} ms`,
        );
      }
    });

    test('follows the keys: rotation, rotation at once, a killed key, the end of an epoch', async () => {
      const keys = `/tenants/${tenant.tenantId}/keys`;
      const verifier = await following();
      const first = await client.create({ userId: 'bob' });
      expect(await verdict(verifier, first.accessToken)).toBe('valid');
      await service().asPlatform('POST', `${keys}/rotate`);
      expect(await verdict(verifier, first.accessToken)).toBe('valid');
      for (let time = 0; time < 3; time++) {
        await service().asPlatform('POST', `${keys}/rotate?now=true`);
        const next = await client.create({ userId: 'bob' });
        expect(await verdict(verifier, next.accessToken)).toBe('valid');
      }
      expect(await verdict(verifier, first.accessToken)).toBe('valid');
      const { kid } = JSON.parse(Buffer.from(first.accessToken.split('.')[0] ?? '', 'base64url').toString());
      await service().asPlatform('DELETE', `${keys}/${kid}`);
      await refused(verifier, first.accessToken);
      const second = await client.create({ userId: 'bob' });
      expect(await verdict(verifier, second.accessToken)).toBe('valid');
      await client.revokeTenant({ reason: 'security_incident' });
      const third = await client.create({ userId: 'bob' });
      expect(await verdict(verifier, third.accessToken)).toBe('valid');
      await refused(verifier, second.accessToken);
      // One that comes later and has never seen those keys refuses their tokens too.
      expect(await verdict(await following(), second.accessToken)).not.toBe('valid');
    });

    test('goes on where a break has stopped it, and hears of what was revoked meanwhile', async () => {
      const [revoked, other] = await Promise.all([
        client.create({ userId: 'bob' }),
        client.create({ userId: 'bob' }),
      ]);
      const verifier = await following();
      expect(await verdict(verifier, revoked.accessToken)).toBe('valid');
      link.cut();
      const direct = clientOf({ url: service().url });
      await direct.revoke(revoked.accessToken, { reason: 'user_logout' });
      // Within what the verifier may not know, it accepts; it has no way to know better.
      expect(await verdict(verifier, revoked.accessToken)).toBe('valid');
      link.sent = '';
      link.mend();
      await refused(verifier, revoked.accessToken);
      expect(await verdict(verifier, other.accessToken)).toBe('valid');
      expect(link.sent).toMatch(/last-event-id: [\w-]{22}\r\n/);
    });

    test.each(['ask', 'refuse', 'accept'] as const)(
      'does as it was told when all is silent: %s',
      async (whenStale) => {
        const { accessToken } = await client.create({ userId: 'bob' });
        const ended = await client.create({ userId: 'bob' });
        await client.revoke(ended.accessToken, { reason: 'user_logout' });
        const verifier = await following({ maxStalenessMs: 1500, whenStale, timeoutMs: 2000 });
        await eventually(async () => (await verdict(verifier, accessToken)) === 'valid');
        link.cut();
        await eventually(() => verifier.status().state === 'stale');
        expect(await verdict(verifier, ended.accessToken)).toBe('token_revoked');
        if (whenStale === 'accept') {
          expect((await verifier.verify(accessToken)).revocation.checked).toBe('stale');
        } else {
          await expect(verifier.verify(accessToken)).rejects.toMatchObject({
            code: 'undecidable',
            action: 'retry',
          });
        }
        link.mend();
        await eventually(async () => (await verifier.verify(accessToken)).revocation.checked === 'feed');
      },
    );

    test('accepts nothing of a tenant that is suspended, and no one is told to log in again', async () => {
      const { accessToken } = await client.create({ userId: 'bob' });
      const verifier = await following({ whenStale: 'accept' });
      expect(await verdict(verifier, accessToken)).toBe('valid');
      const path = `/tenants/${tenant.tenantId}`;
      await service().asPlatform('PATCH', path, { status: 'suspended' });
      await eventually(async () => (await verdict(verifier, accessToken)) === 'undecidable');
      await service().asPlatform('PATCH', path, { status: 'active' });
      await eventually(async () => (await verdict(verifier, accessToken)) === 'valid');
    });

    test('says at once that there is no such tenant, also without an API key', async () => {
      const verifier = verifierOf({ apiKey: undefined, tenantId: 'nobody', revocations: 'none' });
      await expect(verifier.ready()).rejects.toMatchObject({ code: 'tenant_not_found', status: 404 });
    });

    test('says at once that its API key lacks the scope', async () => {
      const { body } = await service().asPlatform('POST', `/tenants/${tenant.tenantId}/api-keys`, {
        name: 'x',
        scopes: ['sessions:validate'],
      });
      const verifier = verifierOf({ apiKey: String(body['api_key']) });
      await expect(verifier.ready()).rejects.toMatchObject({ code: 'insufficient_scope', status: 403 });
    });
  });

  describe('the tokens of a client', () => {
    const tokensOf = (): SessionTokens =>
      new SessionTokens({ refresh: (token) => client.refresh(token ?? ''), timeoutMs: 60_000 });

    test('are refreshed once by 50 at the same time', async () => {
      const tokens = tokensOf();
      const login = await client.create({ userId: 'bob' });
      await tokens.signIn(login);
      const got = await Promise.all(Array.from({ length: 50 }, () => tokens.refreshed(login.accessToken)));
      expect(new Set(got).size).toBe(1);
      expect(link.sent.split('POST /sessions/refresh')).toHaveLength(2);
      expect((await client.validate(got[0] ?? '')).sessionId).toBe(login.sessionId);
    });

    test('survive 50 who share nothing but the session', async () => {
      const login = await client.create({ userId: 'bob' });
      const others = await Promise.all(
        Array.from({ length: 50 }, async () => {
          const tokens = tokensOf();
          await tokens.signIn(login);
          return tokens;
        }),
      );
      await Promise.all(others.map((tokens) => tokens.refreshed(login.accessToken)));
      for (const tokens of others) {
        expect((await client.validate(await tokens.accessToken())).sessionId).toBe(login.sessionId);
      }
    });

    test('survive an answer that was lost', async () => {
      const tokens = tokensOf();
      const login = await client.create({ userId: 'bob' });
      await tokens.signIn(login);
      const lost = link.loseAnswerTo('POST /sessions/refresh');
      const newer = await tokens.refreshed(login.accessToken);
      await lost;
      expect((await client.validate(newer)).sessionId).toBe(login.sessionId);
      expect((await client.validate(await tokens.refreshed(newer))).sessionId).toBe(login.sessionId);
    });
  });
});

function untilAborted(signal: AbortSignal | null | undefined): Promise<Response> {
  return new Promise((_, reject) => {
    signal?.addEventListener('abort', () => reject(signal.reason as Error));
  });
}
