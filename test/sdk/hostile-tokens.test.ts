/** What the service refuses, its SDK refuses: the same vectors, in the same words. */
import { afterAll, beforeAll, describe, expect, test } from '@jest/globals';
import { SessionVerifier } from '../../sdk/src/index.js';
import { useService } from '../e2e/use-service.js';
import { CLAIM_VECTORS, CONFUSED_VECTORS, SHAPE_VECTORS } from '../hostile/claim-vectors.js';
import { headerVectors } from '../hostile/header-vectors.js';
import { SIGNATURE_VECTORS } from '../hostile/signature-vectors.js';
import { makeKit, type Kit, type Vector } from '../hostile/token-kit.js';
import { respell } from '../hostile/token-spellings.js';
import { STORES } from '../support/test-service.js';

const [SQLITE] = STORES;
if (!SQLITE) throw new Error('there is no store');

describe('a verifier of the SDK', () => {
  const service = useService(SQLITE.prepare, { ACCESS_TOKEN_TTL_SECONDS: '86400' });
  let kit: Kit;
  let verifier: SessionVerifier;

  beforeAll(async () => {
    kit = await makeKit(service());
    verifier = new SessionVerifier({
      url: service().url,
      tenantId: kit.acme.tenantId,
      issuer: `http://localhost:3000/tenants/${kit.acme.tenantId}`,
      revocations: 'none',
      jwksCooldownMs: 1,
      nowMs: () => service().clock.nowMs(),
    });
  });

  afterAll(() => {
    verifier.close();
  });

  const verdict = async (token: unknown): Promise<string> =>
    verifier.verify(token as string).then(
      () => 'valid',
      (error: { code: string }) => error.code,
    );

  test('accepts the good token that all of them are made from', async () => {
    expect(await verdict(kit.access())).toBe('valid');
  });

  const groups: [string, readonly Vector[]][] = [
    ['algorithms and signatures', SIGNATURE_VECTORS],
    ['headers', headerVectors(() => 'http://127.0.0.1:9')],
    ['claims', CLAIM_VECTORS],
    ['kinds and tenants', CONFUSED_VECTORS],
    ['serialisations', SHAPE_VECTORS],
  ];

  describe.each(groups)('refuses %s', (_, vectors) => {
    test.each(vectors.map((vector) => [vector.name, vector] as const))('%s', async (_name, vector) => {
      const { kind = 'access', error = 'invalid_token' } = vector;
      // The service leaves `aud` to those who verify, and so comes to the signature first.
      const isForeignAud = vector.name.includes('aud alone');
      const wanted = kind === 'access' && !isForeignAud ? error : 'invalid_token';
      for (const token of await vector.tokens(kit)) {
        expect({ token: token.slice(0, 200), verdict: await verdict(token) }).toEqual({
          token: token.slice(0, 200),
          verdict: wanted,
        });
      }
    });
  });

  test('refuses every other spelling of a good token', async () => {
    for (const spelling of respell(kit.session.access_token)) {
      expect(await verdict(spelling)).toMatch(/^invalid_(token|signature)$/);
    }
    expect(await verdict(kit.session.access_token)).toBe('valid');
  });

  test('refuses what is not text, and what is too long to be looked at', async () => {
    for (const token of [undefined, null, 7, [], {}, [kit.access()], { toString: () => kit.access() }]) {
      expect(await verdict(token)).toBe('invalid_token');
    }
    expect(await verdict('A.'.repeat(1_000_000))).toBe('invalid_token');
  });

  test('keeps to exp exactly, and to nbf and iat with five seconds of skew', async () => {
    const now = kit.nowSeconds();
    for (const [claims, wanted] of [
      [{ exp: now }, 'token_expired'],
      [{ exp: now + 1 }, 'valid'],
      [{ nbf: now + 5 }, 'valid'],
      [{ nbf: now + 6 }, 'invalid_token'],
      [{ iat: now + 5 }, 'valid'],
      [{ iat: now + 6 }, 'invalid_token'],
    ] as const) {
      expect({ claims, verdict: await verdict(kit.access({}, claims)) }).toEqual({ claims, verdict: wanted });
    }
  });
});
