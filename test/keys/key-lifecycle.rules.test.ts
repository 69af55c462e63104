/** The rules by which rings change, one at a time. */
import { describe, expect, test } from '@jest/globals';
import {
  activateNext,
  activeKey,
  isFull,
  JWKS_MAX_AGE_SECONDS,
  killKey,
  needsSuccessor,
  nextEpoch,
  nextKey,
  publishNext,
  PUBLISH_LEAD_MS,
  rotationDue,
  signer,
  stateOf,
  type KeyRing,
} from '../../src/keys/key-ring.js';
import { ACCESS_KEPT, DAY, firstRing, HOUR, MINUTE, named, REFRESH_KEPT, SECOND, T0 } from './key-names.js';

const LEAD = PUBLISH_LEAD_MS;

const publish = (ring: KeyRing, name: string, nowMs: number, activatesAtMs = nowMs + LEAD): KeyRing =>
  publishNext(ring, named(name), { activatesAtMs, nowMs });

/** `s-1` signs, `s-2` follows at T0 + LEAD. */
const rotating = (): KeyRing => publish(firstRing(), '2', T0);
/** `s-1` has signed until T0 + LEAD; `s-2` signs. */
const rotated = rotating;

const states = ({ signingKeys, epoch }: KeyRing, nowMs: number): Record<string, string> =>
  Object.fromEntries(signingKeys.map((key) => [key.kid, stateOf(key, epoch, nowMs)]));

const secretStates = ({ refreshSecrets, epoch }: KeyRing, nowMs: number): Record<string, string> =>
  Object.fromEntries(refreshSecrets.map((key) => [key.kid, stateOf(key, epoch, nowMs)]));

const keyOf = (ring: KeyRing, kid: string) => ring.signingKeys.find((key) => key.kid === kid);

function killed(ring: KeyRing, kid: string, nowMs: number, fresh: string | null = null): KeyRing {
  const after = killKey(ring, kid, fresh === null ? null : named(fresh), nowMs);
  if (!after) throw new Error(`${kid} cannot be killed`);
  return after;
}

describe('publishing the next key', () => {
  test('leaves the old one signing until the moment that is named, and the new one from it on', () => {
    const ring = rotating();
    expect(states(ring, T0)).toEqual({ 's-1': 'active', 's-2': 'next' });
    expect(states(ring, T0 + LEAD - 1)).toEqual({ 's-1': 'active', 's-2': 'next' });
    expect(states(ring, T0 + LEAD)).toEqual({ 's-1': 'retired', 's-2': 'active' });
    expect(ring).toMatchObject({ version: 2, epoch: 1, wrappedDataKey: 'wrapped' });
  });

  test('is done so early that no cache of the JWKS can be without it when it signs', () => {
    expect(LEAD).toBeGreaterThan(JWKS_MAX_AGE_SECONDS * SECOND);
  });

  test('keeps the old key verifying until the last token it signed has expired', () => {
    const ring = rotating();
    expect(states(ring, T0 + LEAD + ACCESS_KEPT - 1)).toEqual({ 's-1': 'retired', 's-2': 'active' });
    expect(states(ring, T0 + LEAD + ACCESS_KEPT)).toEqual({ 's-1': 'gone', 's-2': 'active' });
  });

  test('lets go of keys that are gone', () => {
    const ring = publish(rotated(), '3', T0 + LEAD + ACCESS_KEPT);
    expect(ring.signingKeys.map(({ kid }) => kid)).toEqual(['s-2', 's-3']);
  });

  test('may let the new key sign at once', () => {
    const ring = publish(firstRing(), '2', T0 + HOUR, T0 + HOUR);
    expect(states(ring, T0 + HOUR)).toEqual({ 's-1': 'retired', 's-2': 'active' });
  });

  test('leaves the ring that was handed in as it was', () => {
    const before = firstRing();
    const copy = structuredClone(before);
    publish(before, '2', T0);
    expect(before).toEqual(copy);
  });
});

