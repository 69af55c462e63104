/** The numbers of live sessions in SQLite, changed in the transaction of what changes them: they are exact. */
import { countedOf, countedUntilMs } from '../../sessions/live-count.js';
import type { Session } from '../../sessions/session.js';
import type { SqliteDatabase } from './sqlite-database.js';

export class SqliteLiveSessions {
  constructor(private readonly db: SqliteDatabase) {}

  change(session: Session, by: number): void {
    this.add(session.tenantId, session.epoch, countedUntilMs(countedOf(session)), by);
  }

  count(tenantId: string, epoch: number, nowMs: number): number {
    const row = this.db.get(
      `SELECT sum(sessions) AS live FROM live_sessions WHERE tenant_id = ? AND epoch = ? AND until_ms > ?`,
      tenantId,
      epoch,
      nowMs,
    );
    return Number(row?.['live'] ?? 0);
  }

  /** @returns how many numbers of what is over were deleted */
  collect(nowMs: number, limit: number): number {
    return this.db.run(
      `DELETE FROM live_sessions WHERE (tenant_id, epoch, until_ms) IN
         (SELECT tenant_id, epoch, until_ms FROM live_sessions WHERE until_ms <= ? LIMIT ?)`,
      nowMs,
      limit,
    );
  }

  /** Once, for a file that was written before there were numbers. */
  countFromRecords(): void {
    const numbers = new Map<string, { tenantId: string; epoch: number; until: number; sessions: number }>();
    for (const row of this.db.each('SELECT document FROM sessions WHERE revoked_reason IS NULL')) {
      const session = JSON.parse(String(row['document'])) as Session;
      const { tenantId, epoch } = session;
      const until = countedUntilMs(countedOf(session));
      const place = `${tenantId} ${epoch} ${until}`;
      const sessions = (numbers.get(place)?.sessions ?? 0) + 1;
      numbers.set(place, { tenantId, epoch, until, sessions });
    }
    for (const { tenantId, epoch, until, sessions } of numbers.values()) {
      this.add(tenantId, epoch, until, sessions);
    }
  }

  private add(tenantId: string, epoch: number, untilMs: number, by: number): void {
    this.db.run(
      `INSERT INTO live_sessions (tenant_id, epoch, until_ms, sessions) VALUES (?, ?, ?, ?)
       ON CONFLICT DO UPDATE SET sessions = sessions + excluded.sessions`,
      tenantId,
      epoch,
      untilMs,
      by,
    );
  }
}
