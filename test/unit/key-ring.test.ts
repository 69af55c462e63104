import { describe, expect, test } from '@jest/globals';
import {
  activeKey,
  emptyRing,
  nextEpoch,
  stateOf,
  type FreshKeys,
  type KeyRing,
  type SigningKey,
} from '../../src/keys/key-ring.js';

const T0 = 1_800_000_000_000;
const DAY = 86_400_000;
/** The longest life of an access token, and a minute. */
const KEPT = DAY + 60_000;

function aKey(more: Partial<SigningKey> = {}): SigningKey {
  return {
    kid: 'k',
    epoch: 1,
    activatesAtMs: T0,
    retiresAtMs: null,
    expiresAtMs: null,
    revokedAtMs: null,
    publicKey: 'public',
    sealedPrivateKey: 'sealed',
    ...more,
  };
}

const fresh = (name: string): FreshKeys => ({
  wrappedDataKey: 'wrapped',
  signingKey: { kid: `s-${name}`, publicKey: `public-${name}`, sealedPrivateKey: `sealed-${name}` },
  refreshSecret: { kid: `r-${name}`, sealedSecret: `secret-${name}` },
});

const kidsOf = (keys: readonly { kid: string }[]): string[] => keys.map(({ kid }) => kid);

const active = (...keys: SigningKey[]): string | undefined => activeKey(keys, 1, T0)?.kid;

describe("a key's state", () => {
  const planned = aKey({ retiresAtMs: T0 + 10, expiresAtMs: T0 + 20 });

  test.each([
    ['next', -1],
    ['active', 0],
    ['active', 9],
    ['retired', 10],
    ['retired', 19],
    ['gone', 20],
    ['gone', 1e12],
  ])('is %s at %d ms', (state, ms) => {
    expect(stateOf(planned, 1, T0 + ms)).toBe(state);
  });

  test('is active for ever while nothing else is planned', () => {
    expect(stateOf(aKey(), 1, T0 + 1000 * DAY)).toBe('active');
  });

  test('is revoked once it was declared so, whatever was planned, until it is gone', () => {
    const revoked = { ...planned, revokedAtMs: T0 };
    for (const ms of [-1, 0, 10, 19]) expect(stateOf(revoked, 1, T0 + ms)).toBe('revoked');
    expect(stateOf(revoked, 1, T0 + 20)).toBe('gone');
  });

  test('is revoked as soon as its epoch has ended', () => {
    expect(stateOf(aKey({ epoch: 1 }), 2, T0)).toBe('revoked');
    expect(stateOf(aKey({ epoch: 2 }), 2, T0)).toBe('active');
  });
});

describe('the key that signs', () => {
  test('is the newest active one', () => {
    expect(active(aKey({ kid: 'a' }), aKey({ kid: 'b' }))).toBe('b');
  });

  test('is never one that is next, retired, revoked, gone or of an ended epoch', () => {
    const others = [
      aKey({ kid: 'next', activatesAtMs: T0 + 1 }),
      aKey({ kid: 'retired', retiresAtMs: T0 }),
      aKey({ kid: 'revoked', revokedAtMs: T0 }),
      aKey({ kid: 'gone', expiresAtMs: T0 }),
      aKey({ kid: 'ended', epoch: 0 }),
    ];
    expect(active(...others)).toBeUndefined();
    expect(active(aKey({ kid: 'only' }), ...others)).toBe('only');
    expect(active()).toBeUndefined();
  });
});

describe('the next epoch', () => {
  const first = nextEpoch(emptyRing('acme'), fresh('1'), T0);

  test('begins a ring with one key of each kind, active at once', () => {
    const start = { epoch: 1, activatesAtMs: T0, retiresAtMs: null, expiresAtMs: null, revokedAtMs: null };
    expect(first).toEqual({
      tenantId: 'acme',
      epoch: 1,
      version: 1,
      wrappedDataKey: 'wrapped',
      signingKeys: [{ ...fresh('1').signingKey, ...start }],
      refreshSecrets: [{ ...fresh('1').refreshSecret, ...start }],
    });
    expect(activeKey(first.signingKeys, first.epoch, T0)?.kid).toBe('s-1');
  });

  test('revokes what came before and lets the fresh keys sign', () => {
    const second = nextEpoch(first, fresh('2'), T0 + 5);
    expect(second).toMatchObject({ epoch: 2, version: 2 });
    for (const keys of [second.signingKeys, second.refreshSecrets]) {
      expect(keys.map((key) => stateOf(key, second.epoch, T0 + 5))).toEqual(['revoked', 'active']);
      expect(keys[0]).toMatchObject({ revokedAtMs: T0 + 5, expiresAtMs: T0 + 5 + KEPT });
    }
    expect(activeKey(second.signingKeys, second.epoch, T0 + 5)?.kid).toBe('s-2');
    expect(activeKey(second.refreshSecrets, second.epoch, T0 + 5)?.kid).toBe('r-2');
  });

  test('drops the private key of what is revoked, and keeps refresh secrets to tell their tokens apart', () => {
    const second = nextEpoch(first, fresh('2'), T0 + 5);
    expect(second.signingKeys.map((key) => key.sealedPrivateKey)).toEqual([null, 'sealed-2']);
    expect(second.signingKeys[0]?.publicKey).toBe('public-1');
    expect(second.refreshSecrets.map((key) => key.sealedSecret)).toEqual(['secret-1', 'secret-2']);
  });

  test('leaves the ring that was handed in as it was', () => {
    const before = structuredClone(first);
    nextEpoch(first, fresh('2'), T0 + 5);
    expect(first).toEqual(before);
  });

  test('does not put off what was already revoked or about to expire', () => {
    const ring: KeyRing = {
      ...first,
      signingKeys: [aKey({ kid: 'a', revokedAtMs: T0 - 9, expiresAtMs: T0 + 9 }), aKey({ kid: 'b' })],
    };
    const [a, b] = nextEpoch(ring, fresh('2'), T0).signingKeys;
    expect(a).toMatchObject({ revokedAtMs: T0 - 9, expiresAtMs: T0 + 9 });
    expect(b).toMatchObject({ revokedAtMs: T0, expiresAtMs: T0 + KEPT });
  });

  test('forgets keys that are gone', () => {
    const second = nextEpoch(first, fresh('2'), T0);
    expect(kidsOf(nextEpoch(second, fresh('3'), T0 + KEPT - 1).signingKeys)).toEqual(['s-1', 's-2', 's-3']);
    expect(kidsOf(nextEpoch(second, fresh('3'), T0 + KEPT).signingKeys)).toEqual(['s-2', 's-3']);
  });

  test('keeps no more than the last 16 revoked keys, however often it comes', () => {
    let ring = emptyRing('acme');
    for (let n = 1; n <= 40; n++) ring = nextEpoch(ring, fresh(String(n)), T0 + n);
    const last = Array.from({ length: 17 }, (_, n) => 24 + n);
    expect(kidsOf(ring.signingKeys)).toEqual(last.map((n) => `s-${n}`));
    expect(kidsOf(ring.refreshSecrets)).toEqual(last.map((n) => `r-${n}`));
    expect(ring).toMatchObject({ epoch: 40, version: 40 });
  });

  test('without fresh keys keeps none, but the epoch goes on', () => {
    const deleted = nextEpoch(first, null, T0 + 1);
    expect(deleted).toEqual({ ...emptyRing('acme'), epoch: 2, version: 2 });
    expect(nextEpoch(deleted, fresh('3'), T0 + 2).epoch).toBe(3);
  });
});