describe('refresh secrets', () => {
  test('stay while they are younger than 30 days, however often keys are rotated', () => {
    let ring = firstRing();
    for (let day = 1; day < 30; day++) ring = publish(ring, `d${day}`, T0 + day * DAY);
    expect(secretStates(ring, T0 + 29 * DAY)).toEqual({ 'r-1': 'active' });
  });

  test('are rotated with the signing key from their 30th day on', () => {
    const day30 = T0 + 30 * DAY;
    expect(secretStates(publish(firstRing(), '2', day30 - 1), day30 - 1)).toEqual({ 'r-1': 'active' });
    const ring = publish(firstRing(), '2', day30);
    expect(secretStates(ring, day30)).toEqual({ 'r-1': 'active', 'r-2': 'next' });
    expect(secretStates(ring, day30 + LEAD)).toEqual({ 'r-1': 'retired', 'r-2': 'active' });
  });

  test('verify for as long as the longest-lived refresh token that they signed', () => {
    const ring = publish(firstRing(), '2', T0 + 30 * DAY);
    const retiresAt = T0 + 30 * DAY + LEAD;
    expect(secretStates(ring, retiresAt + REFRESH_KEPT - 1)['r-1']).toBe('retired');
    expect(secretStates(ring, retiresAt + REFRESH_KEPT)['r-1']).toBe('gone');
  });

  test('are not published again while one is about to sign, although its signing key was killed', () => {
    let ring = publish(firstRing(), '2', T0 + 30 * DAY);
    for (let n = 3; n < 50; n++) {
      const nowMs = T0 + 30 * DAY + n;
      ring = killed(ring, `s-${n - 1}`, nowMs);
      ring = publish(ring, String(n), nowMs);
    }
    expect(ring.refreshSecrets.map(({ kid }) => kid)).toEqual(['r-1', 'r-2']);
    expect(secretStates(ring, T0 + 31 * DAY)).toEqual({ 'r-1': 'retired', 'r-2': 'active' });
  });

  test('number no more than a year of rotations can need', () => {
    let ring = firstRing();
    let most = 0;
    for (let hour = 12; hour < 3 * 365 * 24; hour += 12) {
      ring = publish(ring, String(hour), T0 + hour * HOUR, T0 + hour * HOUR);
      most = Math.max(most, ring.refreshSecrets.length);
    }
    expect(most).toBeLessThanOrEqual(14);
    expect(most).toBeGreaterThan(10);
  });
});

describe('letting the next key sign now', () => {
  test('retires the one that signs and brings the secrets forward with it', () => {
    const ring = publish(firstRing(), '2', T0 + 30 * DAY);
    const now = T0 + 30 * DAY + 5;
    const after = activateNext(ring, now);
    expect(after).toMatchObject({ version: 3 });
    expect(states(after!, now)).toEqual({ 's-1': 'retired', 's-2': 'active' });
    expect(secretStates(after!, now)).toEqual({ 'r-1': 'retired', 'r-2': 'active' });
    expect(keyOf(after!, 's-1')).toMatchObject({ retiresAtMs: now, expiresAtMs: now + ACCESS_KEPT });
    expect(after?.refreshSecrets[0]).toMatchObject({ retiresAtMs: now, expiresAtMs: now + REFRESH_KEPT });
  });

  test('leaves a secret alone that was not to retire', () => {
    const after = activateNext(rotating(), T0 + 5);
    expect(after?.refreshSecrets).toEqual(firstRing().refreshSecrets);
  });

  test('does nothing where no key is next', () => {
    expect(activateNext(firstRing(), T0)).toBeNull();
    expect(activateNext(rotated(), T0 + LEAD)).toBeNull();
    expect(activateNext(killed(rotating(), 's-2', T0), T0)).toBeNull();
  });
});

