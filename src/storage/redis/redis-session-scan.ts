/**
 * Pages through a tenant's sessions in Redis, master by master. SCAN hands out every key that is there from its
 * beginning to its end, some twice; its cursor means something to that one server only. So a page's cursor names the
 * servers as they were: when one was restarted, replaced, or slots have moved, the scan begins again.
 */
import { createHash } from 'node:crypto';
import { Cluster, type Redis } from 'ioredis';
import type { ScannedSession, SessionPage } from '../../sessions/session.js';
import type { RedisConnection } from './redis-connection.js';
import { sessionIdIn, sessionKeyPattern } from './redis-keys.js';
import { fromHash } from './redis-session-hash.js';

interface Place {
  /** Of the servers and their slots. */
  readonly servers: string;
  /** Index of the master. */
  readonly at: number;
  /** SCAN's own. */
  readonly cursor: string;
}

/** Its record, and its place in the list of its user. */
const KEYS_PER_SESSION = 2;

export async function scanSessions(
  redis: RedisConnection,
  tenantId: string,
  { cursor, limit, nowMs }: { cursor: string | null; limit: number; nowMs: number },
): Promise<SessionPage> {
  const { servers, masters } = await redis.run('find-servers', serversOf);
  const known = cursor === null ? null : readPlace(cursor);
  const place: Place = known?.servers === servers ? known : { servers, at: 0, cursor: '0' };
  const master = masters[place.at];
  if (!master) return { sessions: [], next: null };
  const [next, keys] = await redis.run('scan-sessions', () =>
    master.scan(place.cursor, 'MATCH', sessionKeyPattern(tenantId), 'COUNT', KEYS_PER_SESSION * limit),
  );
  const found = [...new Set(keys)].flatMap((key) => {
    const sessionId = sessionIdIn(tenantId, key);
    return sessionId === null ? [] : [{ key, sessionId }];
  });
  const hashes = await redis.run('read-scanned', (client) =>
    Promise.all(found.map(({ key }) => client.hgetall(key))),
  );
  const sessions = found.flatMap(({ sessionId }, at): ScannedSession[] => {
    const hash = hashes[at] ?? {};
    const session = fromHash(hash, tenantId, sessionId);
    if (!session || nowMs >= session.idleExpiresAtMs) return [];
    return [{ session, isMarked: hash['revoked_reason'] !== undefined }];
  });
  const following = next === '0' ? { at: place.at + 1, cursor: '0' } : { at: place.at, cursor: next };
  const isLast = following.at >= masters.length;
  return { sessions, next: isLast ? null : writePlace({ servers, ...following }) };
}

/** In an order of their own; `servers` changes when one of them does, or what it is responsible for. */
async function serversOf(client: Redis | Cluster): Promise<{ servers: string; masters: Redis[] }> {
  const nodes = client instanceof Cluster ? client.nodes('master') : [client];
  const described = await Promise.all(
    nodes.map(async (node) => {
      const [server, slots] = await Promise.all([
        node.info('server'),
        client instanceof Cluster ? node.cluster('INFO') : '',
      ]);
      return { node, runId: field(server, 'run_id'), epoch: field(slots, 'cluster_current_epoch') };
    }),
  );
  const ordered = described.toSorted((a, b) => (a.runId < b.runId ? -1 : 1));
  const text = ordered.map(({ runId, epoch }) => `${runId} ${epoch}`).join('\n');
  return {
    servers: createHash('sha256').update(text).digest('base64url').slice(0, 22),
    masters: ordered.map(({ node }) => node),
  };
}

function field(info: string, name: string): string {
  return new RegExp(`^${name}:(\\S+)`, 'm').exec(info)?.[1] ?? '';
}

function writePlace({ servers, at, cursor }: Place): string {
  return `${servers}:${at}:${cursor}`;
}

function readPlace(text: string): Place | null {
  const [, servers, at, cursor] = /^([\w-]{22}):(\d{1,5}):(\d{1,20})$/.exec(text) ?? [];
  return servers && at && cursor ? { servers, at: Number(at), cursor } : null;
}
