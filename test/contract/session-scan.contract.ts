/** Looking through all sessions of a tenant, page by page, while others go on working. */
import { describe, expect, test } from '@jest/globals';
import type { ScannedSession, SessionStore } from '../../src/sessions/session.js';
import { storesOf, type OpenStores } from './open-stores.js';
import { aSession, IDLE_TTL, kept, newTenantId, presenting, T0 } from './samples.js';

/** @param between is done after each page */
export async function scanned(
  store: SessionStore,
  tenantId: string,
  { limit = 7, nowMs = T0 + 1, between = async () => undefined }: Scan = {},
): Promise<ScannedSession[]> {
  const found: ScannedSession[] = [];
  let cursor: string | null = null;
  let pages = 0;
  do {
    const page: Awaited<ReturnType<SessionStore['scan']>> = await store.scan(tenantId, {
      cursor,
      limit,
      nowMs,
    });
    found.push(...page.sessions);
    cursor = page.next;
    if (++pages > 5000) throw new Error('it never ends');
    await between(pages);
  } while (cursor !== null);
  return found;
}

interface Scan {
  readonly limit?: number;
  readonly nowMs?: number;
  readonly between?: (page: number) => Promise<unknown>;
}

const idsOf = (found: readonly ScannedSession[]) => [
  ...new Set(found.map(({ session }) => session.sessionId)),
];

export function sessionScanContract(open: OpenStores): void {
  describe('scan', () => {
    const stores = storesOf(open);
    const many = (tenantId: string, count: number) =>
      Promise.all(
        Array.from({ length: count }, (_, at) =>
          kept(stores().sessions, aSession(tenantId, { userId: `user-${at}` })),
        ),
      );

    test('finds every session as it is, and none of another tenant', async () => {
      const [acme, other] = [newTenantId(), newTenantId()];
      const [own] = await Promise.all([many(acme, 50), many(other, 50), many(`${acme}-x`, 5)]);
      for (const limit of [1, 7, 1000]) {
        const found = await scanned(stores().sessions, acme, { limit });
        const byId = new Map(found.map(({ session }) => [session.sessionId, session]));
        expect([...byId.keys()].toSorted()).toEqual(own.map(({ sessionId }) => sessionId).toSorted());
        for (const session of own) expect(byId.get(session.sessionId)).toEqual(session);
      }
      expect(await scanned(stores().sessions, newTenantId())).toEqual([]);
    });

    test('takes nothing for a session but sessions, whatever users are called', async () => {
      const tenantId = newTenantId();
      const names = ['x}:session:y', '*', '[a-z]', `}:session:${'A'.repeat(26)}`, 'a\\*', ':session:'];
      const own = await Promise.all(
        names.map((userId) => kept(stores().sessions, aSession(tenantId, { userId }))),
      );
      const found = await scanned(stores().sessions, tenantId);
      expect(idsOf(found).toSorted()).toEqual(own.map(({ sessionId }) => sessionId).toSorted());
      expect(found.map(({ session }) => session.userId)).toEqual(expect.arrayContaining(names));
    });

    test('says which are marked, and leaves out what is over or removed', async () => {
      const { sessions } = stores();
      const tenantId = newTenantId();
      const [live, marked, removed] = [aSession(tenantId), aSession(tenantId), aSession(tenantId)];
      const over = aSession(tenantId, { idleExpiresAtMs: T0 + 500 });
      for (const session of [live, marked, removed, over]) await kept(sessions, session);
      for (const { sessionId } of [marked, removed]) {
        await sessions.revoke(tenantId, sessionId, 'admin', T0 + 1);
      }
      await sessions.remove(tenantId, removed);
      const found = await scanned(sessions, tenantId, { nowMs: T0 + 1000 });
      expect(new Map(found.map(({ session, isMarked }) => [session.sessionId, isMarked]))).toEqual(
        new Map([
          [live.sessionId, false],
          [marked.sessionId, true],
        ]),
      );
      expect(await scanned(sessions, tenantId, { nowMs: T0 + IDLE_TTL })).toEqual([]);
    });

    test('finds all that were there from beginning to end, while others come, go and are refreshed', async () => {
      const { sessions } = stores();
      const tenantId = newTenantId();
      const stays = await many(tenantId, 150);
      const goes = await many(tenantId, 60);
      const between = async (page: number): Promise<void> => {
        await Promise.all([
          ...(page < 60 ? [many(tenantId, 3)] : []),
          ...goes
            .splice(0, 3)
            .map(({ sessionId, userId }) => sessions.remove(tenantId, { sessionId, userId })),
          ...stays
            .slice(page % 100, (page % 100) + 20)
            .map(({ sessionId }) =>
              sessions.rotate(tenantId, sessionId, presenting('r0', { successorId: 'r0', nowMs: T0 + 1 })),
            ),
        ]);
      };
      const found = new Set(idsOf(await scanned(sessions, tenantId, { limit: 5, between })));
      expect(stays.filter(({ sessionId }) => !found.has(sessionId))).toEqual([]);
    });
  });
}
