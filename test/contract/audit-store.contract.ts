/** Audit chains: appended all or none behind their end, found by what they are about, trimmed from the beginning. */
import { beforeEach, describe, expect, test } from '@jest/globals';
import {
  GENESIS,
  nextEntry,
  type AuditPageRequest,
  type AuditRecord,
  type AuditStore,
  type ChainHead,
  type KeptEntry,
} from '../../src/audit/audit.js';
import { storesOf, type OpenStores } from './open-stores.js';
import { newTenantId } from './samples.js';

const TIME = '2026-11-23T21:04:11.382Z';

export function aRecord(tenant_id: string, more: Partial<AuditRecord> = {}): AuditRecord {
  const actor = { kind: 'platform' } as const;
  return { tenant_id, time: TIME, action: 'tenant_changed', actor, outcome: 'ok', ...more };
}

/** So many entries in a row. */
export function chainOf(tenantId: string, length: number, after: ChainHead = GENESIS): KeptEntry[] {
  const entries: KeptEntry[] = [];
  for (let n = 0; n < length; n++) {
    entries.push(
      nextEntry(entries.at(-1) ?? after, aRecord(tenantId, { request_id: `r${after.seq + n + 1}` })),
    );
  }
  return entries;
}

const headOf = (entries: readonly KeptEntry[]): ChainHead => {
  const { seq, hash } = entries.at(-1) ?? GENESIS;
  return { seq, hash };
};

