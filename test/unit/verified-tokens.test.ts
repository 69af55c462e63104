import { describe, expect, test } from '@jest/globals';
import { createPublicKey, generateKeyPairSync } from 'node:crypto';
import type { AccessClaims } from '../../src/tokens/claims.js';
import { VerifiedTokens } from '../../src/tokens/verified-tokens.js';

const { publicKey: key } = generateKeyPairSync('rsa', { modulusLength: 2048 });
const claims = { sub: 'alice' } as AccessClaims;
const kept = { claims, kid: 'k', key: createPublicKey(key.export({ type: 'spki', format: 'pem' })) };

describe('tokens whose signature is known', () => {
  test('are found by exactly their characters', () => {
    const tokens = new VerifiedTokens(1_000_000);
    tokens.keep(VerifiedTokens.digest('a.b.c'), 5, kept);
    expect(tokens.get(VerifiedTokens.digest('a.b.c'))).toBe(kept);
    for (const other of ['a.b.c=', 'a.b.C', ' a.b.c', 'a.b.c\n', 'a.b', '']) {
      expect(tokens.get(VerifiedTokens.digest(other))).toBeUndefined();
    }
  });

  test('take no more memory than they may: the longest unused is forgotten first', () => {
    const tokens = new VerifiedTokens(100_000);
    const digests = Array.from({ length: 500 }, (_, at) => VerifiedTokens.digest(`token ${at}`));
    for (const digest of digests) {
      tokens.keep(digest, 1000, kept);
      tokens.get(digests[0] ?? '');
    }
    const still = digests.filter((digest) => tokens.get(digest));
    expect(still.length).toBeGreaterThan(20);
    expect(still.length).toBeLessThan(60);
    expect(still).toContain(digests[0]);
    expect(still).toContain(digests.at(-1));
  });

  test('are not kept at all when no memory is set aside', () => {
    const tokens = new VerifiedTokens(0);
    tokens.keep(VerifiedTokens.digest('a.b.c'), 5, kept);
    expect(tokens.get(VerifiedTokens.digest('a.b.c'))).toBeUndefined();
  });
});
