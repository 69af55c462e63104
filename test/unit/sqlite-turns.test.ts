/** What a store in the process does while a turn of the event loop does not end: under load it reads sockets for seconds. */
import { afterEach, beforeEach, describe, expect, test } from '@jest/globals';
import { SystemClock } from '../../src/clock.js';
import { SqliteChangeFeed } from '../../src/storage/sqlite/sqlite-change-feed.js';
import { SqliteDatabase } from '../../src/storage/sqlite/sqlite-database.js';
import { endTurn } from '../../src/turn-end.js';

/** Enough requests came to end turns, and no timer fires. */
async function underLoad(ms: number): Promise<void> {
  const untilMs = performance.now() + ms;
  while (performance.now() < untilMs) endTurn();
  // Promises are all that goes on in such a turn.
  for (let n = 0; n < 100; n++) await Promise.resolve();
}

describe('on SQLite, while a turn does not end,', () => {
  let db: SqliteDatabase;
  let hasTurned: boolean;

  beforeEach(() => {
    db = new SqliteDatabase(':memory:');
    hasTurned = false;
    setImmediate(() => (hasTurned = true));
  });
  afterEach(() => db.close());

  test('a write is on disk all the same, together with others', async () => {
    const written: number[] = [];
    for (const n of [1, 2, 3]) void db.write(() => n).then((value) => written.push(value));
    endTurn();
    await Promise.resolve();
    expect(written).toEqual([]);
    await underLoad(30);
    expect({ written, hasTurned }).toEqual({ written: [1, 2, 3], hasTurned: false });
  });

  test('a reader of the feed waits no longer than it would', async () => {
    const feed = new SqliteChangeFeed(db, new SystemClock());
    const position = await feed.readWhole(() => undefined);
    let read: unknown;
    void feed.readAfter(position, 20).then((found) => (read = found));
    await underLoad(5);
    expect(read).toBeUndefined();
    await underLoad(30);
    expect({ read, hasTurned }).toEqual({ read: { entries: [], position }, hasTurned: false });
  });
});