describe('killing a key', () => {
  test('that is next leaves the active one to sign for ever', () => {
    const ring = killed(rotating(), 's-2', T0 + 1);
    expect(states(ring, T0 + 1)).toEqual({ 's-1': 'active', 's-2': 'revoked' });
    expect(states(ring, T0 + 1000 * DAY)).toEqual({ 's-1': 'active', 's-2': 'gone' });
    expect(keyOf(ring, 's-1')).toMatchObject({ retiresAtMs: null, expiresAtMs: null });
  });

  test('that is active lets the next one sign at once', () => {
    const ring = killed(rotating(), 's-1', T0 + 1);
    expect(states(ring, T0 + 1)).toEqual({ 's-1': 'revoked', 's-2': 'active' });
    expect(keyOf(ring, 's-2')).toMatchObject({ activatesAtMs: T0 + 1, retiresAtMs: null });
  });

  test('that is active and alone lets a fresh one sign in the same step', () => {
    const ring = killed(firstRing(), 's-1', T0 + 1, '2');
    expect(states(ring, T0 + 1)).toEqual({ 's-1': 'revoked', 's-2': 'active' });
    expect(ring.version).toBe(2);
  });

  test('that is retired changes nothing for the others', () => {
    const now = T0 + LEAD + 1;
    const ring = killed(rotated(), 's-1', now);
    expect(states(ring, now)).toEqual({ 's-1': 'revoked', 's-2': 'active' });
    expect(keyOf(ring, 's-2')).toEqual(keyOf(rotated(), 's-2'));
  });

  test.each([
    ['next', rotating(), 's-2', T0],
    ['active', rotating(), 's-1', T0],
    ['retired', rotated(), 's-1', T0 + LEAD],
  ])('that is %s takes no fresh one, although it is offered', (_, ring, kid, nowMs) => {
    expect(needsSuccessor(ring, kid, nowMs)).toBe(false);
    expect(killed(ring, kid, nowMs, 'fresh').signingKeys.map(({ kid }) => kid)).toEqual(['s-1', 's-2']);
  });

  test('that is alone is never done without another to follow', () => {
    expect(needsSuccessor(firstRing(), 's-1', T0)).toBe(true);
    expect(() => killKey(firstRing(), 's-1', null, T0)).toThrow('never left without a key');
    // Made by an instance whose clock is ahead of ours: next, and alone all the same.
    expect(needsSuccessor(firstRing(), 's-1', T0 - SECOND)).toBe(true);
    const ring = killed(firstRing(), 's-1', T0 - SECOND, '2');
    expect(states(ring, T0)).toEqual({ 's-1': 'revoked', 's-2': 'active' });
  });

  test.each([
    ['revoked', killed(firstRing(), 's-1', T0, '2'), 's-1', T0],
    ['of an ended epoch', nextEpoch(firstRing(), named('2'), T0), 's-1', T0],
    ['gone', rotated(), 's-1', T0 + LEAD + ACCESS_KEPT],
    ['unknown', rotating(), 's-9', T0],
    ['a refresh secret', rotating(), 'r-1', T0],
    ['no key but a name of objects', rotating(), '__proto__', T0],
  ])('that is %s does nothing', (_, ring, kid, nowMs) => {
    expect(killKey(ring, kid, named('fresh'), nowMs)).toBeNull();
  });

  test('keeps its public half until its tokens have expired, and drops its private half', () => {
    const ring = killed(firstRing(), 's-1', T0 + HOUR, '2');
    expect(keyOf(ring, 's-1')).toMatchObject({
      publicKey: 'public-1',
      sealedPrivateKey: null,
      revokedAtMs: T0 + HOUR,
      expiresAtMs: T0 + HOUR + ACCESS_KEPT,
    });
    expect(keyOf(ring, 's-2')?.sealedPrivateKey).toBe('sealed-2');
  });

  test('leaves refresh secrets as they are: nobody is logged out', () => {
    expect(killed(rotating(), 's-1', T0).refreshSecrets).toEqual(rotating().refreshSecrets);
  });

  test('leaves the ring that was handed in as it was', () => {
    const before = rotating();
    killed(before, 's-1', T0);
    expect(before).toEqual(rotating());
  });
});

