/** What every change feed must do, whatever keeps it. */
import { afterEach, beforeEach, describe, expect, test } from '@jest/globals';
import { newRandomId, userTag } from '../../src/random-id.js';
import type { Change, ChangeFeed, FeedEntry, FeedPosition } from '../../src/revocations/change-feed.js';

export interface OpenFeed {
  readonly feed: ChangeFeed;
  readonly nowMs: number;
  readonly close: () => Promise<void>;
}

export function changeFeedContract(open: () => Promise<OpenFeed>): void {
  describe('change feed', () => {
    let opened: OpenFeed;
    let feed: ChangeFeed;

    beforeEach(async () => {
      opened = await open();
      feed = opened.feed;
    });

    afterEach(() => opened.close());

    const revoked = (tenantId = 'acme'): Change => ({
      kind: 'session_revoked',
      tenantId,
      id: newRandomId(userTag(tenantId, 'alice')),
      expiresAtMs: opened.nowMs + 900_000,
    });

    const changesOf = (entries: readonly FeedEntry[]) => entries.map(({ change }) => change);

    async function whole(): Promise<{ changes: (Change | null)[]; position: FeedPosition }> {
      const changes: (Change | null)[] = [];
      const position = await feed.readWhole((entries) => changes.push(...changesOf(entries)));
      return { changes, position };
    }

    async function next(position: FeedPosition, waitMs = 50) {
      const read = await feed.readAfter(position, waitMs);
      if ('broken' in read) throw new Error(`the feed is broken: ${read.broken}`);
      return { changes: changesOf(read.entries), position: read.position, entries: read.entries };
    }

    test('can be asked without waiting', async () => {
      const { position } = await whole();
      expect((await next(position, 0)).changes).toEqual([]);
      await feed.announce([revoked()]);
      expect((await next(position, 0)).changes).toHaveLength(1);
    });

    test('is empty at first, and can be followed from there', async () => {
      const { changes, position } = await whole();
      expect(changes).toEqual([]);
      const change = revoked();
      await feed.announce([change]);
      const first = await next(position);
      expect(first.changes).toEqual([change]);
      const again = revoked();
      await feed.announce([again]);
      expect((await next(first.position)).changes).toEqual([again]);
    });

    test('keeps every kind of change, in the order of announcement', async () => {
      const changes: Change[] = [
        revoked(),
        { ...revoked('globex'), kind: 'token_revoked' } as Change,
        { kind: 'tenant_changed', tenantId: 'acme' },
        { kind: 'keys_changed', tenantId: 'acme' },
        { kind: 'api_key_changed', tenantId: 'acme', keyId: '0123456789abcdef' },
      ];
      await feed.announce(changes.slice(0, 2));
      await feed.announce(changes.slice(2));
      expect((await whole()).changes).toEqual(changes);
    });

    test('reads whole what is longer than a page, and goes on after it', async () => {
      const changes = Array.from({ length: 2500 }, () => revoked());
      for (let at = 0; at < changes.length; at += 500) await feed.announce(changes.slice(at, at + 500));
      const read = await whole();
      expect(read.changes).toEqual(changes);
      const last = revoked();
      await feed.announce([last]);
      expect((await next(read.position)).changes).toEqual([last]);
    });

    test('hands a waiting reader what is announced meanwhile, and says how long it took', async () => {
      const { position } = await whole();
      const waiting = next(position, 20_000);
      const change = revoked();
      await feed.announce([change]);
      const { changes, entries } = await waiting;
      expect(changes).toEqual([change]);
      expect(entries[0]?.delayMs).toBeLessThan(20_000);
    });

    test('answers with nothing when nothing is announced in time', async () => {
      const { position } = await whole();
      const read = await next(position, 20);
      expect(read.changes).toEqual([]);
      const change = revoked();
      await feed.announce([change]);
      expect((await next(read.position)).changes).toEqual([change]);
    });

    test('names every position, for each reader alike, and the last one like its last entry', async () => {
      const empty = await whole();
      expect(empty.position.id).toMatch(/^[\w-]{22}$/);
      await feed.announce([revoked(), revoked()]);
      const first = await next(empty.position);
      await feed.announce([revoked()]);
      const second = await next(first.position);
      const read: FeedEntry[] = [];
      const position = await feed.readWhole((entries) => read.push(...entries));
      const ids = [...first.entries, ...second.entries].map(({ positionId }) => positionId);
      expect(new Set([empty.position.id, ...ids]).size).toBe(4);
      expect(read.map(({ positionId }) => positionId)).toEqual(ids);
      expect([first.position.id, second.position.id, position.id]).toEqual([ids[1], ids[2], ids[2]]);
      expect((await next(position, 20)).position.id).toBe(position.id);
    });

    test('gives two readers the same changes', async () => {
      const { position } = await whole();
      const changes = [revoked(), revoked()];
      await feed.announce(changes);
      expect((await next(position)).changes).toEqual(changes);
      expect((await next(position)).changes).toEqual(changes);
    });
  });
}
