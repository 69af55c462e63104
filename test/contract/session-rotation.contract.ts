/** A refresh token is rotated, and its last answer repeated: what is written, and how long it lives. */
import { beforeEach, describe, expect, test } from '@jest/globals';
import type { RotationOutcome, Session, SessionStore } from '../../src/sessions/session.js';
import { storesOf, type OpenStores } from './open-stores.js';
import {
  ABSOLUTE_TTL,
  ACCESS_TTL,
  aSession,
  DAY,
  GRACE,
  IDLE_TTL,
  kept,
  MINUTE,
  newTenantId,
  presenting,
  SECOND,
  T0,
} from './samples.js';

export function sessionOf(result: RotationOutcome): Session {
  if (!('session' in result)) throw new Error(`no session: ${result.outcome}`);
  return result.session;
}

export function sessionRotationContract(open: OpenStores): void {
  describe('rotates', () => {
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
    const confirm = (currentId: string): Promise<void> =>
      store().confirmRotation(tenantId, session.sessionId, currentId);
    const found = (nowMs = T0): Promise<Session | null> => store().find(tenantId, session.sessionId, nowMs);

    test('the current token, answering with the record as it now is', async () => {
      const nowMs = T0 + MINUTE;
      const result = await rotate('r0', { successorId: 'r1', nowMs });
      expect(result).toEqual({
        outcome: 'rotated',
        session: {
          ...session,
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
      expect(await found()).toEqual(sessionOf(result));
    });

    test('a token ahead of the record: the store has lost a rotation that was acknowledged', async () => {
      await rotate('r0', { successorId: 'line_4' });
      await confirm('line_4');
      const result = await rotate('line_6', { successorId: 'line_7' });
      expect(result.outcome).toBe('rotated');
      expect(sessionOf(result).rotation).toMatchObject({ currentId: 'line_7', previousId: 'line_6' });
      await confirm('line_7');
      expect((await rotate('line_5', { successorId: 'line_6' })).outcome).toBe('reused');
    });

    test('no token ahead of the record that is of another lineage', async () => {
      await rotate('r0', { successorId: 'line_4' });
      await confirm('line_4');
      expect((await rotate('other_9', { successorId: 'other_10' })).outcome).toBe('reused');
    });

    test('a lineage of tokens, each once', async () => {
      for (let n = 0; n < 5; n++) {
        const result = await rotate(`r${n}`, { successorId: `r${n + 1}`, nowMs: T0 + n * MINUTE });
        expect(result.outcome).toBe('rotated');
        await confirm(`r${n + 1}`);
      }
      expect((await found())?.rotation).toMatchObject({ currentId: 'r5', previousId: 'r4', confirmed: true });
    });

    test('once, however many present the token at the same time', async () => {
      const results = await Promise.all(
        Array.from({ length: 50 }, (_, n) => rotate('r0', { successorId: `winner-${n}` })),
      );
      expect(results.filter(({ outcome }) => outcome === 'rotated')).toHaveLength(1);
      expect(results.filter(({ outcome }) => outcome === 'repeated')).toHaveLength(49);
      expect(new Set(results.map((result) => sessionOf(result).rotation.currentId)).size).toBe(1);
    });

    test('once when the very same request runs twice', async () => {
      const first = await rotate('r0', { successorId: 'r1' });
      const second = await rotate('r0', { successorId: 'r1' });
      expect(second).toEqual({ outcome: 'repeated', session: sessionOf(first) });
      expect((await rotate('r1', { successorId: 'r2' })).outcome).toBe('rotated');
    });

    test('an unknown session not at all', async () => {
      const unknown = aSession(tenantId).sessionId;
      expect(await store().rotate(tenantId, unknown, presenting('r0'))).toEqual({ outcome: 'missing' });
      expect(await store().find(tenantId, unknown, T0)).toBeNull();
    });

    describe('and repeats', () => {
      test('the same successor within the grace window, with what was stored for it', async () => {
        const first = sessionOf(await rotate('r0', { successorId: 'r1', kid: 'k1' }));
        await confirm('r1');
        const nowMs = T0 + SECOND + GRACE - 1;
        const again = await rotate('r0', { successorId: 'other', kid: 'k2', nowMs });
        expect(again).toEqual({
          outcome: 'repeated',
          session: {
            ...first,
            lastUsedAtMs: nowMs,
            accessExpiresAtMs: nowMs + ACCESS_TTL,
            rotation: { ...first.rotation, confirmed: true },
          },
        });
        expect(await found()).toEqual(sessionOf(again));
      });

      test('as often as it is asked within the window, which does not move', async () => {
        await rotate('r0');
        await confirm('after-r0');
        for (const ms of [0, 1, GRACE / 2, GRACE - 1]) {
          expect((await rotate('r0', { nowMs: T0 + SECOND + ms })).outcome).toBe('repeated');
        }
        expect(await rotate('r0', { nowMs: T0 + SECOND + GRACE })).toEqual({
          outcome: 'reused',
          cause: 'replaced_token',
          again: false,
        });
      });

      test('however late while the answer to the rotation is unconfirmed', async () => {
        const first = sessionOf(await rotate('r0'));
        const nowMs = T0 + 20 * DAY;
        const result = await rotate('r0', { successorId: 'other', nowMs });
        expect(result.outcome).toBe('repeated');
        expect(sessionOf(result).rotation).toEqual({ ...first.rotation, graceFromMs: nowMs });
        expect(sessionOf(result).idleExpiresAtMs).toBe(first.idleExpiresAtMs);
      });

      test('for a whole grace window after a late answer, and then no longer', async () => {
        await rotate('r0');
        const lateMs = T0 + 20 * DAY;
        await rotate('r0', { nowMs: lateMs });
        await confirm('after-r0');
        expect((await rotate('r0', { nowMs: lateMs + GRACE - 1 })).outcome).toBe('repeated');
        expect((await rotate('r0', { nowMs: lateMs + GRACE })).outcome).toBe('reused');
      });

      test('an unconfirmed answer even when there is no grace', async () => {
        await rotate('r0', { graceSeconds: 0 });
        expect((await rotate('r0', { graceSeconds: 0 })).outcome).toBe('repeated');
      });

      test('when the clock of another instance is behind', async () => {
        const first = sessionOf(await rotate('r0', { nowMs: T0 + MINUTE }));
        await confirm('after-r0');
        const result = await rotate('r0', { nowMs: T0 + 30 * SECOND });
        expect(result.outcome).toBe('repeated');
        expect(sessionOf(result).lastUsedAtMs).toBe(first.lastUsedAtMs);
        expect(sessionOf(result).accessExpiresAtMs).toBe(first.accessExpiresAtMs);
      });
    });

    describe('and confirms', () => {
      test('the current token', async () => {
        const { rotation } = sessionOf(await rotate('r0'));
        await confirm('after-r0');
        expect((await found())?.rotation).toEqual({ ...rotation, confirmed: true });
        await confirm('after-r0');
        expect((await found())?.rotation).toEqual({ ...rotation, confirmed: true });
      });

      test('nothing when the token is no longer, or not yet, the current one', async () => {
        await rotate('r0', { successorId: 'r1' });
        await confirm('r1');
        const { rotation } = sessionOf(await rotate('r1', { successorId: 'r2' }));
        for (const stale of ['r0', 'r1', 'r3', '']) await confirm(stale);
        expect((await found())?.rotation).toEqual({ ...rotation, confirmed: false });
      });

      test('nothing of a session that is not there, and makes none', async () => {
        await store().remove(tenantId, session);
        await confirm('r0');
        expect(await found()).toBeNull();
        expect(await rotate('r0')).toEqual({ outcome: 'missing' });
        expect(await store().idsByUser(tenantId, 'alice')).toEqual([]);
      });
    });

    describe('and counts time', () => {
      test('sliding the idle expiry with each rotation', async () => {
        for (const [n, day] of [10, 30, 45].entries()) {
          const nowMs = T0 + day * DAY;
          const result = await rotate(`r${n}`, { successorId: `r${n + 1}`, nowMs });
          expect(sessionOf(result).idleExpiresAtMs).toBe(nowMs + IDLE_TTL);
        }
      });

      test.each([ACCESS_TTL, 60 * DAY])(
        'so that the session is live until then, by an idle life of %d ms',
        async (ms) => {
          await rotate('r0', { refreshTokenTtlSeconds: ms / SECOND });
          const expiresAtMs = T0 + SECOND + ms;
          const check = (nowMs: number): Promise<string> =>
            store().check({ tenantId, sessionId: session.sessionId, tokenId: 'jti', nowMs });
          expect(await found(expiresAtMs - 1)).not.toBeNull();
          expect(await found(expiresAtMs)).toBeNull();
          expect([await check(expiresAtMs - 1), await check(expiresAtMs)]).toEqual(['live', 'missing']);
          expect(await store().listByUser(tenantId, 'alice', expiresAtMs - 1)).toHaveLength(1);
          expect(await store().listByUser(tenantId, 'alice', expiresAtMs)).toEqual([]);
        },
      );

      test('never past the absolute expiry', async () => {
        await rotate('r0', { successorId: 'r1', nowMs: T0 + 29 * DAY });
        await rotate('r1', { successorId: 'r2', nowMs: T0 + 58 * DAY });
        const result = sessionOf(await rotate('r2', { successorId: 'r3', nowMs: T0 + 87 * DAY }));
        expect(result.idleExpiresAtMs).toBe(T0 + ABSOLUTE_TTL);
        expect(result.absoluteExpiresAtMs).toBe(T0 + ABSOLUTE_TTL);
        expect((await rotate('r3', { nowMs: T0 + ABSOLUTE_TTL - 1 })).outcome).toBe('rotated');
      });

      test('refusing from the millisecond of the idle expiry on', async () => {
        expect(await rotate('r0', { nowMs: session.idleExpiresAtMs })).toEqual({ outcome: 'expired' });
        expect((await rotate('r0', { nowMs: session.idleExpiresAtMs - 1 })).outcome).toBe('rotated');
      });

      test('refusing from the millisecond of the absolute expiry on', async () => {
        const short = { idleExpiresAtMs: T0 + 2 * MINUTE, absoluteExpiresAtMs: T0 + MINUTE };
        session = await kept(store(), aSession(tenantId, short));
        expect(await rotate('r0', { nowMs: T0 + MINUTE })).toEqual({ outcome: 'expired' });
        expect((await rotate('r0', { nowMs: T0 + MINUTE - 1 })).outcome).toBe('rotated');
      });

      test('calling a reused token of an expired session expired, and marking nothing', async () => {
        expect(await rotate('never-issued', { nowMs: session.idleExpiresAtMs })).toEqual({
          outcome: 'expired',
        });
        expect(await found()).toEqual(session);
      });

      test('ending no access token later than the session itself', async () => {
        const result = await rotate('r0', { refreshTokenTtlSeconds: 1200, accessTokenTtlSeconds: 3600 });
        expect(sessionOf(result)).toMatchObject({
          idleExpiresAtMs: T0 + SECOND + 1_200_000,
          accessExpiresAtMs: T0 + SECOND + 1_200_000,
        });
      });

      test('remembering the session for as long as an access token lives that was issued before', async () => {
        const result = await rotate('r0', { refreshTokenTtlSeconds: 60, accessTokenTtlSeconds: 60 });
        expect(sessionOf(result)).toMatchObject({
          idleExpiresAtMs: T0 + ACCESS_TTL,
          accessExpiresAtMs: T0 + ACCESS_TTL,
        });
      });

      test('letting the expiry of access tokens only grow', async () => {
        const shorter = await rotate('r0', { successorId: 'r1', accessTokenTtlSeconds: 1 });
        expect(sessionOf(shorter).accessExpiresAtMs).toBe(T0 + ACCESS_TTL);
        const longer = await rotate('r1', { successorId: 'r2', accessTokenTtlSeconds: 3600 });
        expect(sessionOf(longer).accessExpiresAtMs).toBe(T0 + SECOND + 60 * MINUTE);
        const repeated = await rotate('r1', { accessTokenTtlSeconds: 5 });
        expect(sessionOf(repeated).accessExpiresAtMs).toBe(T0 + SECOND + 60 * MINUTE);
      });

      test('keeping the expiry of an absolute lifetime of years exact', async () => {
        const century = 36_500 * DAY;
        const long = { idleExpiresAtMs: T0 + century + 1, absoluteExpiresAtMs: T0 + century + 7 };
        session = await kept(store(), aSession(tenantId, long));
        const result = await rotate('r0', { refreshTokenTtlSeconds: century / SECOND });
        expect(sessionOf(result).idleExpiresAtMs).toBe(T0 + century + 7);
      });
    });
  });
}
