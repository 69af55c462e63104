import { describe, expect, test } from '@jest/globals';
import { lastAccessExpiry, type Proof } from '../../src/sessions/session-endings.js';

const T0 = 1_800_000_000_000;
const HOUR_MS = 3_600_000;
const FIFTEEN_MINUTES = { accessTokenTtlSeconds: 900 };
const NEVER_CHANGED = { version: 1, updatedAtMs: T0 };

const access = (expMs: number): Proof => ({ sid: 's', exp: expMs / 1000, token_type: 'access' });
const refresh = (expMs: number): Proof => ({ sid: 's', exp: expMs / 1000, token_type: 'refresh' });

describe('access tokens of a session that the store has lost may be alive', () => {
  test('as long as one that is issued now: not as long as the refresh token that speaks of it', () => {
    expect(lastAccessExpiry(NEVER_CHANGED, FIFTEEN_MINUTES, [refresh(T0 + 720 * HOUR_MS)], T0)).toBe(
      T0 + HOUR_MS / 4,
    );
  });

  test('as long as the one that was presented, which may be older than the setting', () => {
    const proofs = [access(T0 + 3 * HOUR_MS), access(T0 + 5 * HOUR_MS), access(T0 - HOUR_MS)];
    expect(lastAccessExpiry(NEVER_CHANGED, FIFTEEN_MINUTES, proofs, T0)).toBe(T0 + 5 * HOUR_MS);
  });

  test('as long as any setting allows, when the tenant was changed less than that ago', () => {
    const changed = { version: 2, updatedAtMs: T0 - HOUR_MS };
    expect(lastAccessExpiry(changed, FIFTEEN_MINUTES, [], T0)).toBe(T0 + 23 * HOUR_MS);
    expect(lastAccessExpiry({ ...changed, updatedAtMs: T0 - 25 * HOUR_MS }, FIFTEEN_MINUTES, [], T0)).toBe(
      T0 + HOUR_MS / 4,
    );
  });
});
