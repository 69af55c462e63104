import type { ApiKey, ApiKeyStore } from '../../tenants/api-key.js';
import type { Tenant, TenantStore } from '../../tenants/tenant.js';
import type { SqliteDatabase } from './sqlite-database.js';

/** Rows deleted in one step, so that nobody waits long for the deletion of a large tenant. */
const DELETE_BATCH = 500;
const DELETE_BELONGINGS = [
  `DELETE FROM sessions WHERE (tenant_id, session_id) IN
     (SELECT tenant_id, session_id FROM sessions WHERE tenant_id = ? LIMIT ?)`,
  `DELETE FROM blocklist WHERE (tenant_id, id) IN
     (SELECT tenant_id, id FROM blocklist WHERE tenant_id = ? LIMIT ?)`,
];

export class SqliteTenantStore implements TenantStore {
  constructor(private readonly db: SqliteDatabase) {}

  async insert(tenant: Tenant, apiKey: ApiKey): Promise<'created' | 'exists'> {
    return this.db.write(() => {
      const created = this.db.run(
        'INSERT INTO tenants (tenant_id, version, document) VALUES (?, ?, ?) ON CONFLICT DO NOTHING',
        tenant.tenantId,
        tenant.version,
        JSON.stringify(tenant),
      );
      if (created === 0) return 'exists';
      insertApiKey(this.db, tenant.tenantId, apiKey);
      return 'created';
    });
  }

  async find(tenantId: string): Promise<Tenant | null> {
    return this.db.read(() => {
      const row = this.db.get('SELECT document FROM tenants WHERE tenant_id = ?', tenantId);
      return row ? (JSON.parse(String(row['document'])) as Tenant) : null;
    });
  }

  async list({ after, limit }: { after: string; limit: number }): Promise<Tenant[]> {
    return this.db.read(() =>
      this.db
        .all('SELECT document FROM tenants WHERE tenant_id > ? ORDER BY tenant_id LIMIT ?', after, limit)
        .map((row) => JSON.parse(String(row['document'])) as Tenant),
    );
  }

  async update(tenant: Tenant): Promise<'updated' | 'conflict' | 'missing'> {
    return this.db.write(() => {
      const updated = this.db.run(
        'UPDATE tenants SET version = ?, document = ? WHERE tenant_id = ? AND version = ?',
        tenant.version,
        JSON.stringify(tenant),
        tenant.tenantId,
        tenant.version - 1,
      );
      if (updated > 0) return 'updated';
      return this.db.get('SELECT 1 FROM tenants WHERE tenant_id = ?', tenant.tenantId)
        ? 'conflict'
        : 'missing';
    });
  }

  /** Its sessions first, some at a time; a retry completes what was cut short. */
  async delete(tenantId: string): Promise<boolean> {
    for (const statement of DELETE_BELONGINGS) {
      let removed = DELETE_BATCH;
      while (removed === DELETE_BATCH) {
        removed = await this.db.write(() => this.db.run(statement, tenantId, DELETE_BATCH));
      }
    }
    return this.db.write(() => this.db.run('DELETE FROM tenants WHERE tenant_id = ?', tenantId) > 0);
  }
}

export class SqliteApiKeyStore implements ApiKeyStore {
  constructor(private readonly db: SqliteDatabase) {}

  async insert(tenantId: string, apiKey: ApiKey): Promise<boolean> {
    return this.db.write(() => {
      if (!this.db.get('SELECT 1 FROM tenants WHERE tenant_id = ?', tenantId)) return false;
      insertApiKey(this.db, tenantId, apiKey);
      return true;
    });
  }

  async find(tenantId: string, keyId: string): Promise<ApiKey | null> {
    return this.db.read(() => {
      const row = this.db.get(
        'SELECT document FROM api_keys WHERE tenant_id = ? AND key_id = ?',
        tenantId,
        keyId,
      );
      return row ? (JSON.parse(String(row['document'])) as ApiKey) : null;
    });
  }

  async list(tenantId: string): Promise<ApiKey[]> {
    return this.db.read(() =>
      this.db
        .all('SELECT document FROM api_keys WHERE tenant_id = ? ORDER BY created_at_ms, key_id', tenantId)
        .map((row) => JSON.parse(String(row['document'])) as ApiKey),
    );
  }

  async delete(tenantId: string, keyId: string): Promise<boolean> {
    return this.db.write(
      () => this.db.run('DELETE FROM api_keys WHERE tenant_id = ? AND key_id = ?', tenantId, keyId) > 0,
    );
  }
}

function insertApiKey(db: SqliteDatabase, tenantId: string, apiKey: ApiKey): void {
  db.run(
    'INSERT INTO api_keys (tenant_id, key_id, created_at_ms, document) VALUES (?, ?, ?, ?)',
    tenantId,
    apiKey.keyId,
    apiKey.createdAtMs,
    JSON.stringify(apiKey),
  );
}