export function auditStoreContract(open: OpenStores): void {
  describe('keeps audit chains', () => {
    const stores = storesOf(open);
    const store = (): AuditStore => stores().audit;
    let tenantId: string;
    beforeEach(() => {
      tenantId = newTenantId();
    });

    async function kept(length: number): Promise<KeptEntry[]> {
      const entries = chainOf(tenantId, length);
      expect(await store().append(tenantId, GENESIS, entries)).toEqual({ outcome: 'appended' });
      return entries;
    }

    async function places(more: Partial<AuditPageRequest> = {}): Promise<number[]> {
      const { entries } = await store().read(tenantId, { order: 'oldest_first', limit: 100, ...more });
      return entries.map(({ seq }) => seq);
    }

    test('that begin empty', async () => {
      expect(await store().head(tenantId)).toEqual(GENESIS);
      expect(await store().first(tenantId)).toBe(1);
      expect(await store().read(tenantId, { order: 'newest_first', limit: 5 })).toEqual({
        entries: [],
        next: null,
      });
      expect(await store().trim(tenantId, 5, 5)).toBe(false);
    });

    test('byte for byte, in their order, with their end', async () => {
      const entries = await kept(3);
      expect(await store().head(tenantId)).toEqual(headOf(entries));
      const read = await store().read(tenantId, { order: 'oldest_first', limit: 10 });
      expect(read).toEqual({ entries, next: null });
      const back = await store().read(tenantId, { order: 'newest_first', limit: 10 });
      expect(back.entries).toEqual(entries.toReversed());
    });

    test('with texts of any Unicode', async () => {
      const entry = nextEntry(GENESIS, aRecord(tenantId, { comment: 'Ünï ✓ 💥 \u0000 "\\ \u2028' }));
      await store().append(tenantId, GENESIS, [entry]);
      expect((await store().read(tenantId, { order: 'oldest_first', limit: 1 })).entries).toEqual([entry]);
    });

    test('and appends behind their end only, all or none', async () => {
      const entries = await kept(2);
      const late = [nextEntry(GENESIS, aRecord(tenantId, { request_id: 'late' }))];
      const conflict = { outcome: 'conflict', head: headOf(entries), continues: true };
      expect(await store().append(tenantId, GENESIS, late)).toEqual(conflict);
      const next = chainOf(tenantId, 2, headOf(entries));
      expect(await store().append(tenantId, headOf(entries), next)).toEqual({ outcome: 'appended' });
      expect(await places()).toEqual([1, 2, 3, 4]);
    });

    test('and says appended to whoever asks again with the same entries, also when others have followed', async () => {
      const entries = await kept(2);
      expect(await store().append(tenantId, GENESIS, entries)).toEqual({ outcome: 'appended' });
      const next = chainOf(tenantId, 1, headOf(entries));
      await store().append(tenantId, headOf(entries), next);
      expect(await store().append(tenantId, GENESIS, entries)).toEqual({ outcome: 'appended' });
      expect(await store().head(tenantId)).toEqual(headOf(next));
    });

    test('and knows whether an end that somebody remembers was ever one of theirs', async () => {
      const entries = await kept(2);
      const elsewhere = chainOf(newTenantId(), 5);
      const append = (after: ChainHead) => store().append(tenantId, after, chainOf(tenantId, 1, after));
      const head = headOf(entries);
      expect(await append(headOf(entries.slice(0, 1)))).toEqual({ outcome: 'appended' }); // it is the second again
      expect(await append({ seq: 2, hash: headOf(elsewhere).hash })).toEqual({
        outcome: 'conflict',
        head,
        continues: false,
      });
      expect(await append(headOf(elsewhere))).toEqual({ outcome: 'conflict', head, continues: false });
    });

    test('when many append at once: each attempt lets one through', async () => {
      const attempts = Array.from({ length: 20 }, (_, n) =>
        store().append(tenantId, GENESIS, [
          nextEntry(GENESIS, aRecord(tenantId, { request_id: `racer-${n}` })),
        ]),
      );
      const outcomes = (await Promise.all(attempts)).map(({ outcome }) => outcome);
      expect(outcomes.filter((outcome) => outcome === 'appended')).toHaveLength(1);
      expect(await places()).toEqual([1]);
    });

    test.each(['oldest_first', 'newest_first'] as const)('page by page, %s', async (order) => {
      await kept(7);
      const seen: number[] = [];
      let after: number | undefined;
      for (let pages = 0; pages < 10; pages++) {
        const page = await store().read(tenantId, {
          order,
          limit: 3,
          ...(after === undefined ? {} : { after }),
        });
        seen.push(...page.entries.map(({ seq }) => seq));
        if (page.next === null) break;
        after = page.next;
      }
      const all = [1, 2, 3, 4, 5, 6, 7];
      expect(seen).toEqual(order === 'oldest_first' ? all : all.toReversed());
    });

    test('found by user, session and action, and by nothing that only looks like it', async () => {
      const records = [
        aRecord(tenantId, { user_id: 'alice', session_id: 's1', action: 'session_created' }),
        aRecord(tenantId, { user_id: 'ALICE', session_id: 's2', action: 'session_created' }),
        aRecord(tenantId, { user_id: 'alice', session_id: 's3', action: 'session_ended' }),
        aRecord(tenantId, { user_id: 'bob}{:*', session_id: 's4', action: 'session_ended' }),
      ];
      const entries: KeptEntry[] = [];
      for (const record of records) entries.push(nextEntry(entries.at(-1) ?? GENESIS, record));
      await store().append(tenantId, GENESIS, entries);
      expect(await places({ by: { index: 'user', value: 'alice' } })).toEqual([1, 3]);
      expect(await places({ by: { index: 'user', value: 'bob}{:*' } })).toEqual([4]);
      expect(await places({ by: { index: 'session', value: 's2' } })).toEqual([2]);
      expect(await places({ by: { index: 'action', value: 'session_ended' } })).toEqual([3, 4]);
      expect(await places({ by: { index: 'user', value: 'al' } })).toEqual([]);
      const newest = { order: 'newest_first', by: { index: 'user', value: 'alice' } } as const;
      expect(await places({ ...newest, limit: 1 })).toEqual([3]);
      expect(await places({ ...newest, after: 3 })).toEqual([1]);
    });

    test('apart from every other tenant', async () => {
      await kept(3);
      const other = newTenantId();
      expect(await store().head(other)).toEqual(GENESIS);
      const theirs = chainOf(other, 1);
      await store().append(other, GENESIS, theirs);
      expect(await places()).toEqual([1, 2, 3]);
      await store().trim(other, 2, 10);
      expect(await places()).toEqual([1, 2, 3]);
    });

    test('and trims them from the beginning, some at a time, with what finds them', async () => {
      const entries = await kept(10);
      const by = { index: 'action', value: 'tenant_changed' } as const;
      expect(await store().trim(tenantId, 6, 3)).toBe(true);
      expect(await places()).toEqual([4, 5, 6, 7, 8, 9, 10]);
      expect(await store().first(tenantId)).toBe(4);
      while (await store().trim(tenantId, 6, 3));
      expect(await places()).toEqual([6, 7, 8, 9, 10]);
      expect(await places({ by })).toEqual([6, 7, 8, 9, 10]);
      expect(await store().trim(tenantId, 6, 3)).toBe(false);
      expect(await store().head(tenantId)).toEqual(headOf(entries));
      const next = chainOf(tenantId, 1, headOf(entries));
      expect(await store().append(tenantId, headOf(entries), next)).toEqual({ outcome: 'appended' });
      // An end that was trimmed since was one all the same.
      const old = headOf(entries.slice(0, 2));
      expect(await store().append(tenantId, old, chainOf(tenantId, 1, old))).toMatchObject({
        continues: true,
      });
    });

    test('and lists them, page by page, also those of tenants that are gone', async () => {
      const ids = Array.from({ length: 5 }, newTenantId).toSorted();
      for (const id of ids) await store().append(id, GENESIS, chainOf(id, 1));
      const listed: string[] = [];
      for (let after = ''; ;) {
        const page = await store().chains({ after, limit: 2 });
        listed.push(...page);
        after = page.at(-1) ?? '';
        if (page.length < 2) break;
      }
      expect(listed.filter((id) => ids.includes(id))).toEqual(ids);
      expect(listed).toEqual(listed.toSorted());
    });
  });
}
