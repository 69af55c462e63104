/**
 * Audit chains in Redis, each in its tenant's slot. What entries are found by is written before them: a place in an
 * index without its entry is passed over, an entry without its place would be lost to whoever looks for it.
 */
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
import type { RedisConnection } from './redis-connection.js';
import { AUDIT_INDEX, auditIndexKey, auditKeys } from './redis-keys.js';

const HASH_LENGTH = 64;
const MAX_LISTED = 10_000;

interface Range {
  readonly first: number;
  readonly head: ChainHead;
}

export class RedisAuditStore implements AuditStore {
  /** Chains that are listed already, as far as this instance knows. */
  private readonly listed = new Set<string>();

  constructor(private readonly redis: RedisConnection) {}

  async head(tenantId: string): Promise<ChainHead> {
    return (await this.range(tenantId)).head;
  }

  async append(tenantId: string, after: ChainHead, entries: readonly KeptEntry[]): Promise<Appended> {
    const { entries: key, state } = auditKeys(tenantId);
    await this.list(tenantId, after);
    await this.redis.pipeline('index-audit', (pipeline) => {
      for (const { indexKey, seq } of placesOf(tenantId, entries)) pipeline.zadd(indexKey, seq, seq);
      return pipeline;
    });
    const [outcome, seq, hash, relation] = (await this.redis.script(
      'append-audit',
      [key, state],
      [after.seq, after.hash, ...entries.map((entry) => entry.hash + entry.document)],
    )) as (string | null)[];
    if (outcome === 'appended') return { outcome };
    const head = seq == null || hash == null ? GENESIS : { seq: Number(seq), hash };
    return { outcome: 'conflict', head, continues: relation === 'continues' };
  }

  async read(tenantId: string, request: AuditPageRequest): Promise<AuditPage> {
    const places = request.by
      ? await this.placesFound(tenantId, request)
      : placesWithin(await this.range(tenantId), request);
    const last = places.at(-1);
    if (last === undefined) return { entries: [], next: null };
    const { entries: key } = auditKeys(tenantId);
    const texts = await this.redis.run('read-audit', (client) => client.hmget(key, ...places.map(String)));
    const entries = texts.flatMap((text, at) => (text === null ? [] : [toEntry(places[at] ?? 0, text)]));
    return { entries, next: places.length < request.limit ? null : last };
  }

  async trim(tenantId: string, before: number, limit: number): Promise<boolean> {
    const { entries: key, state } = auditKeys(tenantId);
    const { first } = await this.range(tenantId);
    const behind = Math.min(before, first + limit);
    if (behind <= first) return false;
    const { entries } = await this.read(tenantId, {
      order: 'oldest_first',
      after: first - 1,
      limit: behind - first,
    });
    await this.redis.pipeline('index-audit', (pipeline) => {
      for (const { indexKey, seq } of placesOf(tenantId, entries)) pipeline.zrem(indexKey, seq);
      return pipeline;
    });
    await this.redis.script('trim-audit', [key, state], [first, behind]);
    return behind < before;
  }

  async first(tenantId: string): Promise<number> {
    return (await this.range(tenantId)).first;
  }

  async chains({ after, limit }: { after: string; limit: number }): Promise<string[]> {
    const start = after === '' ? '-' : `(${after}`;
    return this.redis.run('list-audit-chains', (client) =>
      client.zrangebylex(AUDIT_INDEX, start, '+', 'LIMIT', 0, limit),
    );
  }

  /** Before its first entry: a chain that nobody finds would never be trimmed. */
  private async list(tenantId: string, { seq }: ChainHead): Promise<void> {
    if (seq > 0 && this.listed.has(tenantId)) return;
    await this.redis.run('index-audit', (client) => client.zadd(AUDIT_INDEX, 0, tenantId));
    if (this.listed.size >= MAX_LISTED) this.listed.clear();
    this.listed.add(tenantId);
  }

  private async range(tenantId: string): Promise<Range> {
    const { state } = auditKeys(tenantId);
    const [seq, hash, first] = await this.redis.run('read-audit', (client) =>
      client.hmget(state, 'seq', 'hash', 'first'),
    );
    const head = seq == null || hash == null ? GENESIS : { seq: Number(seq), hash };
    return { first: Number(first ?? 1), head };
  }

  private async placesFound(
    tenantId: string,
    { by, order, after, limit }: AuditPageRequest,
  ): Promise<number[]> {
    const key = auditIndexKey(tenantId, by?.index ?? '', by?.value ?? '');
    const places = await this.redis.run('read-audit', (client) =>
      order === 'oldest_first'
        ? client.zrangebyscore(key, after === undefined ? '-inf' : `(${after}`, '+inf', 'LIMIT', 0, limit)
        : client.zrevrangebyscore(key, after === undefined ? '+inf' : `(${after}`, '-inf', 'LIMIT', 0, limit),
    );
    return places.map(Number);
  }
}

/** Consecutive places, in the wanted order. */
function placesWithin({ first, head }: Range, { order, after, limit }: AuditPageRequest): number[] {
  if (order === 'oldest_first') {
    const from = Math.max(first, (after ?? 0) + 1);
    return Array.from({ length: Math.max(0, Math.min(limit, head.seq - from + 1)) }, (_, at) => from + at);
  }
  const from = Math.min(head.seq, (after ?? head.seq + 1) - 1);
  return Array.from({ length: Math.max(0, Math.min(limit, from - first + 1)) }, (_, at) => from - at);
}

function placesOf(tenantId: string, entries: readonly KeptEntry[]): { indexKey: string; seq: number }[] {
  return entries.flatMap(({ seq, document }) => {
    const entry = readEntry(document);
    return (entry ? indexValuesOf(entry) : []).map(({ index, value }) => ({
      indexKey: auditIndexKey(tenantId, index, value),
      seq,
    }));
  });
}

function toEntry(seq: number, text: string): KeptEntry {
  return { seq, hash: text.slice(0, HASH_LENGTH), document: text.slice(HASH_LENGTH) };
}
