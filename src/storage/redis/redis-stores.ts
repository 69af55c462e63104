/** The shared store: Redis standalone, with Sentinel, or as a Cluster. */
import { Cluster, type Redis } from 'ioredis';
import type { Clock } from '../../clock.js';
import type { StoreProbe, StoreStatus } from '../../health/store-probe.js';
import type { AppError } from '../../errors.js';
import { UNCOUNTED, type StoreOperations } from '../../store-operations.js';
import type { StoreUrl } from '../../store-url.js';
import type { Stores } from '../stores.js';
import { MASTER_ONLY, ReplicaDurability } from './durability.js';
import { RedisAuditStore } from './redis-audit-store.js';
import { RedisBuckets } from './redis-buckets.js';
import { RedisChangeFeed } from './redis-change-feed.js';
import { RedisConnection } from './redis-connection.js';
import { PROBE_KEY } from './redis-keys.js';
import { RedisKeyRingStore } from './redis-key-ring-store.js';
import { RedisLiveSessions } from './redis-live-sessions.js';
import { RedisLeases } from './redis-leases.js';
import { RedisSessionStore } from './redis-session-store.js';
import { RedisApiKeyStore, RedisTenantStore } from './redis-tenant-store.js';

/** Reads of the feed wait for news this long at most, on top of what any command may take. */
const TAIL_WAIT_MS = 250;
const PROBE_LIFE_MS = 1000;

export interface RedisStoresOptions {
  readonly clock: Clock;
  readonly commandTimeoutMs: number;
  /** How many replicas must confirm a revocation; 0: the master's word is enough. */
  readonly waitReplicas: number;
  /** Hears of every operation. */
  readonly operations?: StoreOperations;
}

export async function openRedisStores(
  url: Extract<StoreUrl, { kind: 'redis' }>,
  { clock, commandTimeoutMs, waitReplicas, operations = UNCOUNTED }: RedisStoresOptions,
): Promise<Stores> {
  const redis = new RedisConnection(url, { commandTimeoutMs, operations, tellsOutages: true });
  const tail = new RedisConnection(url, { commandTimeoutMs: commandTimeoutMs + TAIL_WAIT_MS, operations });
  const barriers = waitReplicas > 0 ? new RedisConnection(url, { commandTimeoutMs, operations }) : null;
  const connections = [redis, tail, barriers].filter((connection) => connection !== null);
  await Promise.all(connections.map((connection) => connection.open()));
  const durability = barriers
    ? new ReplicaDurability(barriers, {
        waitReplicas,
        timeoutMs: Math.ceil(commandTimeoutMs * 0.8),
        oneMaster: url.topology.mode !== 'cluster',
      })
    : MASTER_ONLY;
  const liveSessions = new RedisLiveSessions(redis, clock);
  return {
    tenants: new RedisTenantStore(redis, durability),
    apiKeys: new RedisApiKeyStore(redis, durability),
    keyRings: new RedisKeyRingStore(redis, durability),
    sessions: new RedisSessionStore(redis, durability, liveSessions),
    audit: new RedisAuditStore(redis),
    changes: new RedisChangeFeed(redis, tail, durability, clock),
    // Redis has means of its own, and cannot tell a copy that was put back from its own restart.
    backup: { copy: async () => null, isRestored: false, markAsSeenTo: async () => undefined },
    leases: new RedisLeases(redis),
    buckets: new RedisBuckets(redis),
    probe: new RedisProbe(redis),
    close: async () => {
      await liveSessions.close();
      for (const connection of connections) connection.close();
    },
  };
}

/** An evicting Redis forgets revocations when it is full, and so cannot be trusted; one that refuses writes is out. */
class RedisProbe implements StoreProbe {
  readonly kind = 'redis';

  constructor(private readonly redis: RedisConnection) {}

  async status(): Promise<StoreStatus> {
    try {
      const servers = await this.redis.run('read-info', (client) =>
        Promise.all(masters(client).map(readInfo)),
      );
      if (servers.length === 0) {
        return { up: false, trouble: 'no_answer', reason: 'no redis master is known' };
      }
      const evictedKeys = servers.reduce((sum, { evicted }) => sum + evicted, 0);
      const evicting = servers.find(({ policy }) => policy !== 'noeviction');
      if (evicting) {
        const reason = `maxmemory-policy is ${evicting.policy}; set it to noeviction`;
        return { up: false, trouble: 'evicts', reason, evictedKeys };
      }
      if (servers.some(({ role }) => role === 'slave')) {
        return { up: false, trouble: 'refuses_writes', reason: REFUSALS.READONLY, evictedKeys };
      }
      await this.redis.run('probe-write', (client) => client.set(PROBE_KEY, '1', 'PX', PROBE_LIFE_MS));
      return { up: true, evictedKeys };
    } catch (error) {
      return this.troubleOf(error as AppError);
    }
  }

  private troubleOf({ cause }: AppError): StoreStatus {
    const code = cause instanceof Error ? cause.message.split(' ', 1)[0] : undefined;
    if (code && code in REFUSALS) {
      return { up: false, trouble: 'refuses_writes', reason: REFUSALS[code as keyof typeof REFUSALS] };
    }
    if (code === 'LOADING') return { up: false, trouble: 'no_answer', reason: 'redis is loading its data' };
    const isSilent = this.redis.client.status === 'connect';
    const reason = isSilent ? 'redis is loading its data, or is silent' : this.redis.trouble;
    return { up: false, trouble: 'no_answer', reason };
  }
}

/** What a Redis says that cannot be written to, in words for the operator. */
const REFUSALS = {
  OOM: 'redis refuses writes: it is full (maxmemory)',
  READONLY: 'redis refuses writes: it is a replica',
  NOREPLICAS: 'redis refuses writes: too few replicas are connected (min-replicas-to-write)',
  MISCONF: 'redis refuses writes: it cannot save its data to disk',
} as const;

function masters(client: Redis | Cluster): Redis[] {
  return client instanceof Cluster ? client.nodes('master') : [client];
}

async function readInfo(server: Redis): Promise<{ policy: string; role: string; evicted: number }> {
  const [memory, replication, stats] = await Promise.all([
    server.info('memory'),
    server.info('replication'),
    server.info('stats'),
  ]);
  const read = (text: string, field: string) =>
    new RegExp(`^${field}:(\\S+)`, 'm').exec(text)?.[1] ?? 'unknown';
  return {
    policy: read(memory, 'maxmemory_policy'),
    role: read(replication, 'role'),
    evicted: Number(read(stats, 'evicted_keys')) || 0,
  };
}
