/** The embedded store: everything in one SQLite file, for one process. */
import { Logger } from '@nestjs/common';
import { ForgettingTime, type Clock } from '../../clock.js';
import { SafeError } from '../../logging/safe-error.js';
import type { Stores } from '../stores.js';
import { SqliteBackup } from './sqlite-backup.js';
import { SqliteAuditStore } from './sqlite-audit-store.js';
import { MemoryBuckets } from './memory-buckets.js';
import { SqliteChangeFeed } from './sqlite-change-feed.js';
import { SqliteDatabase } from './sqlite-database.js';
import { SqliteLiveSessions } from './sqlite-live-sessions.js';
import { SqliteKeyRingStore } from './sqlite-key-ring-store.js';
import { SqliteSessionStore } from './sqlite-session-store.js';
import { SqliteApiKeyStore, SqliteTenantStore } from './sqlite-tenant-store.js';

const COLLECT_INTERVAL_MS = 30_000;

/** @throws Error in words for the operator when the file cannot be used */
export function openSqliteStores(path: string, clock: Clock): Stores {
  const db = new SqliteDatabase(path, (file, from) => {
    if (from < 2) new SqliteLiveSessions(file).countFromRecords();
  });
  const sessions = new SqliteSessionStore(db);
  const changes = new SqliteChangeFeed(db, clock);
  const collector = new Collector([sessions, changes], clock);
  return {
    tenants: new SqliteTenantStore(db),
    apiKeys: new SqliteApiKeyStore(db),
    keyRings: new SqliteKeyRingStore(db),
    sessions,
    audit: new SqliteAuditStore(db),
    changes,
    backup: new SqliteBackup(db, path),
    // There is no other process that could have it.
    leases: { acquire: async () => true },
    // For the same reason nothing of this is worth a write.
    buckets: new MemoryBuckets(),
    probe: {
      kind: 'sqlite',
      status: async () => {
        try {
          await db.read(() => db.get('SELECT 1'));
          return { up: true };
        } catch {
          return { up: false, trouble: 'no_answer', reason: 'the database file does not answer' };
        }
      },
    },
    close: async () => {
      collector.stop();
      db.close();
    },
  };
}

interface Collected {
  /** Deletes some of what has expired. @returns whether there may be more */
  collect(nowMs: number): Promise<boolean>;
}

/** Expired rows go in the background, some at a time. */
class Collector {
  private readonly logger = new Logger('SqliteCollector');
  private readonly timer: NodeJS.Timeout;
  private readonly forgetting: ForgettingTime;
  private stopped = false;

  constructor(
    private readonly collected: readonly Collected[],
    clock: Clock,
  ) {
    this.forgetting = new ForgettingTime(clock);
    this.timer = setInterval(() => void this.collect(), COLLECT_INTERVAL_MS).unref();
  }

  stop(): void {
    this.stopped = true;
    clearInterval(this.timer);
  }

  private async collect(): Promise<void> {
    try {
      for (const rows of this.collected) {
        let more = true;
        while (more && !this.stopped) more = await rows.collect(this.forgetting.nowMs());
      }
    } catch (error) {
      this.logger.warn({ event: 'collect_failed', cause: SafeError.of(error) });
    }
  }
}
