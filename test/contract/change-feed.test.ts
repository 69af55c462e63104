import { afterAll, beforeAll, describe, expect, test } from '@jest/globals';
import type { Redis } from 'ioredis';
import { newRandomId, userTag } from '../../src/random-id.js';
import type { Change, ChangeFeed, FeedEntry, FeedPosition } from '../../src/revocations/change-feed.js';
import { openSqliteStores } from '../../src/storage/sqlite/sqlite-stores.js';
import { RedisServer } from '../support/redis-server.js';
import { TurnableClock } from '../support/turnable-clock.js';
import { changeFeedContract } from './change-feed.contract.js';
import { connectRedis } from './open-stores.js';

const STREAM = '{changes}:stream';
const STATE = '{changes}:state';

describe('on SQLite', () => {
  changeFeedContract(async () => {
    const clock = new TurnableClock();
    const stores = openSqliteStores(':memory:', clock);
    return { feed: stores.changes, nowMs: clock.nowMs(), close: () => stores.close() };
  });
});

describe('on Redis', () => {
  const clock = new TurnableClock();
  let server: RedisServer;
  let client: Redis;

  beforeAll(async () => {
    server = await RedisServer.start();
    client = server.client();
  });

  afterAll(async () => {
    client.disconnect();
    await server.stop();
  });

  changeFeedContract(async () => {
    await client.flushall();
    const stores = await connectRedis(server, clock);
    return { feed: stores.changes, nowMs: clock.nowMs(), close: () => stores.close() };
  });

  describe('when the feed is not the continuation of what was read', () => {
    const change = (): Change => ({
      kind: 'session_revoked',
      tenantId: 'acme',
      id: newRandomId(userTag('acme', 'alice')),
      expiresAtMs: clock.nowMs() + 900_000,
    });

    async function following(
      then: (feed: ChangeFeed, position: FeedPosition) => Promise<void>,
      announced = 3,
    ): Promise<void> {
      await client.flushall();
      const stores = await connectRedis(server, clock);
      for (let at = 0; at < announced; at++) await stores.changes.announce([change()]);
      const position = await stores.changes.readWhole(() => undefined);
      await then(stores.changes, position);
      await stores.close();
    }

    test('finds out that the store was emptied', () =>
      following(async (feed, position) => {
        await client.flushall();
        expect(await feed.readAfter(position, 20)).toEqual({ broken: 'replaced' });
      }));

    test('finds out that the store was emptied and another feed begun', () =>
      following(async (feed, position) => {
        await client.flushall();
        for (let at = 0; at < 5; at++) await feed.announce([change()]);
        expect(await feed.readAfter(position, 20)).toEqual({ broken: 'replaced' });
      }));

    test('finds out that the last entry was lost', () =>
      following(async (feed, position) => {
        const entries = await client.xrevrange(STREAM, '+', '-', 'COUNT', 2);
        await client.xdel(STREAM, entries[0]?.[0] ?? '');
        await client.hset(STATE, 'sequence', '2', 'last_id', entries[1]?.[0] ?? '');
        expect(await feed.readAfter(position, 20)).toEqual({ broken: 'went_backwards' });
      }));

    test('finds out that the last entry was lost and another took its number', () =>
      following(async (feed, position) => {
        const entries = await client.xrevrange(STREAM, '+', '-', 'COUNT', 2);
        await client.xdel(STREAM, entries[0]?.[0] ?? '');
        await client.hset(STATE, 'sequence', '2', 'last_id', entries[1]?.[0] ?? '');
        await feed.announce([change()]);
        expect(await feed.readAfter(position, 20)).toHaveProperty('broken');
      }));

    test('finds out that entries were trimmed away before they were read', () =>
      following(async (feed, position) => {
        for (let at = 0; at < 3; at++) await feed.announce([change()]);
        await client.xtrim(STREAM, 'MAXLEN', 1);
        expect(await feed.readAfter(position, 20)).toEqual({ broken: 'gap' });
        await client.xtrim(STREAM, 'MAXLEN', 0);
        expect(await feed.readAfter(position, 20)).toEqual({ broken: 'gap' });
      }));

    test('finds out that what follows was not written after what it read', () =>
      following(async (feed, position) => {
        // A new master that lacked the third entry gave its number to another one, with an earlier id.
        const [third, second] = await client.xrevrange(STREAM, '+', '-', 'COUNT', 2);
        await client.hset(STATE, 'last_id', second?.[0] ?? '');
        await feed.announce([change()]);
        await client.xdel(STREAM, third?.[0] ?? '');
        expect(await feed.readAfter(position, 20)).toEqual({ broken: 'gap' });
      }));

    test('passes over entries that it did not write, and reads on', () =>
      following(async (feed, position) => {
        await client.xadd(STREAM, '*', 'x', 'y');
        await client.xadd(STREAM, '*', 'n', 'many', 'c', '{"kind":"session_revoked"}');
        const wanted = change();
        await feed.announce([wanted]);
        const read = await feed.readAfter(position, 20);
        const entries: readonly FeedEntry[] = 'entries' in read ? read.entries : [];
        expect(entries.map((entry) => entry.change)).toEqual([null, null, wanted]);
      }));

    test('trims what no token can be alive for', () =>
      following(async (feed) => {
        await client.hset(STATE, 'retention', '0');
        await client.del(STREAM);
        const dayAgo = Date.now() - 86_400_000;
        for (let at = 0; at < 500; at++) {
          await client.xadd(STREAM, `${dayAgo + at}-0`, 'n', String(at), 'c', '{}');
        }
        await feed.announce([change()]);
        expect(await client.xlen(STREAM)).toBeLessThan(200);
      }));
  });
});
