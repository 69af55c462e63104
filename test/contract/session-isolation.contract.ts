/** Two tenants, the same user id, and each verb called first as the wrong tenant: it finds and changes nothing. */
import { beforeEach, describe, expect, test } from '@jest/globals';
import type { Session, SessionStore } from '../../src/sessions/session.js';
import { storesOf, type OpenStores } from './open-stores.js';
import { aSession, kept, newTenantId, presenting, T0 } from './samples.js';

export function sessionIsolationContract(open: OpenStores): void {
  describe.each(['the first', 'the second'])('isolates from %s tenant', (which) => {
    const stores = storesOf(open);
    const store = (): SessionStore => stores().sessions;
    let intruder: string;
    let owner: string;
    let mine: Session;
    let theirs: Session;

    beforeEach(async () => {
      const [first = '', second = ''] = [newTenantId(), newTenantId()].toSorted();
      [intruder, owner] = which === 'the first' ? [second, first] : [first, second];
      mine = await kept(store(), aSession(intruder));
      theirs = await kept(store(), aSession(owner));
    });

    const check = (tenantId: string, { sessionId }: Session, tokenId = 'jti'): Promise<string> =>
      store().check({ tenantId, sessionId, tokenId, nowMs: T0 });

    /** All that the owner can see of its session, and that it can still be refreshed. */
    async function expectUntouched(): Promise<void> {
      expect(await store().find(owner, theirs.sessionId, T0)).toEqual(theirs);
      expect(await store().listByUser(owner, 'alice', T0)).toEqual([theirs]);
      expect(await store().idsByUser(owner, 'alice')).toEqual([theirs.sessionId]);
      expect(await check(owner, theirs)).toBe('live');
      expect((await store().rotate(owner, theirs.sessionId, presenting('r0'))).outcome).toBe('rotated');
    }

    test('find', async () => {
      expect(await store().find(intruder, theirs.sessionId, T0)).toBeNull();
      await expectUntouched();
    });

    test('the lists of the same user', async () => {
      expect(await store().listByUser(intruder, 'alice', T0)).toEqual([mine]);
      expect(await store().idsByUser(intruder, 'alice')).toEqual([mine.sessionId]);
      await expectUntouched();
    });

    test('create, whose surplus names no session of another tenant', async () => {
      expect(await store().create(aSession(intruder), 2)).toEqual([]);
      expect(await store().create(aSession(intruder), 1)).not.toContain(theirs.sessionId);
      await expectUntouched();
    });

    test('create under the very id of the other one', async () => {
      const twin = { ...mine, sessionId: theirs.sessionId, scope: 'twin', metadata: {} };
      await store().create(twin, 100);
      expect(await store().find(intruder, theirs.sessionId, T0)).toEqual(twin);
      await expectUntouched();
    });

    test.each(['r0', 'never-issued'])('rotate with %s', async (presentedId) => {
      expect(await store().rotate(intruder, theirs.sessionId, presenting(presentedId))).toEqual({
        outcome: 'missing',
      });
      await expectUntouched();
    });

    test('confirmRotation', async () => {
      const rotated = await store().rotate(owner, theirs.sessionId, presenting('r0'));
      await store().confirmRotation(intruder, theirs.sessionId, 'after-r0');
      expect(await store().find(intruder, theirs.sessionId, T0)).toBeNull();
      expect(rotated).toEqual({
        outcome: 'rotated',
        session: await store().find(owner, theirs.sessionId, T0),
      });
    });

    test('check', async () => {
      expect(await check(intruder, theirs)).toBe('missing');
      await store().revoke(owner, theirs.sessionId, 'admin', T0);
      expect(await check(intruder, theirs)).toBe('missing');
      await store().remove(owner, theirs);
      expect(await check(intruder, theirs)).toBe('missing');
      expect(await store().rotate(intruder, theirs.sessionId, presenting('r0'))).toEqual({
        outcome: 'missing',
      });
    });

    test('revoke', async () => {
      expect(await store().revoke(intruder, theirs.sessionId, 'admin', T0)).toBeNull();
      await expectUntouched();
    });

    test('revokeToken', async () => {
      const token = { tokenId: 'jti', expiresAtMs: T0 + 1 };
      await store().revokeToken({ tenantId: intruder, ...token }, T0);
      await store().revokeToken({ tenantId: intruder, ...token, tokenId: theirs.sessionId }, T0);
      await expectUntouched();
    });

    test('remove', async () => {
      await store().remove(intruder, theirs);
      await expectUntouched();
    });

    test('the whole life of a session of the same id', async () => {
      const twin = await kept(store(), { ...mine, sessionId: theirs.sessionId });
      await store().rotate(intruder, twin.sessionId, presenting('r0'));
      await store().confirmRotation(intruder, twin.sessionId, 'after-r0');
      await store().rotate(intruder, twin.sessionId, presenting('never-issued'));
      await store().revoke(intruder, twin.sessionId, 'admin', T0);
      await store().remove(intruder, twin);
      expect(await check(intruder, twin)).toBe('revoked');
      await expectUntouched();
    });

    test('the deletion of the tenant', async () => {
      await stores().tenants.delete(intruder);
      await expectUntouched();
    });
  });
}
