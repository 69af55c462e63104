import { createPublicKey } from 'node:crypto';
import { beforeAll, describe, expect, test } from '@jest/globals';
import { Envelope, type DataKey } from '../../src/keys/envelope.js';
import { KeyFactory } from '../../src/keys/key-factory.js';
import { emptyRing, nextEpoch, type KeyRing } from '../../src/keys/key-ring.js';
import { LocalKeyProvider } from '../../src/keys/local-key-provider.js';
import { OpenKeyRing, type JwkSet } from '../../src/keys/open-key-ring.js';
import { randomMasterKey } from './master-keys.js';

const T0 = 1_800_000_000_000;
const at = (minutes: number): number => T0 + minutes * 60_000;

describe('an open key ring', () => {
  const envelope = new Envelope(new LocalKeyProvider([randomMasterKey('m1')]));
  let dataKey: DataKey;
  let first: KeyRing;
  let second: KeyRing;

  beforeAll(async () => {
    const factory = new KeyFactory();
    dataKey = await envelope.newDataKey('acme');
    first = nextEpoch(emptyRing('acme'), await factory.make(dataKey, 2048, 'acme'), T0);
    second = nextEpoch(first, await factory.make(dataKey, 2048, 'acme'), T0 + 1);
  });

  test('signs with the active key and verifies with its public half', () => {
    const ring = new OpenKeyRing(first, dataKey);
    const signing = ring.signingKey(T0);
    const found = ring.verificationKey(String(signing?.kid), T0);
    expect(signing?.key.type).toBe('private');
    expect(signing?.key.asymmetricKeyDetails?.modulusLength).toBe(2048);
    expect(found?.state).toBe('active');
    expect(signing && createPublicKey(signing.key).equals(found!.key)).toBe(true);
  });

  test('parses each key once', () => {
    const ring = new OpenKeyRing(first, dataKey);
    expect(ring.signingKey(T0)?.key).toBe(ring.signingKey(T0)?.key);
  });

  test('still knows revoked keys of an ended epoch, as revoked, until they are gone', () => {
    const ring = new OpenKeyRing(second, dataKey);
    const old = String(first.signingKeys[0]?.kid);
    const oldSecret = String(first.refreshSecrets[0]?.kid);
    expect(ring.verificationKey(old, T0 + 1)?.state).toBe('revoked');
    expect(ring.refreshKey(oldSecret, T0 + 1)?.state).toBe('revoked');
    const gone = Number(second.signingKeys[0]?.expiresAtMs);
    expect(ring.verificationKey(old, gone)).toBeNull();
    expect(ring.refreshKey(oldSecret, gone)).toBeNull();
  });

  test('never takes one kind of key for the other, nor a name of an object for a kid', () => {
    const ring = new OpenKeyRing(first, dataKey);
    expect(ring.verificationKey(String(ring.refreshKid(T0)), T0)).toBeNull();
    expect(ring.refreshKey(String(ring.signingKey(T0)?.kid), T0)).toBeNull();
    for (const kid of ['constructor', '__proto__', '']) expect(ring.verificationKey(kid, T0)).toBeNull();
  });

  test('publishes what verifies and is not revoked, public members only', () => {
    const ring = new OpenKeyRing(second, dataKey);
    const { body, etag } = ring.jwks(T0 + 1);
    const { keys }: JwkSet = JSON.parse(body);
    expect(keys.map((key) => key.kid)).toEqual([second.signingKeys[1]?.kid]);
    for (const key of keys)
      expect(Object.keys(key).toSorted()).toEqual(['alg', 'e', 'kid', 'kty', 'n', 'use']);
    expect(etag).toMatch(/^"[A-Za-z0-9_-]{43}"$/);
    expect(new OpenKeyRing(first, dataKey).jwks(T0).etag).not.toBe(etag);
    expect(new OpenKeyRing(second, dataKey).jwks(T0 + 1).etag).toBe(etag);
  });

  test('publishes a key before it signs and after it has retired', () => {
    const [key] = first.signingKeys;
    const times = { activatesAtMs: at(10), retiresAtMs: at(20), expiresAtMs: at(30) };
    const ring = new OpenKeyRing({ ...first, signingKeys: [{ ...key!, ...times }] }, dataKey);
    const published = (minutes: number): number => {
      const { keys }: JwkSet = JSON.parse(ring.jwks(at(minutes)).body);
      return keys.length;
    };
    expect([0, 10, 20, 29, 30].map(published)).toEqual([1, 1, 1, 1, 0]);
    expect([8, 10, 19, 20].map((minutes) => ring.signingKey(at(minutes)) !== null)).toEqual([
      false,
      true,
      true,
      false,
    ]);
  });

  test('signs with keys that an instance whose clock is ahead has just made, and no other is active', () => {
    const ring = new OpenKeyRing(second, dataKey);
    const made = second.signingKeys.at(-1)?.kid;
    expect(ring.signingKey(T0 + 1 - 60_000)?.kid).toBe(made);
    expect(ring.refreshKid(T0 + 1 - 60_000)).toBe(second.refreshSecrets.at(-1)?.kid);
    expect(ring.signingKey(T0 - 60_000)).toBeNull();
    expect(ring.refreshKid(T0 - 60_000)).toBeNull();
  });

  test('does not sign without a private key', () => {
    const [key] = first.signingKeys;
    const ring = new OpenKeyRing({ ...first, signingKeys: [{ ...key!, sealedPrivateKey: null }] }, dataKey);
    expect(ring.signingKey(T0)).toBeNull();
  });

  test('says whether the keys that sign now can be opened', () => {
    expect(() => new OpenKeyRing(first, dataKey).tryKeys(T0)).not.toThrow();
    const [key] = first.signingKeys;
    const [secret] = first.refreshSecrets;
    const moved = [
      { ...first, signingKeys: [{ ...key!, kid: 'moved' }] },
      { ...first, refreshSecrets: [{ ...secret!, kid: 'moved' }] },
    ];
    for (const ring of moved) {
      expect(() => new OpenKeyRing(ring, dataKey).tryKeys(T0)).toThrow(
        expect.objectContaining({ code: 'store_unavailable' }),
      );
    }
  });

  test("does not open another tenant's keys", async () => {
    const stolen = new OpenKeyRing(first, await envelope.newDataKey('globex'));
    expect(() => stolen.signingKey(T0)).toThrow(expect.objectContaining({ code: 'store_unavailable' }));
    const kid = String(stolen.refreshKid(T0));
    expect(() => stolen.refreshKey(kid, T0)).toThrow(expect.objectContaining({ code: 'store_unavailable' }));
  });
});
