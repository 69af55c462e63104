/** The change feed as a table, with an emitter for the one process that there is. */
import { randomUUID } from 'node:crypto';
import { EventEmitter } from 'node:events';
import type { Clock } from '../../clock.js';
import { parseChange } from '../../revocations/change-codec.js';
import {
  positionId,
  type Change,
  type ChangeFeed,
  type FeedEntry,
  type FeedPosition,
  type FeedRead,
} from '../../revocations/change-feed.js';
import { afterMs } from '../../turn-end.js';
import type { Row, SqliteDatabase } from './sqlite-database.js';

const PAGE = 1000;
const COLLECT_BATCH = 500;
/** Changes that are no revocation matter only to this process, which hears of them at once. */
const EVENT_LIFE_MS = 60_000;

interface Position extends FeedPosition {
  readonly sequence: number;
}

export class SqliteChangeFeed implements ChangeFeed {
  private readonly news = new EventEmitter();
  /** Names of positions mean something to this process alone: it is the feed's only reader. */
  private readonly secret = randomUUID();

  constructor(
    private readonly db: SqliteDatabase,
    private readonly clock: Clock,
  ) {}

  async announce(changes: readonly Change[]): Promise<void> {
    const nowMs = this.clock.nowMs();
    await this.db.write(() => {
      for (const change of changes) {
        this.db.run(
          'INSERT INTO changes (announced_at_ms, expires_at_ms, document) VALUES (?, ?, ?)',
          nowMs,
          'expiresAtMs' in change ? change.expiresAtMs : nowMs + EVENT_LIFE_MS,
          JSON.stringify(change),
        );
      }
    });
    this.news.emit('news');
  }

  async readWhole(take: (entries: readonly FeedEntry[]) => void): Promise<FeedPosition> {
    let sequence = 0;
    for (;;) {
      const page = await this.page(sequence);
      take(page.map((row) => this.toEntry(row)));
      sequence = Number(page.at(-1)?.['sequence'] ?? sequence);
      if (page.length < PAGE) return this.at(sequence);
    }
  }

  /** Numbers may be missing where rows have expired; nothing else takes any away. */
  async readAfter(after: FeedPosition, waitMs: number): Promise<FeedRead> {
    const { sequence } = after as Position;
    let page = await this.page(sequence);
    if (page.length === 0 && waitMs > 0) {
      await this.untilNews(waitMs);
      page = await this.page(sequence);
    }
    return {
      entries: page.map((row) => this.toEntry(row)),
      position: this.at(Number(page.at(-1)?.['sequence'] ?? sequence)),
    };
  }

  async collect(nowMs: number): Promise<boolean> {
    return this.db.write(
      () =>
        this.db.run(
          'DELETE FROM changes WHERE sequence IN (SELECT sequence FROM changes WHERE expires_at_ms <= ? LIMIT ?)',
          nowMs,
          COLLECT_BATCH,
        ) === COLLECT_BATCH,
    );
  }

  private page(after: number): Promise<Row[]> {
    return this.db.read(() =>
      this.db.all('SELECT * FROM changes WHERE sequence > ? ORDER BY sequence LIMIT ?', after, PAGE),
    );
  }

  private untilNews(waitMs: number): Promise<void> {
    return new Promise((resolve) => {
      const done = () => {
        takeBack();
        this.news.off('news', done);
        resolve();
      };
      // An instance that hears too late of what it knows asks the store for everything, and hears even later.
      const takeBack = afterMs(waitMs, done);
      this.news.on('news', done);
    });
  }

  private toEntry(row: Row): FeedEntry {
    return {
      change: parseChange(String(row['document'])),
      delayMs: Math.max(0, this.clock.nowMs() - Number(row['announced_at_ms'])),
      positionId: this.at(Number(row['sequence'])).id,
    };
  }

  private at(sequence: number): Position {
    return { sequence, id: positionId(this.secret, sequence) };
  }
}
