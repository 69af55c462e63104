import { describe, expect, test } from '@jest/globals';
import { isAccessClaims, isRefreshClaims } from '../../src/tokens/claims.js';

const COMMON = {
  iss: 'https://sessions.example/tenants/acme',
  sub: 'alice',
  aud: 'acme',
  exp: 1_800_000_900,
  iat: 1_800_000_000,
  jti: 'c7a0f2d4-0b52-4c3a-9b1e-3f7f5c1f0c55',
  sid: 'Zk3fAAAAAAAAAAAAAAAAAAAAAA',
  tenant_id: 'acme',
};
const ACCESS = { ...COMMON, nbf: COMMON.iat, scope: 'read', metadata: {}, token_type: 'access' };
const REFRESH = { ...COMMON, token_type: 'refresh' };

const KINDS = [
  { kind: 'access', claims: ACCESS as Record<string, unknown>, obeys: isAccessClaims },
  { kind: 'refresh', claims: REFRESH as Record<string, unknown>, obeys: isRefreshClaims },
];

describe.each(KINDS)('the claims of a $kind token', ({ claims, obeys }) => {
  test('obey', () => {
    expect(obeys(claims)).toBe(true);
  });

  test('may have members of a later version', () => {
    expect(obeys({ ...claims, acr: 'mfa' })).toBe(true);
  });

  test.each(Object.keys(claims))('are all required: %s', (name) => {
    const { [name]: _, ...rest } = claims;
    expect(obeys(rest)).toBe(false);
    for (const wrong of [null, undefined, Number.NaN, ['x'], true]) {
      expect(obeys({ ...claims, [name]: wrong })).toBe(false);
    }
  });

  test.each(Object.keys(claims))('are not taken from the prototype: %s', (name) => {
    const { [name]: inherited, ...rest } = claims;
    expect(obeys({ __proto__: { [name]: inherited }, ...rest })).toBe(false);
  });

  test.each(['exp', 'iat', 'nbf'].filter((name) => name in claims))('have %s in whole seconds', (name) => {
    expect(obeys({ ...claims, [name]: 0 })).toBe(true);
    for (const wrong of [1.5, -1, '1800000000', 2 ** 53, Infinity, 1e300, {}]) {
      expect(obeys({ ...claims, [name]: wrong })).toBe(false);
    }
  });

  test.each(['jti', 'sid'])('have a %s that is fit for a key', (name) => {
    for (const good of ['a', 'A-_9', 'x'.repeat(64)]) expect(obeys({ ...claims, [name]: good })).toBe(true);
    for (const wrong of ['', 'x'.repeat(65), 'a:b', '*', '{}', 'a b', 'a\n', 'é', 7]) {
      expect(obeys({ ...claims, [name]: wrong })).toBe(false);
    }
  });

  test.each(['iss', 'sub', 'aud', 'tenant_id'])('have a %s that is a text and not empty', (name) => {
    for (const wrong of ['', 7, {}, ['acme']]) expect(obeys({ ...claims, [name]: wrong })).toBe(false);
  });
});

describe('the kinds of token', () => {
  test('are never taken for one another', () => {
    expect(isAccessClaims({ ...ACCESS, token_type: 'refresh' })).toBe(false);
    expect(isAccessClaims(REFRESH)).toBe(false);
    expect(isRefreshClaims(ACCESS)).toBe(false);
    expect(isRefreshClaims({ ...REFRESH, token_type: 'Refresh' })).toBe(false);
  });

  test('let an access token have an empty scope and any metadata that is an object', () => {
    expect(isAccessClaims({ ...ACCESS, scope: '', metadata: { a: [1, 'x'] } })).toBe(true);
    for (const metadata of [[], null, 'x', 1]) expect(isAccessClaims({ ...ACCESS, metadata })).toBe(false);
    expect(isAccessClaims({ ...ACCESS, scope: ['read'] })).toBe(false);
  });
});
