/** The verifier beside a test tenant: what it accepts, what it refuses and why, and what it does in an outage. */
import { afterEach, beforeEach, describe, expect, jest, test } from '@jest/globals';
import { SessionVerifier, type StateChange, type VerifierOptions } from '../../sdk/src/index.js';
import { createTestTenant, type TestService } from '../../sdk/src/testing.js';
import { eventually } from '../support/eventually.js';
import { freePort } from '../support/redis-server.js';

let tenant: TestService;

beforeEach(async () => {
  tenant = await createTestTenant();
});

afterEach(async () => {
  await tenant.close();
});

/** Slow machines are no outage here. */
const PATIENT: Partial<VerifierOptions> = { maxStalenessMs: 60_000, jwksCooldownMs: 20 };

const following = async (options: Partial<VerifierOptions> = {}): Promise<SessionVerifier> => {
  const verifier = tenant.verifier({ ...PATIENT, ...options });
  await verifier.ready();
  return verifier;
};

const urlOf = (input: Parameters<typeof fetch>[0]): string => new Request(input).url;

/** What verify says: `valid` or a code. */
const verdict = async (verifier: SessionVerifier, token: string): Promise<string> =>
  verifier.verify(token).then(
    () => 'valid',
    (error: { code: string }) => error.code,
  );

/** @returns what this package warned of meanwhile; the real process does not tell the one that a test sees */
const warningsOf = async (work: () => Promise<void>): Promise<string[]> => {
  const emitted = jest.spyOn(process, 'emitWarning').mockImplementation(() => undefined);
  try {
    await work();
    return emitted.mock.calls
      .filter(([, options]) => options?.type === 'SessionServiceWarning')
      .map(([text]) => String(text));
  } finally {
    emitted.mockRestore();
  }
};

describe('a good token', () => {
  test('gives its session, without asking anybody', async () => {
    const { accessToken, sessionId } = await tenant.login({
      userId: 'bob',
      scope: 'read write',
      metadata: { device: 'phone', roles: ['a', 'b'] },
    });
    let calls = 0;
    const fetch: typeof tenant.fetch = (...request) => {
      calls++;
      return tenant.fetch(...request);
    };
    const verifier = await following({ fetch });
    const before = calls;
    for (let time = 0; time < 50; time++) {
      expect(await verifier.verify(accessToken)).toMatchObject({
        sessionId,
        userId: 'bob',
        tenantId: 'test',
        scopes: ['read', 'write'],
        metadata: { device: 'phone', roles: ['a', 'b'] },
        revocation: { checked: 'feed', ageMs: expect.any(Number) },
      });
    }
    expect(calls).toBe(before);
  });

  test('cannot be changed for the requests that come after', async () => {
    const { accessToken } = await tenant.login({ metadata: { roles: ['user'] } });
    const verifier = await following();
    const session = await verifier.verify(accessToken);
    expect(() => ((session.metadata as { roles: string[] }).roles[0] = 'admin')).toThrow(TypeError);
    expect(() => ((session.claims as { sub: string }).sub = 'root')).toThrow(TypeError);
    expect((await verifier.verify(accessToken)).metadata).toEqual({ roles: ['user'] });
  });

  test('is refused from the moment on at which it expires, also when it was seen before', async () => {
    const { accessToken } = await tenant.login();
    const verifier = await following();
    expect(await verdict(verifier, accessToken)).toBe('valid');
    tenant.advanceSeconds(899);
    expect(await verdict(verifier, accessToken)).toBe('valid');
    tenant.advanceSeconds(2);
    await expect(verifier.verify(accessToken)).rejects.toMatchObject({
      code: 'token_expired',
      action: 'refresh',
      status: 401,
    });
  });
});

describe('a revocation', () => {
  test.each(['session', 'token'] as const)('of a %s is heard of', async (kind) => {
    const login = await tenant.login();
    const other = await tenant.login();
    const verifier = await following();
    const { tokenId } = await verifier.verify(login.accessToken);
    if (kind === 'session') tenant.revoke(login);
    else tenant.endToken(tokenId);
    await eventually(async () => (await verdict(verifier, login.accessToken)) === 'token_revoked');
    await expect(verifier.verify(login.accessToken)).rejects.toMatchObject({ action: 'reauthenticate' });
    expect(await verdict(verifier, other.accessToken)).toBe('valid');
  });

  test('that came before is in the snapshot', async () => {
    const login = await tenant.login();
    tenant.revoke(login);
    expect(await verdict(await following(), login.accessToken)).toBe('token_revoked');
  });

  test('is not asked for where nobody wants it', async () => {
    const login = await tenant.login();
    const verifier = tenant.verifier({ revocations: 'none', apiKey: undefined });
    expect((await verifier.verify(login.accessToken)).revocation).toEqual({ checked: 'none', ageMs: null });
    tenant.revoke(login);
    expect(await verdict(verifier, login.accessToken)).toBe('valid');
  });
});

