/** How many sessions are live: a number that follows everything that begins and ends them; nothing is searched. */
import { beforeEach, describe, expect, test } from '@jest/globals';
import { countedOf, countedUntilMs } from '../../src/sessions/live-count.js';
import type { SessionStore } from '../../src/sessions/session.js';
import { storesOf, type OpenStores } from './open-stores.js';
import { Random } from './random.js';
import { aSession, DAY, IDLE_TTL, kept, MINUTE, newTenantId, presenting, SECOND, T0 } from './samples.js';

const EPOCH = 3;

export function liveCountContract(open: OpenStores): void {
  describe('counts live sessions', () => {
    const stores = storesOf(open);
    const store = (): SessionStore => stores().sessions;
    let tenantId: string;
    beforeEach(() => {
      tenantId = newTenantId();
    });

    const live = (nowMs = T0, epoch = EPOCH): Promise<number> => store().countLive(tenantId, epoch, nowMs);

    test('none before there is one, and each that begins', async () => {
      expect(await live()).toBe(0);
      await kept(store(), aSession(tenantId));
      const second = await kept(store(), aSession(tenantId, { userId: 'bob' }));
      expect(await live()).toBe(2);
      await store().create(second, 100); // safe to repeat
      expect(await live()).toBe(2);
    });

    test('one less for each that is ended, however often that is said', async () => {
      const session = await kept(store(), aSession(tenantId));
      await kept(store(), aSession(tenantId));
      await store().revoke(tenantId, session.sessionId, 'admin', T0);
      await store().revoke(tenantId, session.sessionId, 'admin', T0);
      await store().remove(tenantId, session);
      await store().revoke(tenantId, session.sessionId, 'admin', T0);
      expect(await live()).toBe(1);
    });

    test('one less when a refresh token is used twice', async () => {
      const session = await kept(store(), aSession(tenantId));
      await store().rotate(tenantId, session.sessionId, presenting('never-issued'));
      await store().rotate(tenantId, session.sessionId, presenting('never-issued'));
      await store().revoke(tenantId, session.sessionId, 'refresh_token_reused', T0);
      expect(await live()).toBe(0);
    });

    test('a session no longer when its time is over, and not much longer', async () => {
      const session = await kept(store(), aSession(tenantId));
      expect(await live(session.idleExpiresAtMs - 1)).toBe(1);
      expect(await live(session.idleExpiresAtMs + IDLE_TTL / 40)).toBe(0);
    });

    test('a session that is refreshed once, for as long as it then lives', async () => {
      const session = await kept(store(), aSession(tenantId));
      const nowMs = T0 + 20 * DAY;
      await store().rotate(tenantId, session.sessionId, presenting('r0', { nowMs }));
      await store().rotate(tenantId, session.sessionId, presenting('r0', { nowMs })); // repeated
      expect(await live(nowMs)).toBe(1);
      expect(await live(T0 + 45 * DAY)).toBe(1);
      await store().revoke(tenantId, session.sessionId, 'user_logout', nowMs + SECOND);
      expect(await live(nowMs + SECOND)).toBe(0);
    });

    test('by tenant and epoch: what another has, or an earlier epoch had, is not among them', async () => {
      const before = await kept(store(), aSession(tenantId));
      await kept(store(), aSession(newTenantId()));
      await kept(store(), aSession(tenantId, { epoch: EPOCH + 1 }));
      expect(await live(T0, EPOCH + 1)).toBe(1);
      await store().revoke(tenantId, before.sessionId, 'admin', T0);
      expect(await live(T0, EPOCH + 1)).toBe(1);
      expect(await live(T0, EPOCH + 2)).toBe(0);
    });

    test('the same as a search would, after anything in any order', async () => {
      const random = new Random(20_261_123);
      const sessions = Array.from({ length: 12 }, (_, n) =>
        aSession(tenantId, { userId: `user-${n}`, idleExpiresAtMs: T0 + (n + 1) * 10 * MINUTE }),
      );
      let nowMs = T0;
      for (let step = 0; step < 120; step++) {
        nowMs += random.below(MINUTE);
        const { sessionId } = random.pick(sessions);
        const verb = random.below(4);
        if (verb === 0) await store().create(random.pick(sessions), 100);
        if (verb === 1) await store().revoke(tenantId, sessionId, 'admin', nowMs);
        if (verb >= 2) {
          const current = await store().find(tenantId, sessionId, nowMs);
          const presentedId = verb === 2 ? (current?.rotation.currentId ?? 'r0') : 'never-issued';
          const life = { refreshTokenTtlSeconds: random.below(3600) + 60, nowMs };
          await store().rotate(tenantId, sessionId, presenting(presentedId, life));
        }
        const found = await Promise.all(
          sessions.map(({ userId }) => store().listByUser(tenantId, userId, 0)),
        );
        const expected = found.flat().filter((session) => countedUntilMs(countedOf(session)) > nowMs);
        expect(await live(nowMs)).toBe(expected.length);
      }
    });
  });
}
