/** Copies of tenants as they are kept, from the Redis of their home region into another: documents, not their meaning. */
import type { Change } from '../../revocations/change-feed.js';
import type { RedisConnection } from './redis-connection.js';
import { TENANT_INDEX, tenantKeys } from './redis-keys.js';

const PAGE = 200;

type Documents = Readonly<Record<string, string>>;

interface Copied {
  /** What instances of the other region must hear of. */
  readonly changes: readonly Change[];
  /** The other region has ended an epoch that the home region has not: its ring stays. */
  readonly epochIsAhead: boolean;
}

interface Kept {
  readonly record: Documents;
  readonly apiKeys: Documents;
  readonly keyRing: Documents;
}

export class RegionTenants {
  constructor(
    private readonly from: RedisConnection,
    private readonly to: RedisConnection,
  ) {}

  /** Of the home region, and those that have a copy: they may have been deleted at home. */
  async *ids(): AsyncGenerator<string> {
    yield* this.idsIn(this.from);
    yield* this.idsIn(this.to);
  }

  private async *idsIn(redis: RedisConnection): AsyncGenerator<string> {
    let start = '-';
    for (;;) {
      const after = start;
      const ids = await redis.run('list-tenants', (client) =>
        client.zrangebylex(TENANT_INDEX, after, '+', 'LIMIT', 0, PAGE),
      );
      yield* ids;
      if (ids.length < PAGE) return;
      start = `(${ids.at(-1)}`;
    }
  }

  /** Safe to repeat. The ring goes first: without it a tenant is nothing, and an epoch that ended ends first. */
  async copy(tenantId: string): Promise<Copied> {
    const [home, copy] = await Promise.all([read(this.from, tenantId), read(this.to, tenantId)]);
    // Whoever was ever at home there has a ring, also when deleted.
    if (!home.keyRing['document']) return { changes: [], epochIsAhead: false };
    const epochIsAhead = epochOf(copy.keyRing) > epochOf(home.keyRing);
    const changes: Change[] = [];
    if (!epochIsAhead && differs(home.keyRing, copy.keyRing)) {
      await this.replace(tenantKeys(tenantId).keyRing, home.keyRing);
      changes.push({ kind: 'keys_changed', tenantId });
    }
    const names = new Set([...Object.keys(home.apiKeys), ...Object.keys(copy.apiKeys)]);
    const changed = [...names].filter((keyId) => home.apiKeys[keyId] !== copy.apiKeys[keyId]);
    if (changed.length > 0) {
      await this.replace(tenantKeys(tenantId).apiKeys, home.apiKeys);
      changes.push(...changed.map((keyId) => ({ kind: 'api_key_changed' as const, tenantId, keyId })));
    }
    if (differs(home.record, copy.record)) {
      await this.replace(tenantKeys(tenantId).record, home.record);
      await this.index(tenantId, home.record['document'] !== undefined);
      changes.push({ kind: 'tenant_changed', tenantId });
    }
    return { changes, epochIsAhead };
  }

  private async replace(key: string, documents: Documents): Promise<void> {
    await this.to.run('copy-tenant', (client) => {
      const steps = client.multi().del(key);
      if (Object.keys(documents).length > 0) steps.hset(key, documents);
      return steps.exec();
    });
  }

  private async index(tenantId: string, exists: boolean): Promise<void> {
    await this.to.run('index-tenant', (client) =>
      exists ? client.zadd(TENANT_INDEX, 0, tenantId) : client.zrem(TENANT_INDEX, tenantId),
    );
  }
}

async function read(redis: RedisConnection, tenantId: string): Promise<Kept> {
  const { record, apiKeys, keyRing } = tenantKeys(tenantId);
  const [first, second, third] = await redis.pipeline('read-tenant-copy', (pipeline) =>
    pipeline.hgetall(record).hgetall(apiKeys).hgetall(keyRing),
  );
  return { record: first as Documents, apiKeys: second as Documents, keyRing: third as Documents };
}

function epochOf({ document }: Documents): number {
  return document ? (JSON.parse(document) as { epoch: number }).epoch : 0;
}

function differs(one: Documents, other: Documents): boolean {
  return one['version'] !== other['version'] || one['document'] !== other['document'];
}