describe('keys', () => {
  test('that are new are known as soon as they sign, and those before stay good', async () => {
    const before = await tenant.login();
    const verifier = await following();
    expect(await verdict(verifier, before.accessToken)).toBe('valid');
    for (let time = 0; time < 5; time++) {
      await tenant.rotate();
      const after = await tenant.login();
      expect(await verdict(verifier, after.accessToken)).toBe('valid');
    }
    expect(await verdict(verifier, before.accessToken)).toBe('valid');
  });

  test.each(['kill', 'revokeAll'] as const)('that are ended by %s take their tokens along', async (end) => {
    const before = await tenant.login();
    const verifier = await following();
    expect(await verdict(verifier, before.accessToken)).toBe('valid');
    await tenant[end]();
    await eventually(async () => (await verdict(verifier, before.accessToken)) === 'token_revoked');
    const after = await tenant.login();
    expect(await verdict(verifier, after.accessToken)).toBe('valid');
  });

  test('that nobody has are looked for once in a while, and not for each token', async () => {
    let fetches = 0;
    const fetch: typeof tenant.fetch = (input, init) => {
      if (urlOf(input).endsWith('/jwks')) fetches++;
      return tenant.fetch(input, init);
    };
    const verifier = await following({ fetch, jwksCooldownMs: 500 });
    const { accessToken } = await tenant.login();
    const claims = (await verifier.verify(accessToken)).claims;
    const forged = await Promise.all(
      Array.from({ length: 200 }, (_, at) => tenant.sign(claims, { kid: `invented-${at}` })),
    );
    const started = performance.now();
    const verdicts = await Promise.all(forged.map((token) => verdict(verifier, token)));
    const windows = Math.ceil((performance.now() - started) / 500);
    expect(new Set(verdicts)).toEqual(new Set(['invalid_signature']));
    // One at the start, and one in each pause.
    expect(fetches).toBeLessThanOrEqual(2 + windows);
    expect(await verdict(verifier, accessToken)).toBe('valid');
  });

  test('serve on while the service is away', async () => {
    const login = await tenant.login();
    const verifier = await following();
    tenant.goDown();
    expect(await verdict(verifier, login.accessToken)).toBe('valid');
    const { claims } = await verifier.verify(login.accessToken);
    // Nobody can know now whether this key is new.
    expect(await verdict(verifier, await tenant.sign(claims, { kid: 'unknown' }))).toBe('undecidable');
  });
});

describe('an outage', () => {
  const HASTY: Partial<VerifierOptions> = { maxStalenessMs: 1500 };

  test('is told, and so is its end; a revocation of the time between is heard of then', async () => {
    const [login, other] = [await tenant.login(), await tenant.login()];
    const changes: StateChange[] = [];
    const verifier = await following({
      ...HASTY,
      whenStale: 'refuse',
      onStateChange: (change) => changes.push(change),
    });
    expect(
      await eventually(
        () => verdict(verifier, login.accessToken),
        (seen) => seen === 'valid',
      ),
    ).toBe('valid');
    tenant.goDown();
    await eventually(() => verifier.status().state === 'stale');
    await expect(verifier.verify(login.accessToken)).rejects.toMatchObject({
      code: 'undecidable',
      action: 'retry',
      status: 503,
      retryAfterSeconds: 1,
    });
    tenant.revoke(login);
    tenant.comeBack();
    await eventually(async () => (await verdict(verifier, login.accessToken)) === 'token_revoked');
    await eventually(async () => (await verdict(verifier, other.accessToken)) === 'valid');
    expect(changes.map(({ state }) => state).slice(0, 3)).toEqual(['following', 'stale', 'following']);
    const stale = {
      state: 'stale',
      previous: 'following',
      ageMs: expect.any(Number),
      cause: expect.any(Error),
    };
    expect(changes).toContainEqual(stale);
  });

  test('is borne when what was known last may count', async () => {
    const [login, revoked] = [await tenant.login(), await tenant.login()];
    tenant.revoke(revoked);
    const verifier = await following({ ...HASTY, whenStale: 'accept' });
    tenant.goDown();
    await eventually(() => verifier.status().state === 'stale');
    const { revocation } = await verifier.verify(login.accessToken);
    expect(revocation.checked).toBe('stale');
    expect(revocation.ageMs).toBeGreaterThan(1500);
    expect(await verdict(verifier, revoked.accessToken)).toBe('token_revoked');
  });

  test('of the feed alone makes it ask the service, once for many requests with one token', async () => {
    let asked = 0;
    const fetch: typeof tenant.fetch = async (input, init) => {
      if (urlOf(input).endsWith('/revocations')) throw new TypeError('no feed');
      if (urlOf(input).endsWith('/validate')) asked++;
      return tenant.fetch(input, init);
    };
    const [login, revoked] = [await tenant.login(), await tenant.login()];
    tenant.revoke(revoked);
    const verifier = tenant.verifier({ ...PATIENT, fetch });
    // Its signature is known from here on, so that all the others ask at the same moment.
    await verifier.verify(login.accessToken);
    asked = 0;
    const sessions = await Promise.all(Array.from({ length: 20 }, () => verifier.verify(login.accessToken)));
    expect(new Set(sessions.map(({ revocation }) => revocation.checked))).toEqual(new Set(['service']));
    expect(asked).toBe(1);
    expect(await verdict(verifier, revoked.accessToken)).toBe('token_revoked');
    tenant.goDown();
    expect(await verdict(verifier, login.accessToken)).toBe('undecidable');
  });
});

