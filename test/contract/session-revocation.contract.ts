/** Ending sessions and single tokens, and what is said of their access tokens before, during and after. */
import { beforeEach, describe, expect, test } from '@jest/globals';
import { REVOCATION_REASONS } from '../../src/revocation-reason.js';
import { REVOCATION_MARGIN_MS, type Session, type SessionStore } from '../../src/sessions/session.js';
import { storesOf, type OpenStores } from './open-stores.js';
import { ACCESS_TTL, aSession, kept, MINUTE, newTenantId, presenting, SECOND, T0 } from './samples.js';

export function sessionRevocationContract(open: OpenStores): void {
  describe('revokes', () => {
    const stores = storesOf(open);
    const store = (): SessionStore => stores().sessions;
    let tenantId: string;
    let session: Session;
    beforeEach(async () => {
      tenantId = newTenantId();
      session = await kept(store(), aSession(tenantId));
    });

    const check = (of = session, tokenId = 'jti', nowMs = T0): Promise<string> =>
      store().check({ tenantId, sessionId: of.sessionId, tokenId, nowMs });
    const rotate = (presentedId: string) =>
      store().rotate(tenantId, session.sessionId, presenting(presentedId));
    const revokeToken = (tokenId: string, expiresAtMs = T0 + ACCESS_TTL): Promise<void> =>
      store().revokeToken({ tenantId, tokenId, expiresAtMs }, T0);

    test('nothing by itself: a new session is live, an unknown one is missing', async () => {
      expect(await check()).toBe('live');
      expect(await check(aSession(tenantId))).toBe('missing');
    });

    test('a session and says of whom and for how long', async () => {
      expect(await store().revoke(tenantId, session.sessionId, 'user_logout', T0)).toEqual({
        sessionId: session.sessionId,
        userId: 'alice',
        accessExpiresAtMs: T0 + ACCESS_TTL,
        epoch: session.epoch,
        again: false,
      });
    });

    test('a session with the expiry of the latest access token that a refresh gave', async () => {
      await rotate('r0');
      const revoked = await store().revoke(tenantId, session.sessionId, 'admin', T0 + MINUTE);
      expect(revoked?.accessExpiresAtMs).toBe(T0 + SECOND + ACCESS_TTL);
    });

    test('every access token of the session, before its record is removed and after', async () => {
      await store().revoke(tenantId, session.sessionId, 'admin', T0);
      expect(await check()).toBe('revoked');
      expect(await check(session, 'another-jti')).toBe('revoked');
      await store().remove(tenantId, session);
      expect(await check()).toBe('revoked');
      expect(await check(session, 'jti', T0 + ACCESS_TTL)).toBe('revoked');
    });

    test('every refresh token of the session, before its record is removed and after', async () => {
      await rotate('r0');
      await store().revoke(tenantId, session.sessionId, 'admin', T0);
      for (const id of ['r0', 'after-r0', 'never-issued']) {
        expect(await rotate(id)).toEqual({ outcome: 'revoked' });
      }
      await store().remove(tenantId, session);
      for (const id of ['r0', 'after-r0', 'never-issued']) {
        expect(await rotate(id)).toEqual({ outcome: 'revoked' });
      }
      expect(await store().find(tenantId, session.sessionId, T0)).toBeNull();
    });

    test('as often as asked, and says that it is not the first time, until the record is removed', async () => {
      const first = await store().revoke(tenantId, session.sessionId, 'user_logout', T0);
      expect(await store().revoke(tenantId, session.sessionId, 'admin', T0 + MINUTE)).toEqual({
        ...first,
        again: true,
      });
      await store().remove(tenantId, session);
      expect(await store().revoke(tenantId, session.sessionId, 'admin', T0 + MINUTE)).toBeNull();
      expect(await check()).toBe('revoked');
    });

    test('once for good: a later reason does not turn it into reuse, nor reuse into another reason', async () => {
      await store().revoke(tenantId, session.sessionId, 'admin', T0);
      await store().revoke(tenantId, session.sessionId, 'refresh_token_reused', T0);
      expect(await rotate('r0')).toEqual({ outcome: 'revoked' });
      session = await kept(store(), aSession(tenantId));
      await rotate('never-issued');
      await store().revoke(tenantId, session.sessionId, 'admin', T0);
      expect(await rotate('r0')).toMatchObject({ outcome: 'reused', again: true });
    });

    test.each(REVOCATION_REASONS)('for the reason %s', async (reason) => {
      expect(await store().revoke(tenantId, session.sessionId, reason, T0)).not.toBeNull();
      expect(await check()).toBe('revoked');
    });

    test('no session that never was, and remembers nothing of it', async () => {
      const unknown = aSession(tenantId);
      expect(await store().revoke(tenantId, unknown.sessionId, 'admin', T0)).toBeNull();
      expect(await check(unknown)).toBe('missing');
      await kept(store(), unknown);
      expect(await check(unknown)).toBe('live');
    });

    test('no session from the millisecond in which it expires', async () => {
      const { sessionId, idleExpiresAtMs } = session;
      expect(await store().revoke(tenantId, sessionId, 'admin', idleExpiresAtMs)).toBeNull();
      expect(await store().revoke(tenantId, sessionId, 'admin', idleExpiresAtMs - 1)).not.toBeNull();
    });

    test('one session and no other of the user', async () => {
      const other = await kept(store(), aSession(tenantId));
      await store().revoke(tenantId, session.sessionId, 'admin', T0);
      await store().remove(tenantId, session);
      expect(await check(other)).toBe('live');
      expect(await store().idsByUser(tenantId, 'alice')).toEqual([other.sessionId]);
    });

    test('although a rotation is confirmed afterwards', async () => {
      await rotate('r0');
      await store().revoke(tenantId, session.sessionId, 'admin', T0);
      await store().confirmRotation(tenantId, session.sessionId, 'after-r0');
      expect(await check()).toBe('revoked');
      expect(await rotate('after-r0')).toEqual({ outcome: 'revoked' });
    });

    test('whichever comes first of a refresh and a revocation at the same moment', async () => {
      for (let round = 0; round < 25; round++) {
        session = await kept(store(), aSession(tenantId));
        const [revoked] = await Promise.all([
          store().revoke(tenantId, session.sessionId, 'admin', T0),
          rotate('r0'),
          rotate('r0'),
        ]);
        expect(revoked?.sessionId).toBe(session.sessionId);
        expect(await check()).toBe('revoked');
        expect(await rotate('after-r0')).toEqual({ outcome: 'revoked' });
      }
    });

    describe('by time', () => {
      test('calling a token missing once its session has expired', async () => {
        expect(await check(session, 'jti', session.idleExpiresAtMs - 1)).toBe('live');
        expect(await check(session, 'jti', session.idleExpiresAtMs)).toBe('missing');
      });

      test('calling a token of a removed, never revoked session missing', async () => {
        await store().remove(tenantId, session);
        expect(await check()).toBe('missing');
      });

      test('remembering a revoked session until its last access token has expired, with a margin', async () => {
        await store().revoke(tenantId, session.sessionId, 'admin', T0);
        await store().remove(tenantId, session);
        expect(await check(session, 'jti', T0 + ACCESS_TTL + REVOCATION_MARGIN_MS - 1)).toBe('revoked');
      });
    });

    describe('one token alone', () => {
      test('and leaves the session and its other tokens live', async () => {
        await revokeToken('leaked');
        expect(await check(session, 'leaked')).toBe('revoked');
        expect(await check(session, 'other')).toBe('live');
        expect((await rotate('r0')).outcome).toBe('rotated');
      });

      test('as often as asked', async () => {
        await revokeToken('leaked');
        await revokeToken('leaked');
        expect(await check(session, 'leaked')).toBe('revoked');
      });

      test('even one that has just expired', async () => {
        await revokeToken('leaked', T0 - SECOND);
        expect(await check(session, 'leaked')).toBe('revoked');
      });

      test('and still says so when the session is gone', async () => {
        await revokeToken('leaked');
        await store().remove(tenantId, session);
        expect(await check(session, 'leaked')).toBe('revoked');
        expect(await check(session, 'other')).toBe('missing');
      });
    });

    describe('and removes', () => {
      test('the record from the lists of its user', async () => {
        const revoked = await store().revoke(tenantId, session.sessionId, 'admin', T0);
        if (!revoked) throw new Error('there is such a session');
        await store().remove(tenantId, revoked);
        expect(await store().idsByUser(tenantId, 'alice')).toEqual([]);
        expect(await store().listByUser(tenantId, 'alice', T0)).toEqual([]);
      });

      test('as often as asked, and what is not there at all', async () => {
        await store().remove(tenantId, session);
        await store().remove(tenantId, session);
        await store().remove(tenantId, aSession(tenantId));
        expect(await store().find(tenantId, session.sessionId, T0)).toBeNull();
      });
    });
  });
}
