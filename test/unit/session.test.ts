import { describe, expect, test } from '@jest/globals';
import { accessExpiry, idleExpiry, rotate, type Session } from '../../src/sessions/session.js';
import {
  ACCESS_TTL,
  aSession,
  DAY,
  GRACE,
  IDLE_TTL,
  MINUTE,
  presenting,
  SECOND,
  T0,
} from '../contract/samples.js';

const SESSION = aSession('acme');

/** `r0` was replaced by `r1` at T0. */
function rotated(confirmed: boolean): Session {
  const rotation = {
    currentId: 'r1',
    previousId: 'r0',
    kid: 'k1',
    rotatedAtMs: T0,
    graceFromMs: T0,
    confirmed,
  };
  return { ...SESSION, rotation };
}

describe('the rules of rotation', () => {
  test('the current token is replaced, and its successor awaits confirmation', () => {
    const nowMs = T0 + MINUTE;
    expect(rotate(SESSION, presenting('r0', { successorId: 'r1', nowMs }))).toEqual({
      outcome: 'rotated',
      session: {
        ...SESSION,
        lastUsedAtMs: nowMs,
        idleExpiresAtMs: nowMs + IDLE_TTL,
        accessExpiresAtMs: nowMs + ACCESS_TTL,
        rotation: {
          currentId: 'r1',
          previousId: 'r0',
          kid: 'k1',
          rotatedAtMs: nowMs,
          graceFromMs: nowMs,
          confirmed: false,
        },
      },
    });
  });

  test('the record that was handed in stays as it was', () => {
    const before = structuredClone(SESSION);
    rotate(SESSION, presenting('r0'));
    expect(SESSION).toEqual(before);
  });

  test.each([
    ['just before', GRACE - 1, 'repeated'],
    ['at the end of', GRACE, 'reused'],
    ['long after', DAY, 'reused'],
  ])('a confirmed previous token %s the grace window', (_, ms, outcome) => {
    expect(rotate(rotated(true), presenting('r0', { nowMs: T0 + ms })).outcome).toBe(outcome);
  });

  test('a repeated token changes neither the lineage nor the idle expiry', () => {
    const session = rotated(true);
    const result = rotate(session, presenting('r0', { successorId: 'other', kid: 'other' }));
    expect(result).toEqual({
      outcome: 'repeated',
      session: { ...session, lastUsedAtMs: T0 + SECOND, accessExpiresAtMs: T0 + SECOND + ACCESS_TTL },
    });
  });

  test('an unconfirmed previous token is repeated however late, and its grace begins again', () => {
    const nowMs = T0 + 20 * DAY;
    const result = rotate(rotated(false), presenting('r0', { graceSeconds: 0, nowMs }));
    expect(result).toMatchObject({
      outcome: 'repeated',
      session: { rotation: { ...rotated(false).rotation, graceFromMs: nowMs } },
    });
  });

  test('without grace a confirmed previous token is reuse at once', () => {
    expect(rotate(rotated(true), presenting('r0', { graceSeconds: 0, nowMs: T0 }))).toEqual({
      outcome: 'reused',
      cause: 'replaced_token',
      again: false,
    });
  });

  test.each(['older', '', 'null', 'R1'])('any other id is reuse: %j', (id) => {
    expect(rotate(rotated(false), presenting(id))).toEqual({
      outcome: 'reused',
      cause: 'older_token',
      again: false,
    });
    expect(rotate(SESSION, presenting(id))).toEqual({
      outcome: 'reused',
      cause: 'older_token',
      again: false,
    });
  });

  test.each(['r1', 'r0', 'older'])('an expired session is expired, whatever is presented: %s', (id) => {
    const idle = presenting(id, { nowMs: SESSION.idleExpiresAtMs });
    expect(rotate(rotated(true), idle)).toEqual({ outcome: 'expired' });
    const absolute = { ...rotated(true), absoluteExpiresAtMs: T0 + MINUTE };
    expect(rotate(absolute, presenting(id, { nowMs: T0 + MINUTE }))).toEqual({ outcome: 'expired' });
  });

  test('neither last use nor the expiry of access tokens ever goes back', () => {
    const used = { ...SESSION, lastUsedAtMs: T0 + DAY, accessExpiresAtMs: T0 + DAY };
    expect(rotate(used, presenting('r0'))).toMatchObject({
      session: { lastUsedAtMs: T0 + DAY, accessExpiresAtMs: T0 + DAY },
    });
  });
});

describe('expiries', () => {
  const far = { idleExpiresAtMs: T0 + DAY, absoluteExpiresAtMs: T0 + DAY };

  test('an access token lives its time', () => {
    expect(accessExpiry(far, 900, T0)).toBe(T0 + 900 * SECOND);
  });

  test('an access token never outlives its session', () => {
    expect(accessExpiry({ ...far, idleExpiresAtMs: T0 + 5 }, 900, T0)).toBe(T0 + 5);
    expect(accessExpiry({ ...far, absoluteExpiresAtMs: T0 + 7 }, 900, T0)).toBe(T0 + 7);
  });

  test('a session is idle no longer than its absolute expiry allows', () => {
    expect(idleExpiry(T0 + DAY, { refreshTokenTtlSeconds: 60, nowMs: T0 })).toBe(T0 + MINUTE);
    expect(idleExpiry(T0 + DAY, { refreshTokenTtlSeconds: 1e9, nowMs: T0 })).toBe(T0 + DAY);
  });
});
