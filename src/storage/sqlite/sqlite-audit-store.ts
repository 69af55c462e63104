/** Audit chains in SQLite: the chain's end moves in the transaction that adds the entries. */
import {
  GENESIS,
  indexValuesOf,
  readEntry,
  type Appended,
  type AuditPage,
  type AuditPageRequest,
  type AuditStore,
  type ChainHead,
  type KeptEntry,
} from '../../audit/audit.js';
import type { Row, SqliteDatabase } from './sqlite-database.js';

const COLUMNS = { user: 'user_id', session: 'session_id', action: 'action' } as const;

export class SqliteAuditStore implements AuditStore {
  constructor(private readonly db: SqliteDatabase) {}

  async head(tenantId: string): Promise<ChainHead> {
    return this.db.read(() => this.headOf(tenantId));
  }

  async append(tenantId: string, after: ChainHead, entries: readonly KeptEntry[]): Promise<Appended> {
    return this.db.write((): Appended => {
      const head = this.headOf(tenantId);
      if (head.seq !== after.seq || head.hash !== after.hash) {
        if (this.hashAt(tenantId, after.seq + 1) === entries[0]?.hash) return { outcome: 'appended' };
        return { outcome: 'conflict', head, continues: this.continues(tenantId, after) };
      }
      for (const entry of entries) this.insert(tenantId, entry);
      const last = entries.at(-1) ?? after;
      this.db.run(
        `INSERT INTO audit_chains (tenant_id, seq, hash, first) VALUES (?, ?, ?, 1)
         ON CONFLICT DO UPDATE SET seq = excluded.seq, hash = excluded.hash`,
        tenantId,
        last.seq,
        last.hash,
      );
      return { outcome: 'appended' };
    });
  }

  async read(tenantId: string, { order, after, limit, by }: AuditPageRequest): Promise<AuditPage> {
    const isForward = order === 'oldest_first';
    const found = by ? `AND ${COLUMNS[by.index]} = ?` : '';
    const rows = await this.db.read(() =>
      this.db.all(
        `SELECT seq, hash, document FROM audit
         WHERE tenant_id = ? ${found} AND seq ${isForward ? '>' : '<'} ?
         ORDER BY seq ${isForward ? 'ASC' : 'DESC'} LIMIT ?`,
        tenantId,
        ...(by ? [by.value] : []),
        after ?? (isForward ? 0 : Number.MAX_SAFE_INTEGER),
        limit,
      ),
    );
    const entries = rows.map(toEntry);
    return { entries, next: entries.length < limit ? null : (entries.at(-1)?.seq ?? null) };
  }

  async trim(tenantId: string, before: number, limit: number): Promise<boolean> {
    return this.db.write(() => {
      const removed = this.db.run(
        `DELETE FROM audit WHERE tenant_id = ? AND seq IN
           (SELECT seq FROM audit WHERE tenant_id = ? AND seq < ? ORDER BY seq LIMIT ?)`,
        tenantId,
        tenantId,
        before,
        limit,
      );
      const oldest = this.db.get('SELECT min(seq) AS seq FROM audit WHERE tenant_id = ?', tenantId);
      this.db.run(
        'UPDATE audit_chains SET first = coalesce(?, seq + 1) WHERE tenant_id = ?',
        oldest?.['seq'] ?? null,
        tenantId,
      );
      return removed === limit;
    });
  }

  async first(tenantId: string): Promise<number> {
    return this.db.read(() =>
      Number(this.db.get('SELECT first FROM audit_chains WHERE tenant_id = ?', tenantId)?.['first'] ?? 1),
    );
  }

  async chains({ after, limit }: { after: string; limit: number }): Promise<string[]> {
    return this.db.read(() =>
      this.db
        .all(
          'SELECT tenant_id FROM audit_chains WHERE tenant_id > ? ORDER BY tenant_id LIMIT ?',
          after,
          limit,
        )
        .map((row) => String(row['tenant_id'])),
    );
  }

  private insert(tenantId: string, { seq, hash, document }: KeptEntry): void {
    const entry = readEntry(document);
    const values = new Map((entry ? indexValuesOf(entry) : []).map(({ index, value }) => [index, value]));
    // What stands there without belonging to the chain is in nobody's way.
    this.db.run(
      `INSERT OR REPLACE INTO audit (tenant_id, seq, hash, user_id, session_id, action, document)
       VALUES (?, ?, ?, ?, ?, ?, ?)`,
      tenantId,
      seq,
      hash,
      values.get('user') ?? null,
      values.get('session') ?? null,
      values.get('action') ?? null,
      document,
    );
  }

  private headOf(tenantId: string): ChainHead {
    const row = this.db.get('SELECT seq, hash FROM audit_chains WHERE tenant_id = ?', tenantId);
    return row ? { seq: Number(row['seq']), hash: String(row['hash']) } : GENESIS;
  }

  private hashAt(tenantId: string, seq: number): string | null {
    const row = this.db.get('SELECT hash FROM audit WHERE tenant_id = ? AND seq = ?', tenantId, seq);
    return row ? String(row['hash']) : null;
  }

  /** What was trimmed counts as still there: it was there long enough. */
  private continues(tenantId: string, { seq, hash }: ChainHead): boolean {
    const chain = this.db.get('SELECT seq, first FROM audit_chains WHERE tenant_id = ?', tenantId);
    if (seq === 0) return true;
    if (!chain || Number(chain['seq']) < seq) return false;
    return seq < Number(chain['first']) || this.hashAt(tenantId, seq) === hash;
  }
}

function toEntry(row: Row): KeptEntry {
  return { seq: Number(row['seq']), hash: String(row['hash']), document: String(row['document']) };
}