describe('a ring is bounded', () => {
  test('and full at 100 keys that are not gone, until the first of them is', () => {
    let ring = firstRing();
    for (let n = 2; n <= 100; n++) {
      expect(isFull(ring, T0 + n)).toBe(false);
      ring = publish(ring, String(n), T0 + n, T0 + n);
    }
    expect(ring.signingKeys).toHaveLength(100);
    expect(isFull(ring, T0 + 100)).toBe(true);
    const firstIsGone = T0 + 2 + ACCESS_KEPT;
    expect(isFull(ring, firstIsGone - 1)).toBe(true);
    expect(isFull(ring, firstIsGone)).toBe(false);
    expect(publish(ring, 'next', T0 + 3 * DAY).signingKeys).toHaveLength(2);
  });

  test('however often its key is killed, and keeps the 16 that were killed last', () => {
    let ring = firstRing();
    for (let n = 1; n <= 60; n++) ring = killed(ring, `s-${n}`, T0 + n, String(n + 1));
    const expected = Array.from({ length: 16 }, (_, n) => [`s-${45 + n}`, 'revoked']);
    expect(states(ring, T0 + 60)).toEqual({ ...Object.fromEntries(expected), 's-61': 'active' });
  });

  test('and forgets by the time of the killing, not by the age of the key', () => {
    let ring = publish(firstRing(), 'keep', T0, T0); // s-1 retires
    ring = killed(publish(ring, 'x0', T0 + 1, T0 + 1), 's-keep', T0 + 1);
    for (let n = 0; n < 20; n++) ring = killed(ring, `s-x${n}`, T0 + 2 + n, `x${n + 1}`);
    ring = killed(ring, 's-1', T0 + 30); // the oldest of all
    expect(states(ring, T0 + 30)).toMatchObject({ 's-1': 'revoked', 's-x20': 'active' });
    expect(Object.values(states(ring, T0 + 30)).filter((state) => state === 'revoked')).toHaveLength(16);
  });
});

describe('automatic rotation', () => {
  const due = (ring: KeyRing, nowMs: number, days = 90) =>
    rotationDue(ring, { rotationMs: days * DAY, nowMs });
  const end = T0 + 90 * DAY;

  test('is due half a day before the key has served its time, not earlier', () => {
    expect(due(firstRing(), T0)).toBeNull();
    expect(due(firstRing(), end - 12 * HOUR - 1)).toBeNull();
    expect(due(firstRing(), end - 12 * HOUR)).toEqual({ activatesAtMs: end });
  });

  test('lets the next key sign on time, or as soon as caches allow when it comes late', () => {
    expect(due(firstRing(), end - LEAD)).toEqual({ activatesAtMs: end });
    expect(due(firstRing(), end - MINUTE)).toEqual({ activatesAtMs: end - MINUTE + LEAD });
    expect(due(firstRing(), end + 500 * DAY)).toEqual({ activatesAtMs: end + 500 * DAY + LEAD });
  });

  test('is not due again while the next key is published, and then counts from its first day', () => {
    const ring = publish(firstRing(), '2', end - HOUR, end);
    expect(due(ring, end - 1)).toBeNull();
    expect(due(ring, end)).toBeNull();
    expect(due(ring, end + 90 * DAY)).toMatchObject({ activatesAtMs: end + 90 * DAY + LEAD });
  });

  test('begins anew with a key that took a killed one’s place', () => {
    const ring = killed(firstRing(), 's-1', end - HOUR, '2');
    expect(due(ring, end)).toBeNull();
    expect(due(ring, end + 89 * DAY + 11 * HOUR)).toEqual({ activatesAtMs: end - HOUR + 90 * DAY });
  });

  test('keeps its lead however short the term', () => {
    expect(due(firstRing(), T0 + 12 * HOUR, 1)).toEqual({ activatesAtMs: T0 + DAY });
    expect(due(firstRing(), T0 + 12 * HOUR - 1, 1)).toBeNull();
  });

  test('is never due for a ring that has no key', () => {
    expect(due(nextEpoch(firstRing(), null, T0), end)).toBeNull();
  });
});

describe('the key to sign with', () => {
  test('is the active one wherever there is one', () => {
    const { signingKeys, epoch } = rotating();
    for (const nowMs of [T0, T0 + LEAD - 1, T0 + LEAD, T0 + 9 * DAY]) {
      expect(signer(signingKeys, epoch, nowMs)).toBe(activeKey(signingKeys, epoch, nowMs));
    }
  });

  test('is one that is about to sign when an instance whose clock is ahead left no other', () => {
    const { signingKeys, epoch } = killed(firstRing(), 's-1', T0, '2');
    expect(activeKey(signingKeys, epoch, T0 - 1)).toBeUndefined();
    expect(nextKey(signingKeys, epoch, T0 - 1)?.kid).toBe('s-2');
    expect(signer(signingKeys, epoch, T0 - MINUTE)?.kid).toBe('s-2');
    expect(signer(signingKeys, epoch, T0 - MINUTE - 1)).toBeUndefined();
  });
});
