/** Sessions in SQLite: each verb is one transaction around the rules of session.ts. */
import type { RevocationReason } from '../../revocation-reason.js';
import {
  REVOCATION_MARGIN_MS,
  reuse,
  rotate,
  type RevokedSession,
  type RotationOutcome,
  type RotationRequest,
  type Session,
  type SessionPage,
  type SessionStore,
} from '../../sessions/session.js';
import type { Row, SqliteDatabase } from './sqlite-database.js';
import { SqliteLiveSessions } from './sqlite-live-sessions.js';

/** Rows collected at a time, so that nobody waits for the collection. */
const COLLECT_BATCH = 500;

export class SqliteSessionStore implements SessionStore {
  private readonly live: SqliteLiveSessions;

  constructor(private readonly db: SqliteDatabase) {
    this.live = new SqliteLiveSessions(db);
  }

  async create(session: Session, maxSessionsPerUser: number): Promise<string[]> {
    return this.db.write(() => {
      const isNew = this.db.run(
        `INSERT INTO sessions (tenant_id, session_id, user_id, created_at_ms, expires_at_ms, document)
         VALUES (?, ?, ?, ?, ?, ?) ON CONFLICT DO NOTHING`,
        session.tenantId,
        session.sessionId,
        session.userId,
        session.createdAtMs,
        session.idleExpiresAtMs,
        JSON.stringify(session),
      );
      if (isNew > 0) this.live.change(session, 1);
      return this.db
        .all(
          `SELECT session_id FROM sessions
           WHERE tenant_id = ? AND user_id = ? AND revoked_reason IS NULL AND expires_at_ms > ?
             AND session_id <> ?
           ORDER BY created_at_ms DESC, session_id DESC LIMIT -1 OFFSET ?`,
          session.tenantId,
          session.userId,
          session.createdAtMs,
          session.sessionId,
          maxSessionsPerUser - 1,
        )
        .map((row) => String(row['session_id']))
        .toReversed();
    });
  }

  async find(tenantId: string, sessionId: string, nowMs: number): Promise<Session | null> {
    return this.db.read(() => {
      const row = this.row(tenantId, sessionId);
      return row && row['revoked_reason'] === null && Number(row['expires_at_ms']) > nowMs
        ? toSession(row)
        : null;
    });
  }

  async listByUser(tenantId: string, userId: string, nowMs: number): Promise<Session[]> {
    return this.db.read(() =>
      this.db
        .all(
          `SELECT document FROM sessions
           WHERE tenant_id = ? AND user_id = ? AND revoked_reason IS NULL AND expires_at_ms > ?
           ORDER BY created_at_ms, session_id`,
          tenantId,
          userId,
          nowMs,
        )
        .map(toSession),
    );
  }

  async idsByUser(tenantId: string, userId: string): Promise<string[]> {
    return this.db.read(() =>
      this.db
        .all(
          `SELECT session_id FROM sessions WHERE tenant_id = ? AND user_id = ?
           ORDER BY created_at_ms, session_id`,
          tenantId,
          userId,
        )
        .map((row) => String(row['session_id'])),
    );
  }

  async rotate(tenantId: string, sessionId: string, request: RotationRequest): Promise<RotationOutcome> {
    return this.db.write((): RotationOutcome => {
      const row = this.row(tenantId, sessionId);
      if (!row) return { outcome: this.isBlocked(tenantId, sessionId) ? 'revoked' : 'missing' };
      // Reuse that was found before, but whose ending was cut short, is found again, so that it is completed.
      if (row['revoked_reason'] === 'refresh_token_reused') {
        return reuse(toSession(row), request.presentedId, { again: true });
      }
      if (row['revoked_reason'] !== null) return { outcome: 'revoked' };
      const before = toSession(row);
      const result = rotate(before, request);
      if ('session' in result) this.update(result.session);
      if (result.outcome === 'rotated') {
        this.live.change(before, -1);
        this.live.change(result.session, 1);
      }
      if (result.outcome === 'reused') this.mark(row, 'refresh_token_reused');
      return result;
    });
  }

  async confirmRotation(tenantId: string, sessionId: string, currentId: string): Promise<void> {
    await this.db.write(() => {
      const row = this.row(tenantId, sessionId);
      if (!row) return;
      const session = toSession(row);
      if (session.rotation.currentId !== currentId) return;
      this.update({ ...session, rotation: { ...session.rotation, confirmed: true } });
    });
  }

  async check(token: {
    tenantId: string;
    sessionId: string;
    tokenId: string;
    nowMs: number;
  }): Promise<'live' | 'revoked' | 'missing'> {
    return this.db.read(() => {
      const { tenantId, sessionId, tokenId, nowMs } = token;
      if (this.isBlocked(tenantId, sessionId) || this.isBlocked(tenantId, tokenId)) return 'revoked';
      const row = this.row(tenantId, sessionId);
      return row && Number(row['expires_at_ms']) > nowMs ? 'live' : 'missing';
    });
  }

