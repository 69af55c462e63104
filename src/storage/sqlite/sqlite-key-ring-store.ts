import type { KeyRing, KeyRingStore } from '../../keys/key-ring.js';
import type { SqliteDatabase } from './sqlite-database.js';

export class SqliteKeyRingStore implements KeyRingStore {
  constructor(private readonly db: SqliteDatabase) {}

  async find(tenantId: string): Promise<KeyRing | null> {
    return this.db.read(() => {
      const row = this.db.get('SELECT document FROM key_rings WHERE tenant_id = ?', tenantId);
      return row ? { ...(JSON.parse(String(row['document'])) as KeyRing), tenantId } : null;
    });
  }

  async replace(ring: KeyRing): Promise<'replaced' | 'conflict'> {
    return this.db.write(() => {
      const replaced = this.db.run(
        `INSERT INTO key_rings (tenant_id, version, document) SELECT ?1, ?2, ?3
           WHERE ?2 = 1 OR EXISTS (SELECT 1 FROM key_rings WHERE tenant_id = ?1)
         ON CONFLICT DO UPDATE SET version = ?2, document = ?3 WHERE version = ?2 - 1`,
        ring.tenantId,
        ring.version,
        JSON.stringify(ring),
      );
      return replaced > 0 ? 'replaced' : 'conflict';
    });
  }
}
