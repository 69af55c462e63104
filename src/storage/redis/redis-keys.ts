/**
 * The names of everything in Redis, in one place. What belongs to one user shares a hash tag, and so a slot;
 * what belongs to a tenant as a whole has a tag of its own. User text only ever stands at the end of a name.
 */
import { hash } from 'node:crypto';
import { tagOf, userTag } from '../../random-id.js';

/** Sorted set of all tenant ids, all with score 0: pages in the order of the ids. */
export const TENANT_INDEX = 'tenants';

export const tenantKeys = (tenantId: string) => ({
  /** Hash: version, document. */
  record: `tenant:{${tenantId}}:record`,
  /** Hash: key id -> document. */
  apiKeys: `tenant:{${tenantId}}:api-keys`,
  /** Hash: version, document. Outlives its tenant. */
  keyRing: `tenant:{${tenantId}}:key-ring`,
});

/** Sorted set of the ids of all tenants that have an audit chain, all with score 0. */
export const AUDIT_INDEX = 'audit-chains';

export const auditKeys = (tenantId: string) => ({
  /** Hash: place in the chain -> hash of the entry in hex, followed by its text. */
  entries: `tenant:{${tenantId}}:audit`,
  /** Hash: seq and hash of the newest entry, place of the first. */
  state: `tenant:{${tenantId}}:audit-state`,
});

/** Sorted set of the places of entries with this user, session or action. */
export function auditIndexKey(tenantId: string, index: string, value: string): string {
  return `tenant:{${tenantId}}:audit-${index}:${value}`;
}

/** Hash: the session's record. */
export function sessionKey(tenantId: string, sessionId: string): string {
  return `tenant:{${tenantId}:${tagOf(sessionId)}}:session:${sessionId}`;
}

/** What SCAN is asked for; what it finds may be something else, such as the list of a user with a strange id. */
export function sessionKeyPattern(tenantId: string): string {
  return `tenant:{${tenantId.replace(/[\\*?[\]^]/g, '\\$&')}:*}:session:*`;
}

/** @returns null for what is no session of the tenant */
export function sessionIdIn(tenantId: string, key: string): string | null {
  const sessionId = key.slice(key.lastIndexOf(':') + 1);
  return key === sessionKey(tenantId, sessionId) ? sessionId : null;
}

/** Sorted set of the user's session ids by time of creation, in ms. */
export function userSessionsKey(tenantId: string, userId: string): string {
  return `tenant:{${tenantId}:${userTag(tenantId, userId)}}:sessions:${userId}`;
}

/** Present while this session or token id is refused; its value is the reason. */
export function revokedKey(tenantId: string, id: string): string {
  return `tenant:{${tenantId}:${tagOf(id)}}:revoked:${id}`;
}

/** Hash: end in ms -> number of the tenant's sessions that are counted until then. An epoch starts at none. */
export function liveSessionsKey(tenantId: string, epoch: number): string {
  return `tenant:{${tenantId}}:live-sessions:${epoch}`;
}

/** The change feed: a stream, and what is known of it. */
export const FEED_STREAM = '{changes}:stream';
export const FEED_STATE = '{changes}:state';

/** Written by health checks, to see that writes are taken. */
export const PROBE_KEY = 'probe';

/** A key in the slot of `key`, for the write that goes before WAIT. */
export function barrierKey(key: string): string {
  const tag = /\{[^}]*\}/.exec(key)?.[0] ?? '{barrier}';
  return `${tag}:barrier`;
}

/** So many slots share the work of rate limits, and each is asked for many buckets at once. */
const BUCKET_TAGS = 16;

/** The hash tag of a rate limit's bucket. */
export function bucketTag(bucket: string): string {
  return `{rates-${hash('md5', bucket, 'buffer').readUInt8() % BUCKET_TAGS}}`;
}

/** Hash: level, at, asked, limit. Gone when it has been full for a while. */
export function bucketKey(bucket: string): string {
  return `${bucketTag(bucket)}:${bucket}`;
}

/** Present while some instance does this work for all. */
export function leaseKey(name: string): string {
  return `lease:${name}`;
}