  async revoke(
    tenantId: string,
    sessionId: string,
    reason: RevocationReason,
    nowMs: number,
  ): Promise<RevokedSession | null> {
    return this.db.write(() => {
      const row = this.row(tenantId, sessionId);
      if (!row || Number(row['expires_at_ms']) <= nowMs) return null;
      const again = row['revoked_reason'] !== null;
      if (!again) this.mark(row, reason);
      const { userId, accessExpiresAtMs, epoch } = toSession(row);
      return { sessionId, userId, accessExpiresAtMs, epoch, again };
    });
  }

  async revokeToken(token: { tenantId: string; tokenId: string; expiresAtMs: number }): Promise<void> {
    await this.db.write(() => this.block(token.tenantId, token.tokenId, token.expiresAtMs));
  }

  async remove(tenantId: string, { sessionId }: Pick<RevokedSession, 'sessionId'>): Promise<void> {
    await this.db.write(() =>
      this.db.run('DELETE FROM sessions WHERE tenant_id = ? AND session_id = ?', tenantId, sessionId),
    );
  }

  /** In the order of the ids, which is the order in which the records lie. */
  async scan(
    tenantId: string,
    { cursor, limit, nowMs }: { cursor: string | null; limit: number; nowMs: number },
  ): Promise<SessionPage> {
    return this.db.read(() => {
      const rows = this.db.all(
        'SELECT * FROM sessions WHERE tenant_id = ? AND session_id > ? ORDER BY session_id LIMIT ?',
        tenantId,
        cursor ?? '',
        limit,
      );
      const sessions = rows
        .filter((row) => Number(row['expires_at_ms']) > nowMs)
        .map((row) => ({ session: toSession(row), isMarked: row['revoked_reason'] !== null }));
      const last = rows.length < limit ? undefined : rows.at(-1);
      return { sessions, next: last ? String(last['session_id']) : null };
    });
  }

  async countLive(tenantId: string, epoch: number, nowMs: number): Promise<number> {
    return this.db.read(() => this.live.count(tenantId, epoch, nowMs));
  }

  /** Deletes some of what has expired. @returns whether there may be more */
  async collect(nowMs: number): Promise<boolean> {
    return this.db.write(() => {
      const removed = [
        this.db.run(
          `DELETE FROM sessions WHERE (tenant_id, session_id) IN
             (SELECT tenant_id, session_id FROM sessions WHERE expires_at_ms <= ? LIMIT ?)`,
          nowMs,
          COLLECT_BATCH,
        ),
        this.db.run(
          `DELETE FROM blocklist WHERE (tenant_id, id) IN
             (SELECT tenant_id, id FROM blocklist WHERE expires_at_ms <= ? LIMIT ?)`,
          nowMs,
          COLLECT_BATCH,
        ),
        this.live.collect(nowMs, COLLECT_BATCH),
      ];
      return removed.includes(COLLECT_BATCH);
    });
  }

  private row(tenantId: string, sessionId: string): Row | undefined {
    return this.db.get('SELECT * FROM sessions WHERE tenant_id = ? AND session_id = ?', tenantId, sessionId);
  }

  private update(session: Session): void {
    this.db.run(
      'UPDATE sessions SET expires_at_ms = ?, document = ? WHERE tenant_id = ? AND session_id = ?',
      session.idleExpiresAtMs,
      JSON.stringify(session),
      session.tenantId,
      session.sessionId,
    );
  }

  private mark(row: Row, reason: RevocationReason): void {
    const session = toSession(row);
    const { tenantId, sessionId, accessExpiresAtMs } = session;
    this.live.change(session, -1);
    this.block(tenantId, sessionId, accessExpiresAtMs);
    this.db.run(
      'UPDATE sessions SET revoked_reason = ? WHERE tenant_id = ? AND session_id = ?',
      reason,
      tenantId,
      sessionId,
    );
  }

  private block(tenantId: string, id: string, expiresAtMs: number): void {
    this.db.run(
      `INSERT INTO blocklist (tenant_id, id, expires_at_ms) VALUES (?, ?, ?)
       ON CONFLICT DO UPDATE SET expires_at_ms = max(expires_at_ms, excluded.expires_at_ms)`,
      tenantId,
      id,
      expiresAtMs + REVOCATION_MARGIN_MS,
    );
  }

  private isBlocked(tenantId: string, id: string): boolean {
    return this.db.get('SELECT 1 FROM blocklist WHERE tenant_id = ? AND id = ?', tenantId, id) !== undefined;
  }
}

function toSession(row: Row): Session {
  return JSON.parse(String(row['document'])) as Session;
}