describe('a verifier', () => {
  test('says at once that its API key is wrong', async () => {
    const apiKey = `sk_test_${'0'.repeat(16)}_${'f'.repeat(64)}`;
    await expect(tenant.verifier({ apiKey }).ready()).rejects.toMatchObject({
      code: 'unauthorized',
      action: 'fix_request',
    });
  });

  test('refuses a token of another tenant, issuer or audience, and says to the developer what differs', async () => {
    const { accessToken } = await tenant.login();
    for (const [options, what] of [
      [{ issuer: 'https://elsewhere.test/tenants/test' }, 'iss'],
      [{ audience: 'other' }, 'aud'],
    ] as const) {
      const verifier = tenant.verifier({ ...PATIENT, ...options });
      await expect(verifier.verify(accessToken)).rejects.toMatchObject({
        code: 'invalid_token',
        cause: expect.objectContaining({ message: expect.stringContaining(what) }),
      });
    }
  });

  test('waits until it is ready, unless it is told to give up', async () => {
    tenant.goDown();
    const verifier = tenant.verifier(PATIENT);
    const giveUp = AbortSignal.timeout(100);
    await expect(verifier.ready({ signal: giveUp })).rejects.toMatchObject({ name: 'TimeoutError' });
    tenant.comeBack();
    await verifier.ready();
    expect(verifier.status()).toMatchObject({ state: 'following', keys: 1, revocations: 0 });
  });

  test('says after some seconds what it waits for', async () => {
    const url = `http://127.0.0.1:${await freePort()}`;
    const waiting = (more: Partial<VerifierOptions>) =>
      new SessionVerifier({ url, tenantId: 'test', revocations: 'none', ...more }).ready({
        signal: AbortSignal.timeout(3500),
      });
    const page: typeof fetch = async () => new Response('<p>\n\u001b[31mhello', { status: 404 });
    const messages = await warningsOf(async () => {
      const ended = await Promise.allSettled([
        waiting({}),
        waiting({ url: `${url}/api`, fetch: page }),
        waiting({ url: `${url}/web`, fetch: page, apiKey: tenant.apiKey, revocations: 'follow' }),
      ]);
      const reasons = ended.map((one) => one.status === 'rejected' && (one.reason as Error).name);
      expect(reasons).toEqual(['TimeoutError', 'TimeoutError', 'TimeoutError']);
    });
    const wait = (at: string, why: string) => `Still waiting for the session service at ${at}: ${why}`;
    expect(messages.toSorted()).toEqual([
      wait(`${url}/api`, 'Something other than the session service answered, with status 404.'),
      wait(`${url}/web`, 'Something other than the session service answered, with status 404.'),
      wait(url, 'The session service could not be reached. (ECONNREFUSED)'),
    ]);
  });

  test.each([
    ['localhost:3000', 'with its scheme'],
    ['sessions.internal', 'with its scheme'],
    ['ftp://sessions.internal', 'with its scheme'],
    ['https://user:secret@sessions.internal', 'without credentials'],
  ])('is not made with the url %s', (url, what) => {
    const make = () => new SessionVerifier({ url, tenantId: 'test', revocations: 'none' });
    expect(make).toThrow(what);
    expect(make).not.toThrow('secret');
  });

  test('says once that good tokens of the tenant name another issuer, and refuses them', async () => {
    const verifier = tenant.verifier({ ...PATIENT, url: 'https://other.test', issuer: undefined });
    await verifier.ready();
    await using stranger = await createTestTenant();
    const login = await tenant.login();
    const refused = async (token: string) => expect(await verdict(verifier, token)).toBe('invalid_token');
    const early = await warningsOf(async () => {
      await refused((await stranger.login()).accessToken);
      await refused(await tenant.expired(login));
    });
    expect(early).toEqual([]);
    const messages = await warningsOf(async () => {
      await refused(login.accessToken);
      await refused((await tenant.login()).accessToken);
    });
    expect(messages).toHaveLength(1);
    expect(messages[0]).toContain('their issuer is https://sessions.test/tenants/test,');
    expect(messages[0]).toContain('https://other.test/tenants/test was expected');
  });

  test('that is closed refuses to work and holds no connection', async () => {
    const verifier = await following();
    await verifier[Symbol.asyncDispose]();
    await expect(verifier.verify('x')).rejects.toMatchObject({ code: 'closed' });
    expect(verifier.status().state).toBe('closed');
  });

  test('needs an API key to follow revocations, and a tenant', () => {
    expect(() => new SessionVerifier({ url: 'https://sessions.test', tenantId: 'test' })).toThrow(TypeError);
    expect(() => new SessionVerifier({ url: 'https://sessions.test', revocations: 'none' })).toThrow(
      TypeError,
    );
    expect(() => new SessionVerifier({ url: 'https://sessions.test', apiKey: 'secret' })).toThrow(TypeError);
  });
});
