/** What a store in the process does while a turn of the event loop does not end: under load it reads sockets for seconds. */
import { DatabaseSync } from 'node:sqlite';
import { afterEach, beforeEach, describe, expect, jest, test } from '@jest/globals';
import { SystemClock } from '../../src/clock.js';
import { SqliteChangeFeed } from '../../src/storage/sqlite/sqlite-change-feed.js';
import { SqliteDatabase } from '../../src/storage/sqlite/sqlite-database.js';
import { endTurn } from '../../src/turn-end.js';

/** Promises are all that goes on in such a turn: no timer fires, and nothing that waits for the turn's end. */
async function promisesGoOn(): Promise<void> {
  for (let n = 0; n < 100; n++) await Promise.resolve();
}

describe('on SQLite, while a turn does not end,', () => {
  let db: SqliteDatabase;
  let nowMs = 0;

  beforeEach(() => {
    db = new SqliteDatabase(':memory:');
    jest.spyOn(performance, 'now').mockImplementation(() => nowMs);
  });
  afterEach(() => {
    jest.restoreAllMocks();
    db.close();
  });

  /** Enough requests came to end a turn. */
  async function afterWork(ms: number): Promise<void> {
    nowMs += ms;
    endTurn();
    await promisesGoOn();
  }

  test('writes are committed all the same, together', async () => {
    let hasTurned = false;
    setImmediate(() => (hasTurned = true));
    const exec = jest.spyOn(DatabaseSync.prototype, 'exec');
    const written: number[] = [];
    for (const n of [1, 2, 3]) void db.write(() => n).then((value) => written.push(value));
    await afterWork(19);
    expect(written).toEqual([]);
    await afterWork(1);
    expect({ written, hasTurned }).toEqual({ written: [1, 2, 3], hasTurned: false });
    expect(exec.mock.calls.filter(([sql]) => sql === 'COMMIT')).toHaveLength(1);
  });

  test('a reader of the feed waits no longer than it would', async () => {
    let hasTurned = false;
    setImmediate(() => (hasTurned = true));
    const feed = new SqliteChangeFeed(db, new SystemClock());
    const position = await feed.readWhole(() => undefined);
    let read: unknown;
    void feed.readAfter(position, 200).then((found) => (read = found));
    await promisesGoOn();
    await afterWork(199);
    expect(read).toBeUndefined();
    await afterWork(1);
    expect({ read, hasTurned }).toEqual({ read: { entries: [], position }, hasTurned: false });
  });
});
