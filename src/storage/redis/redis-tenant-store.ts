import type { ApiKey, ApiKeyStore } from '../../tenants/api-key.js';
import type { Tenant, TenantStore } from '../../tenants/tenant.js';
import type { Durability } from './durability.js';
import type { RedisConnection } from './redis-connection.js';
import { TENANT_INDEX, tenantKeys } from './redis-keys.js';

export class RedisTenantStore implements TenantStore {
  constructor(
    private readonly redis: RedisConnection,
    private readonly durability: Durability,
  ) {}

  /** Index first: an entry without a tenant behind it is passed over, a tenant without an entry would be lost. */
  async insert(tenant: Tenant, apiKey: ApiKey): Promise<'created' | 'exists'> {
    const { record, apiKeys } = tenantKeys(tenant.tenantId);
    await this.redis.run('index-tenant', (client) => client.zadd(TENANT_INDEX, 0, tenant.tenantId));
    const reply = await this.redis.scriptInTime(
      'insert-tenant',
      [record, apiKeys],
      [tenant.version, JSON.stringify(tenant), apiKey.keyId, JSON.stringify(apiKey)],
    );
    // Again: the deletion of an earlier tenant of this id may have taken the entry out meanwhile.
    await this.redis.run('index-tenant', (client) => client.zadd(TENANT_INDEX, 0, tenant.tenantId));
    return reply as 'created' | 'exists';
  }

  async find(tenantId: string): Promise<Tenant | null> {
    const text = await this.redis.run('find-tenant', (client) =>
      client.hget(tenantKeys(tenantId).record, 'document'),
    );
    return text ? (JSON.parse(text) as Tenant) : null;
  }

  async list({ after, limit }: { after: string; limit: number }): Promise<Tenant[]> {
    const found: Tenant[] = [];
    let start = after === '' ? '-' : `(${after}`;
    while (found.length < limit) {
      const wanted = limit - found.length;
      const from = start;
      const ids = await this.redis.run('list-tenants', (client) =>
        client.zrangebylex(TENANT_INDEX, from, '+', 'LIMIT', 0, wanted),
      );
      const tenants = await Promise.all(ids.map((id) => this.find(id)));
      found.push(...tenants.filter((tenant) => tenant !== null));
      if (ids.length < wanted) break;
      start = `(${ids.at(-1)}`;
    }
    return found;
  }

  async update(tenant: Tenant): Promise<'updated' | 'conflict' | 'missing'> {
    const { record } = tenantKeys(tenant.tenantId);
    const reply = await this.redis.script(
      'replace-document',
      [record],
      [tenant.version, JSON.stringify(tenant)],
    );
    if (reply !== 'replaced') return reply as 'conflict' | 'missing';
    await this.durability.barrier(record);
    return 'updated';
  }

  /** Sessions are not searched for: without their tenant and its keys they are dead, and their time runs out. */
  async delete(tenantId: string): Promise<boolean> {
    const { record, apiKeys } = tenantKeys(tenantId);
    const removed = await this.redis.run('delete-tenant', (client) => client.del(record, apiKeys));
    await this.durability.barrier(record);
    // Nobody waits for it: an entry without a tenant behind it is passed over.
    this.redis.run('index-tenant', (client) => client.zrem(TENANT_INDEX, tenantId)).catch(() => undefined);
    return removed > 0;
  }
}

export class RedisApiKeyStore implements ApiKeyStore {
  constructor(
    private readonly redis: RedisConnection,
    private readonly durability: Durability,
  ) {}

  async insert(tenantId: string, apiKey: ApiKey): Promise<boolean> {
    const { record, apiKeys } = tenantKeys(tenantId);
    const reply = await this.redis.scriptInTime(
      'insert-api-key',
      [record, apiKeys],
      [apiKey.keyId, JSON.stringify(apiKey)],
    );
    return reply === 'created';
  }

  /** An empty document: the key is being deleted. */
  async find(tenantId: string, keyId: string): Promise<ApiKey | null> {
    const text = await this.redis.run('find-api-key', (client) =>
      client.hget(tenantKeys(tenantId).apiKeys, keyId),
    );
    return text ? (JSON.parse(text) as ApiKey) : null;
  }

  async list(tenantId: string): Promise<ApiKey[]> {
    const documents = await this.redis.run('list-api-keys', (client) =>
      client.hvals(tenantKeys(tenantId).apiKeys),
    );
    return documents
      .filter((text) => text !== '')
      .map((text) => JSON.parse(text) as ApiKey)
      .toSorted((a, b) => a.createdAtMs - b.createdAtMs || a.keyId.localeCompare(b.keyId));
  }

  /** Emptied, then removed: a deletion that was cut short by too few replicas is found again by its retry. */
  async delete(tenantId: string, keyId: string): Promise<boolean> {
    const { apiKeys } = tenantKeys(tenantId);
    const emptied = await this.redis.script('empty-api-key', [apiKeys], [keyId]);
    await this.durability.barrier(apiKeys);
    if (emptied !== 1) return false;
    await this.redis.run('delete-api-key', (client) => client.hdel(apiKeys, keyId));
    return true;
  }
}
