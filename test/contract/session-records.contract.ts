/** Keeping, finding and listing sessions, and how many of them a user may have. */
import { beforeEach, describe, expect, test } from '@jest/globals';
import { userTag } from '../../src/random-id.js';
import type { Session, SessionStore } from '../../src/sessions/session.js';
import type { Metadata } from '../../src/tokens/claims.js';
import { storesOf, type OpenStores } from './open-stores.js';
import { aSession, IDLE_TTL, kept, MINUTE, newTenantId, presenting, SECOND, T0 } from './samples.js';

const DECOMPOSED = 'e\u0301';
const STRANGE_USERS = [
  'alice',
  'Alice',
  'alice ',
  'a:b',
  ':',
  '{}',
  '{alice}',
  '}:sessions:alice',
  '*',
  'a*',
  '?[a-z]\\',
  "o'hara",
  "'; DROP TABLE sessions; --",
  '"quoted"',
  '%s',
  '__proto__',
  '👩🏽\u200d💻',
  '👩🏽',
  'é',
  DECOMPOSED,
  '用户',
  'x'.repeat(256),
];

/** More than callers may send: a store asks nothing of what it keeps. */
const STRANGE_JSON = JSON.stringify({
  unicode: 'naïve ✓ 用户 👩🏽\u200d💻 \u2028 \u0000 "quoted" \\ /',
  [DECOMPOSED]: DECOMPOSED,
  '': 'no name',
  'a:b{c}*': true,
  empty: [],
  nested: [[], [1, [2, []]], ['x']],
  floats: [0.1, 1.5e-7, 5e-324, 1.7976931348623157e308, 1.0000000000000002, -0.5],
  integers: [0, -1, 9007199254740991, -9007199254740991],
  mixed: ['1', 1, true, false, ''],
  10: 'ten',
  2: 'two',
});
const STRANGE_METADATA: Metadata = JSON.parse(STRANGE_JSON);

const idsOf = (sessions: readonly Session[]): string[] => sessions.map(({ sessionId }) => sessionId);

function usersOfOneTag(tenantId: string): [string, string] {
  const users = new Map<string, string>();
  for (let n = 0; ; n++) {
    const [userId, tag] = [`user-${n}`, userTag(tenantId, `user-${n}`)];
    const other = users.get(tag);
    if (other !== undefined) return [other, userId];
    users.set(tag, userId);
  }
}

