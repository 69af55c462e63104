/** Commands that are sent at the same time leave in one write, and are what they were in every other way. */
import { afterAll, beforeAll, expect, test } from '@jest/globals';
import type { Redis } from 'ioredis';
import { RedisConnection } from '../../src/storage/redis/redis-connection.js';
import { parseStoreUrl } from '../../src/store-url.js';
import { eventually } from '../support/eventually.js';
import { RedisServer } from '../support/redis-server.js';

let redis: RedisServer;

beforeAll(async () => {
  redis = await RedisServer.start();
});

afterAll(() => redis.stop());

/** What a socket hands to the system: one piece, or several that go together. */
type Handing = (...args: unknown[]) => void;

/** @returns how often bytes were handed to the system since, by the connection as it is now */
function countWrites({ client }: RedisConnection): () => number {
  let writes = 0;
  const stream = (client as Redis).stream as unknown as Record<'_write' | '_writev', Handing>;
  for (const name of ['_write', '_writev'] as const) {
    const hand = stream[name].bind(stream);
    stream[name] = (...args) => {
      writes++;
      hand(...args);
    };
  }
  return () => writes;
}

test('a hundred commands of one turn leave in a few writes, in their order, each with its own reply', async () => {
  const url = parseStoreUrl(redis.url);
  if (url.kind !== 'redis') throw new Error('unreachable');
  const connection = new RedisConnection(url, { commandTimeoutMs: 10_000 });
  await connection.open();
  try {
    const ask = (): Promise<number> =>
      connection.run('find-session', (client) => client.incr('written-together'));
    expect(await ask()).toBe(1);
    const writes = countWrites(connection);
    const replies = await Promise.all(Array.from({ length: 100 }, ask));
    expect(replies).toEqual(Array.from({ length: 100 }, (_, at) => at + 2));
    expect(writes()).toBeGreaterThan(0);
    expect(writes()).toBeLessThan(5);
    // On the connection that comes after one that was lost, too.
    await redis.kill();
    await redis.restart();
    await eventually(() => ask().then(Boolean, () => false));
    const writesAfter = countWrites(connection);
    await Promise.all(Array.from({ length: 100 }, ask));
    expect(writesAfter()).toBeGreaterThan(0);
    expect(writesAfter()).toBeLessThan(5);
  } finally {
    connection.close();
  }
});
