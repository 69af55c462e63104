/** A client's tokens: one refresh at a time, no logout by a race or an outage, and a fetch that looks after itself. */
import { afterEach, beforeEach, describe, expect, test } from '@jest/globals';
import { createServer, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import {
  createSessionFetch,
  memoryStore,
  refreshAt,
  SessionServiceError,
  SessionTokens,
  type IssuedTokens,
  type SessionTokensOptions,
} from '../../sdk/src/index.js';
import { createTestTenant, type TestService } from '../../sdk/src/testing.js';
import { authenticate, RequestRefused } from '../../sdk/src/bearer.js';

let tenant: TestService;
let refreshes: number;
let signedOut: (SessionServiceError | undefined)[];

beforeEach(async () => {
  tenant = await createTestTenant();
  refreshes = 0;
  signedOut = [];
});

afterEach(async () => {
  await tenant.close();
});

const refresh: SessionTokensOptions['refresh'] = (refreshToken) => {
  refreshes++;
  return tenant.client({ retries: 0 }).refresh(refreshToken ?? '');
};

async function signIn(
  more: Partial<SessionTokensOptions> = {},
): Promise<{ tokens: SessionTokens; login: IssuedTokens }> {
  const tokens = new SessionTokens({ refresh, onSignedOut: (cause) => signedOut.push(cause), ...more });
  const login = await tenant.login({ userId: 'bob' });
  await tokens.signIn(login);
  return { tokens, login };
}

/** As when the token is over. */
const almostOver = (login: IssuedTokens): IssuedTokens => ({ ...login, expiresInSeconds: 0 });

describe('an access token', () => {
  test('is the one that came, as long as it lives', async () => {
    const { tokens, login } = await signIn();
    expect(await tokens.accessToken()).toBe(login.accessToken);
    expect(refreshes).toBe(0);
  });

  test('is replaced before it expires, once for 50 that ask at once', async () => {
    const { tokens, login } = await signIn({ refreshBeforeSeconds: 3600 });
    await tokens.signIn({ ...login, expiresInSeconds: 900 });
    expect(await tokens.accessToken()).toBe(login.accessToken); // a third of its life at most
    await tokens.signIn(almostOver(login));
    const got = await Promise.all(Array.from({ length: 50 }, () => tokens.accessToken()));
    expect(refreshes).toBe(1);
    expect(new Set(got).size).toBe(1);
    expect(got[0]).not.toBe(login.accessToken);
    expect(await tokens.accessToken()).toBe(got[0]);
  });

  test('is asked for by nobody who is not logged in', async () => {
    const tokens = new SessionTokens({ refresh });
    await expect(tokens.accessToken()).rejects.toMatchObject({
      code: 'missing_token',
      action: 'reauthenticate',
    });
    expect(await tokens.isSignedIn()).toBe(false);
  });
});

describe('a refresh', () => {
  test('whose answer is lost is repeated with the same refresh token, and nobody is logged out', async () => {
    const sent: (string | undefined)[] = [];
    const losing: SessionTokensOptions['refresh'] = async (refreshToken, call) => {
      sent.push(refreshToken);
      const answer = await refresh(refreshToken, call);
      if (sent.length < 3) throw new TypeError('the answer was lost');
      return answer;
    };
    const { tokens, login } = await signIn({ refresh: losing });
    const newer = await tokens.refreshed(login.accessToken);
    expect(sent).toEqual([login.refreshToken, login.refreshToken, login.refreshToken]);
    expect((await tenant.verifier().verify(newer)).userId).toBe('bob');
    expect(signedOut).toEqual([]);
  });

  test.each([
    ['a network without an answer', () => new TypeError('fetch failed')],
    ['503', () => new SessionServiceError('store_unavailable', '', { action: 'retry', status: 503 })],
    ['429', () => new SessionServiceError('rate_limited', '', { action: 'retry', retryAfterSeconds: 60 })],
    ['a time-out', () => new SessionServiceError('timed_out', '', { action: 'retry' })],
    [
      'a refused API key',
      () => new SessionServiceError('unauthorized', '', { action: 'fix_request', status: 401 }),
    ],
    ['a page of a proxy', () => new SessionServiceError('unexpected_answer', '', { action: 'fix_request' })],
  ])('that meets %s logs nobody out', async (_, failure) => {
    const failing = async () => {
      throw failure();
    };
    const { tokens, login } = await signIn({ refresh: failing, timeoutMs: 100, refreshBeforeSeconds: 3600 });
    await expect(tokens.refreshed(login.accessToken)).rejects.toBeInstanceOf(SessionServiceError);
    expect(await tokens.isSignedIn()).toBe(true);
    // It still lives, so it still serves.
    expect(await tokens.accessToken()).toBe(login.accessToken);
    expect(signedOut).toEqual([]);
  });

  test('that finds the session ended drops the tokens and says so, once', async () => {
    const { tokens, login } = await signIn();
    tenant.revoke(login);
    const attempts = await Promise.allSettled(
      Array.from({ length: 5 }, () => tokens.refreshed(login.accessToken)),
    );
    expect(attempts.map(({ status }) => status)).toEqual(Array(5).fill('rejected'));
    expect(await tokens.isSignedIn()).toBe(false);
    expect(signedOut).toHaveLength(1);
    expect(signedOut[0]).toMatchObject({ code: 'refresh_token_not_found', action: 'reauthenticate' });
  });

  test('under way does not undo a logout or another login', async () => {
    let answer = (): void => undefined;
    const slow: SessionTokensOptions['refresh'] = async (...call) => {
      await new Promise<void>((resolve) => (answer = resolve));
      return refresh(...call);
    };
    const { tokens, login } = await signIn({ refresh: slow });
    const first = tokens.refreshed(login.accessToken);
    const other = await tenant.login({ userId: 'carol' });
    await tokens.signIn(other);
    answer();
    expect(await first).toBe(other.accessToken);
    const second = tokens.refreshed(other.accessToken);
    await new Promise(setImmediate);
    await tokens.signOut();
    answer();
    await expect(second).rejects.toMatchObject({ code: 'missing_token' });
    expect(await tokens.isSignedIn()).toBe(false);
  });

  test('of several who share a store is done by one of them', async () => {
    const shared = memoryStore();
    let turn: Promise<unknown> = Promise.resolve();
    const store = {
      ...shared,
      exclusively: <T>(work: () => Promise<T>): Promise<T> => {
        const mine = turn.then(work, work);
        turn = mine.catch(() => undefined);
        return mine;
      },
    };
    const tabs = Array.from({ length: 10 }, () => new SessionTokens({ refresh, store }));
    const login = await tenant.login();
    await tabs[0]?.signIn(almostOver(login));
    const got = await Promise.all(tabs.map((tab) => tab.accessToken()));
    expect(new Set(got).size).toBe(1);
    expect(refreshes).toBe(1);
  });
});

describe('a session fetch', () => {
  let api: Server;
  let origin: string;
  let seen: (string | undefined)[];

  beforeEach(async () => {
    const verifier = tenant.verifier({ maxStalenessMs: 60_000 });
    await verifier.ready();
    seen = [];
    const answer = async (authorization: string | undefined, body: string) => {
      try {
        const { userId } = await authenticate(verifier, authorization);
        return { status: 200, headers: {}, body: { userId, body } };
      } catch (error) {
        const { statusCode, headers, body } = error as RequestRefused;
        return { status: statusCode, headers, body };
      }
    };
    api = createServer((request, response) => {
      seen.push(request.headers.authorization);
      const chunks: Buffer[] = [];
      request.on('data', (chunk: Buffer) => chunks.push(chunk));
      request.on('end', () => {
        void answer(request.headers.authorization, Buffer.concat(chunks).toString()).then(
          ({ status, headers, body }) => response.writeHead(status, { ...headers }).end(JSON.stringify(body)),
        );
      });
    });
    await new Promise<void>((listening) => api.listen(0, '127.0.0.1', listening));
    origin = `http://127.0.0.1:${(api.address() as AddressInfo).port}`;
  });

  afterEach(() => {
    api.closeAllConnections();
    api.close();
  });

  test('refreshes a refused token once for many requests, and repeats each with what it had to say', async () => {
    const { tokens, login } = await signIn();
    const sessionFetch = createSessionFetch({ tokens, origins: [origin] });
    await tokens.signIn({ ...login, accessToken: await tenant.expired(login) });
    const answers = await Promise.all(
      Array.from({ length: 20 }, (_, at) =>
        at % 2 === 0
          ? sessionFetch(`${origin}/orders`, { method: 'POST', body: `order ${at}` })
          : sessionFetch(new Request(`${origin}/orders`, { method: 'POST', body: `order ${at}` })),
      ),
    );
    const bodies = await Promise.all(answers.map((answer) => answer.json()));
    expect(bodies).toEqual(Array.from({ length: 20 }, (_, at) => ({ userId: 'bob', body: `order ${at}` })));
    expect(refreshes).toBe(1);
  });

  test('shows the token to nobody but the origins that may see it', async () => {
    const { tokens, login } = await signIn();
    const sessionFetch = createSessionFetch({ tokens, origins: ['https://api.example.com'] });
    expect((await sessionFetch(`${origin}/elsewhere`)).status).toBe(401);
    expect(seen).toEqual([undefined]);
    const allowed = createSessionFetch({ tokens, origins: [`${origin}/with/a/path`] });
    expect((await allowed(`${origin}/me`)).status).toBe(200);
    expect(seen).toEqual([undefined, `Bearer ${login.accessToken}`]);
    expect(() => createSessionFetch({ tokens })).toThrow(TypeError);
  });

  test('gives the refusal to the caller when the session is over', async () => {
    const { tokens, login } = await signIn();
    await tokens.signIn({ ...login, accessToken: await tenant.expired(login) });
    tenant.revoke(login);
    const sessionFetch = createSessionFetch({ tokens, origins: [origin] });
    expect((await sessionFetch(`${origin}/me`)).status).toBe(401);
    expect(signedOut).toHaveLength(1);
    await expect(sessionFetch(`${origin}/me`)).rejects.toMatchObject({ action: 'reauthenticate' });
  });

  test('passes other answers on, also a 401 that is about something else', async () => {
    const { tokens } = await signIn();
    for (const [status, headers] of [
      [503, {}],
      [403, { 'www-authenticate': 'Bearer error="insufficient_scope"' }],
      [401, { 'www-authenticate': 'Basic realm="other"' }],
    ] as const) {
      const other = async (): Promise<Response> => new Response(null, { status, headers });
      const sessionFetch = createSessionFetch({ tokens, origins: [origin], fetch: other });
      expect((await sessionFetch(`${origin}/me`)).status).toBe(status);
    }
    expect(refreshes).toBe(0);
  });
});

describe('a refresh at the application', () => {
  const call = { signal: new AbortController().signal };
  const answering = (status: number, body: unknown) => async (): Promise<Response> =>
    new Response(typeof body === 'string' ? body : JSON.stringify(body), { status });

  test('reads tokens, with or without the refresh token in a cookie', async () => {
    const at = (body: object) => refreshAt('https://app.example/refresh', { fetch: answering(200, body) });
    const tokens = { access_token: 'a', expires_in: 900 };
    expect(await at(tokens)(undefined, call)).toEqual({ accessToken: 'a', expiresInSeconds: 900 });
    expect(await at({ ...tokens, refresh_token: 'r' })('old', call)).toEqual({
      accessToken: 'a',
      refreshToken: 'r',
      expiresInSeconds: 900,
    });
  });

  test('ends the session for the word of the service alone', async () => {
    const over = { error: 'token_revoked', error_description: '', action: 'reauthenticate', request_id: '1' };
    for (const [status, body, action] of [
      [401, over, 'reauthenticate'],
      [401, 'Unauthorized', 'fix_request'],
      [401, { message: 'no' }, 'fix_request'],
      [502, '<html>', 'retry'],
      [200, '<html>', 'fix_request'],
      [200, 'null', 'fix_request'],
    ] as const) {
      const refresh = refreshAt('https://app.example/refresh', { fetch: answering(status, body) });
      await expect(refresh('r', call)).rejects.toMatchObject({ action });
    }
  });
});
