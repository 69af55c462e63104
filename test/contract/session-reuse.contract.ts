/** A refresh token that was replaced is presented again: the session is found out and marked. */
import { beforeEach, describe, expect, test } from '@jest/globals';
import type { RotationOutcome, Session, SessionStore } from '../../src/sessions/session.js';
import { storesOf, type OpenStores } from './open-stores.js';
import { ACCESS_TTL, aSession, GRACE, kept, MINUTE, newTenantId, presenting, SECOND, T0 } from './samples.js';

export function sessionReuseContract(open: OpenStores): void {
  describe('finds reuse', () => {
    const stores = storesOf(open);
    const store = (): SessionStore => stores().sessions;
    let tenantId: string;
    let session: Session;
    beforeEach(async () => {
      tenantId = newTenantId();
      session = await kept(store(), aSession(tenantId));
    });

    const rotate = (...request: Parameters<typeof presenting>): Promise<RotationOutcome> =>
      store().rotate(tenantId, session.sessionId, presenting(...request));
    const check = (nowMs = T0): Promise<string> =>
      store().check({ tenantId, sessionId: session.sessionId, tokenId: 'jti', nowMs });

    /** `r0` became `r1`, and the answer arrived. */
    async function rotatedOnce(graceSeconds = GRACE / SECOND): Promise<void> {
      await rotate('r0', { successorId: 'r1', graceSeconds });
      await store().confirmRotation(tenantId, session.sessionId, 'r1');
    }

    test('of the previous token after its grace window', async () => {
      await rotatedOnce();
      expect(await rotate('r0', { nowMs: T0 + SECOND + GRACE })).toEqual({
        outcome: 'reused',
        cause: 'replaced_token',
        again: false,
      });
    });

    test('of the previous token at once when there is no grace', async () => {
      await rotatedOnce(0);
      expect(await rotate('r0', { graceSeconds: 0 })).toEqual({
        outcome: 'reused',
        cause: 'replaced_token',
        again: false,
      });
    });

    test('of an older token, even within the grace window and unconfirmed', async () => {
      await rotatedOnce();
      await rotate('r1', { successorId: 'r2' });
      expect(await rotate('r0')).toEqual({ outcome: 'reused', cause: 'older_token', again: false });
    });

    test('of an id that the session never had', async () => {
      expect(await rotate('never-issued')).toEqual({ outcome: 'reused', cause: 'older_token', again: false });
    });

    test('and refuses every token of the session from then on', async () => {
      await rotatedOnce();
      expect(await check()).toBe('live');
      await rotate('r0', { nowMs: T0 + MINUTE });
      expect(await check(T0 + MINUTE)).toBe('revoked');
      expect(await store().find(tenantId, session.sessionId, T0 + MINUTE)).toBeNull();
      expect(await store().listByUser(tenantId, 'alice', T0 + MINUTE)).toEqual([]);
    });

    test('again, whichever token is presented, while its ending was cut short', async () => {
      await rotatedOnce();
      await rotate('r0', { nowMs: T0 + MINUTE });
      const older = { outcome: 'reused', cause: 'older_token', again: true };
      const previous = { outcome: 'reused', cause: 'replaced_token', again: true };
      expect(await rotate('r0', { nowMs: T0 + MINUTE })).toEqual(previous);
      expect(await rotate('r1', { nowMs: T0 + MINUTE })).toEqual(older);
      expect(await rotate('never-issued', { nowMs: T0 + MINUTE })).toEqual(older);
      expect(await rotate('r1', { nowMs: session.absoluteExpiresAtMs })).toEqual(older);
    });

    test('and completes the ending by a retry', async () => {
      await rotatedOnce();
      await rotate('r0', { nowMs: T0 + MINUTE });
      const revoked = await store().revoke(tenantId, session.sessionId, 'refresh_token_reused', T0 + MINUTE);
      expect(revoked).toEqual({
        sessionId: session.sessionId,
        userId: 'alice',
        accessExpiresAtMs: T0 + SECOND + ACCESS_TTL,
        epoch: session.epoch,
        again: true,
      });
      await store().remove(tenantId, { sessionId: session.sessionId, userId: 'alice' });
      expect(await rotate('r1', { nowMs: T0 + MINUTE })).toEqual({ outcome: 'revoked' });
      expect(await check(T0 + MINUTE)).toBe('revoked');
      expect(await store().idsByUser(tenantId, 'alice')).toEqual([]);
    });

    test('of the token of a session that was revoked for another reason: that reason stands', async () => {
      await rotatedOnce();
      await store().revoke(tenantId, session.sessionId, 'user_logout', T0);
      expect(await rotate('r0', { nowMs: T0 + MINUTE })).toEqual({ outcome: 'revoked' });
      expect(await rotate('r1')).toEqual({ outcome: 'revoked' });
    });

    test('but another session of the user lives on', async () => {
      const other = await kept(store(), aSession(tenantId, { createdAtMs: T0 + 1 }));
      await rotate('never-issued');
      expect(await store().listByUser(tenantId, 'alice', T0)).toEqual([other]);
      const rotated = await store().rotate(tenantId, other.sessionId, presenting('r0'));
      expect(rotated.outcome).toBe('rotated');
    });
  });
}