export function sessionRecordsContract(open: OpenStores): void {
  describe('keeps records', () => {
    const stores = storesOf(open);
    const store = (): SessionStore => stores().sessions;
    let tenantId: string;
    beforeEach(() => {
      tenantId = newTenantId();
    });

    /** Sessions of one user, a second apart, the first at T0. */
    async function several(count: number, more: Partial<Session> = {}): Promise<Session[]> {
      const sessions: Session[] = [];
      for (let n = 0; n < count; n++) {
        sessions.push(await kept(store(), aSession(tenantId, { createdAtMs: T0 + n * SECOND, ...more })));
      }
      return sessions;
    }

    test('finds a session as it was created', async () => {
      const session = await kept(store(), aSession(tenantId));
      expect(await store().find(tenantId, session.sessionId, T0)).toEqual(session);
    });

    test('keeps a rotation state with a previous token and an open confirmation', async () => {
      const rotation = {
        currentId: 'b',
        previousId: 'a',
        kid: 'k9',
        rotatedAtMs: T0 - 5,
        graceFromMs: T0 - 3,
        confirmed: false,
      };
      const session = await kept(store(), aSession(tenantId, { rotation }));
      expect(await store().find(tenantId, session.sessionId, T0)).toEqual(session);
    });

    test('finds nothing under an id that was never created', async () => {
      expect(await store().find(tenantId, aSession(tenantId).sessionId, T0)).toBeNull();
      expect(await store().listByUser(tenantId, 'alice', T0)).toEqual([]);
      expect(await store().idsByUser(tenantId, 'alice')).toEqual([]);
    });

    test('finds a session until the very millisecond in which it expires', async () => {
      const { sessionId, idleExpiresAtMs } = await kept(store(), aSession(tenantId));
      expect(await store().find(tenantId, sessionId, idleExpiresAtMs - 1)).not.toBeNull();
      expect(await store().find(tenantId, sessionId, idleExpiresAtMs)).toBeNull();
      expect(await store().listByUser(tenantId, 'alice', idleExpiresAtMs - 1)).toHaveLength(1);
      expect(await store().listByUser(tenantId, 'alice', idleExpiresAtMs)).toEqual([]);
    });

    test('lists the sessions of a user, oldest first, and of nobody else', async () => {
      const later = await several(2);
      const older = await kept(store(), aSession(tenantId, { createdAtMs: T0 - SECOND }));
      await kept(store(), aSession(tenantId, { userId: 'bob' }));
      expect(await store().listByUser(tenantId, 'alice', T0)).toEqual([older, ...later]);
      expect(await store().idsByUser(tenantId, 'alice')).toEqual(idsOf([older, ...later]));
    });

    test('lists sessions of one moment in the order of their ids', async () => {
      const sessions = await several(8, { createdAtMs: T0 });
      const ordered = idsOf(sessions).toSorted();
      expect(idsOf(await store().listByUser(tenantId, 'alice', T0))).toEqual(ordered);
      expect(await store().idsByUser(tenantId, 'alice')).toEqual(ordered);
    });

    test('lists no session that is marked as revoked, but still knows its id', async () => {
      const [ended, alive] = await several(2);
      await store().revoke(tenantId, String(ended?.sessionId), 'admin', T0);
      expect(await store().listByUser(tenantId, 'alice', T0)).toEqual([alive]);
      expect(await store().find(tenantId, String(ended?.sessionId), T0)).toBeNull();
      expect(await store().idsByUser(tenantId, 'alice')).toEqual([ended?.sessionId, alive?.sessionId]);
    });

    test('does not undo what happened since when a creation is repeated', async () => {
      const session = await kept(store(), aSession(tenantId));
      await store().rotate(tenantId, session.sessionId, presenting('r0'));
      const rotated = await store().find(tenantId, session.sessionId, T0);
      await store().create(session, 100);
      expect(await store().find(tenantId, session.sessionId, T0)).toEqual(rotated);
      expect(await store().idsByUser(tenantId, 'alice')).toEqual([session.sessionId]);
    });

    test('keeps metadata byte for byte', async () => {
      const session = await kept(store(), aSession(tenantId, { metadata: STRANGE_METADATA, scope: '' }));
      const found = await store().find(tenantId, session.sessionId, T0);
      expect(JSON.stringify(found?.metadata)).toBe(STRANGE_JSON);
      const rotated = await store().rotate(tenantId, session.sessionId, presenting('r0'));
      expect(JSON.stringify('session' in rotated && rotated.session.metadata)).toBe(STRANGE_JSON);
      expect(found?.scope).toBe('');
    });

    test('keeps empty metadata', async () => {
      const session = await kept(store(), aSession(tenantId, { metadata: {} }));
      expect((await store().find(tenantId, session.sessionId, T0))?.metadata).toEqual({});
    });

    test('keeps users apart whatever characters their ids are made of', async () => {
      const sessions = STRANGE_USERS.map((userId) => aSession(tenantId, { userId }));
      for (const session of sessions) expect(await store().create(session, 1)).toEqual([]);
      for (const session of sessions) {
        expect(await store().listByUser(tenantId, session.userId, T0)).toEqual([session]);
        expect(await store().idsByUser(tenantId, session.userId)).toEqual([session.sessionId]);
      }
    });

    test('keeps users apart who share a tag, and so a place in the store', async () => {
      const [one, two] = usersOfOneTag(tenantId);
      const sessions = [aSession(tenantId, { userId: one }), aSession(tenantId, { userId: two })];
      for (const session of sessions) expect(await store().create(session, 1)).toEqual([]);
      expect(await store().listByUser(tenantId, one, T0)).toEqual(sessions.slice(0, 1));
      expect(await store().listByUser(tenantId, two, T0)).toEqual(sessions.slice(1));
    });

    test('ends a user of any characters, and only that one', async () => {
      const sessions = STRANGE_USERS.map((userId) => aSession(tenantId, { userId }));
      for (const session of sessions) await store().create(session, 1);
      for (const [at, { sessionId, userId }] of sessions.entries()) {
        const revoked = await store().revoke(tenantId, sessionId, 'admin', T0);
        expect(revoked?.userId).toBe(userId);
        await store().remove(tenantId, { sessionId, userId });
        expect(await store().idsByUser(tenantId, userId)).toEqual([]);
        const left = sessions.slice(at + 1);
        const found = await Promise.all(left.map((other) => store().listByUser(tenantId, other.userId, T0)));
        expect(found.flat()).toEqual(left);
      }
    });

    describe('names the surplus over the limit', () => {
      test('nothing up to the limit, and then the oldest', async () => {
        const limit = 3;
        const sessions = await several(limit);
        const next = aSession(tenantId, { createdAtMs: T0 + MINUTE });
        expect(await store().create(next, limit)).toEqual([sessions[0]?.sessionId]);
      });

      test('all that are too many, oldest first, when the limit was lowered', async () => {
        const sessions = await several(5);
        const next = aSession(tenantId, { createdAtMs: T0 + MINUTE });
        expect(await store().create(next, 2)).toEqual(idsOf(sessions.slice(0, 4)));
      });

      test('everything but the new session when only one is allowed', async () => {
        const sessions = await several(3);
        const next = aSession(tenantId, { createdAtMs: T0 + MINUTE });
        expect(await store().create(next, 1)).toEqual(idsOf(sessions));
        expect(await store().find(tenantId, next.sessionId, T0)).toEqual(next);
      });

      test('never the new session, even when its clock is behind', async () => {
        const sessions = await several(2);
        const next = aSession(tenantId, { createdAtMs: T0 - MINUTE });
        expect(await store().create(next, 2)).toEqual([sessions[0]?.sessionId]);
      });

      test('by id among sessions of one moment', async () => {
        const sessions = await several(4, { createdAtMs: T0 });
        const next = aSession(tenantId, { createdAtMs: T0 });
        expect(await store().create(next, 3)).toEqual(idsOf(sessions).toSorted().slice(0, 2));
      });

      test('without counting sessions that have expired', async () => {
        await several(3, { idleExpiresAtMs: T0 + MINUTE });
        const alive = await kept(store(), aSession(tenantId, { createdAtMs: T0 + 10 }));
        const next = aSession(tenantId, { createdAtMs: T0 + MINUTE });
        expect(await store().create(next, 2)).toEqual([]);
        const another = aSession(tenantId, { createdAtMs: T0 + MINUTE + 1 });
        expect(await store().create(another, 2)).toEqual([alive.sessionId]);
      });

      test('without counting sessions that are marked as revoked', async () => {
        const [marked, alive] = await several(2);
        await store().revoke(tenantId, String(marked?.sessionId), 'admin', T0);
        const next = aSession(tenantId, { createdAtMs: T0 + MINUTE });
        expect(await store().create(next, 2)).toEqual([]);
        expect(await store().idsByUser(tenantId, 'alice')).toContain(marked?.sessionId);
        const another = aSession(tenantId, { createdAtMs: T0 + MINUTE + 1 });
        expect(await store().create(another, 2)).toEqual([alive?.sessionId]);
      });

      test('without counting sessions that were removed or belong to others', async () => {
        const [removed] = await several(1);
        await store().remove(tenantId, { sessionId: String(removed?.sessionId), userId: 'alice' });
        await several(3, { userId: 'bob' });
        expect(await store().create(aSession(tenantId, { createdAtMs: T0 + IDLE_TTL / 2 }), 1)).toEqual([]);
      });
    });
  });
}
