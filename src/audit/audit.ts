/**
 * What the audit keeps: one entry for each change and each refusal that matters, in a chain for each tenant; and the
 * port through which chains are kept. An entry's text is canonical JSON (RFC 8785), so that whoever has the entry
 * has its bytes; its hash covers those and the hash before it.
 */
import { createHash } from 'node:crypto';
import type { ErrorCode } from '../errors.js';
import type { HappeningKind } from '../happening.js';
import type { RevocationReason } from '../revocation-reason.js';

/** Everything that an entry can be about. */
export const AUDIT_ACTIONS = [
  'session_created',
  'session_refreshed',
  'session_ended',
  'token_revoked',
  'tenant_created',
  'tenant_changed',
  'tenant_suspended',
  'tenant_activated',
  'tenant_deleted',
  'tenant_revoked',
  'incident_begun',
  'incident_completed',
  'api_key_issued',
  'api_key_revoked',
  'signing_key_published',
  'signing_key_activated',
  'signing_key_killed',
  'keys_resealed',
  'request_refused',
  'audit_checkpoint',
  'audit_lost',
] as const satisfies readonly (Exclude<HappeningKind, 'refused'> | AuditsOwn)[];
export type AuditAction = (typeof AUDIT_ACTIONS)[number];

/** What no feature tells: a request that was refused, a signed head, entries that are gone from the store. */
type AuditsOwn = 'request_refused' | 'audit_checkpoint' | 'audit_lost';

/** So frequent that a chain is full of them: who looks for them reads the chain. */
const FOUND_WITHOUT_INDEX: ReadonlySet<string> = new Set<AuditAction>([
  'session_created',
  'session_refreshed',
]);

export type AuditActor =
  | { readonly kind: 'platform' | 'service' | 'anonymous' }
  | { readonly kind: 'api_key'; readonly key_id: string; readonly name: string };

export type JsonValue =
  string | number | boolean | null | readonly JsonValue[] | { readonly [member: string]: JsonValue };

/** What is known of an entry before it has a place in its chain. Members that do not apply are absent. */
export interface AuditRecord {
  readonly tenant_id: string;
  /** When it happened: RFC 3339, UTC, with milliseconds. */
  readonly time: string;
  readonly action: AuditAction;
  readonly actor: AuditActor;
  /** What the caller was answered: `ok`, or the error's code. */
  readonly outcome: 'ok' | ErrorCode;
  readonly request_id?: string;
  readonly source_address?: string;
  readonly user_id?: string;
  readonly session_id?: string;
  readonly reason?: RevocationReason;
  readonly comment?: string;
  /** Of this action in particular; docs/audit.md lists them. */
  readonly details?: { readonly [member: string]: JsonValue };
}

export interface AuditEntry extends AuditRecord {
  /** Its place in the tenant's chain: 1, 2, 3 and so on. */
  readonly seq: number;
}

/** Where a chain ends: the newest entry's place and hash. */
export interface ChainHead {
  readonly seq: number;
  /** SHA-256, hex. */
  readonly hash: string;
}

/** The end of a chain without entries. */
export const GENESIS: ChainHead = { seq: 0, hash: '0'.repeat(64) };

/** An entry as it is kept: its text, byte for byte, and its hash. */
export interface KeptEntry extends ChainHead {
  readonly document: string;
}

/** What an entry is found by, besides its place. */
export type AuditIndex = 'user' | 'session' | 'action';

export interface IndexValue {
  readonly index: AuditIndex;
  readonly value: string;
}

/** @returns the entry as the next of the chain */
export function nextEntry(head: ChainHead, record: AuditRecord): KeptEntry {
  const entry: AuditEntry = { ...record, seq: head.seq + 1 };
  const document = canonicalJson(entry as unknown as JsonValue);
  return { seq: entry.seq, document, hash: chainHash(head.hash, document) };
}

/** SHA-256 over the previous hash in hex, a line feed, and the entry's text. */
export function chainHash(previousHash: string, document: string): string {
  return createHash('sha256').update(`${previousHash}\n${document}`).digest('hex');
}

/** RFC 8785, for values that have no fractions: members in the order of their names, nothing between them. */
export function canonicalJson(value: JsonValue): string {
  if (typeof value !== 'object' || value === null) return JSON.stringify(value);
  if (Array.isArray(value)) return `[${value.map((item: JsonValue) => canonicalJson(item)).join(',')}]`;
  const members = Object.entries(value)
    .filter(([, member]) => member !== undefined)
    .toSorted(([a], [b]) => (a < b ? -1 : 1))
    .map(([name, member]) => `${JSON.stringify(name)}:${canonicalJson(member)}`);
  return `{${members.join(',')}}`;
}

/** @returns null for a text that is no entry (any more): somebody changed it */
export function readEntry(document: string): AuditEntry | null {
  try {
    const value: unknown = JSON.parse(document);
    return typeof value === 'object' && value !== null && 'seq' in value ? (value as AuditEntry) : null;
  } catch {
    return null;
  }
}

/** By what the stores must find an entry. */
export function indexValuesOf({ user_id, session_id, action }: AuditRecord): IndexValue[] {
  const values: IndexValue[] = [];
  if (user_id !== undefined) values.push({ index: 'user', value: user_id });
  if (session_id !== undefined) values.push({ index: 'session', value: session_id });
  if (isIndexed(action)) values.push({ index: 'action', value: action });
  return values;
}

export function isIndexed(action: AuditAction): boolean {
  return !FOUND_WITHOUT_INDEX.has(action);
}

export interface AuditPageRequest {
  readonly order: 'oldest_first' | 'newest_first';
  /** The place to go on behind, in that order; without it, from the chain's beginning or end. */
  readonly after?: number;
  readonly limit: number;
  /** Entries found by this alone. A store may hand out others as well: it is a hint where to look. */
  readonly by?: IndexValue;
}

export interface AuditPage {
  readonly entries: readonly KeptEntry[];
  /** Where to go on; null at the end. */
  readonly next: number | null;
}

export type Appended =
  | { readonly outcome: 'appended' }
  /** Something else stands there, or nothing. `continues`: the entry that was to be appended to is still there. */
  | { readonly outcome: 'conflict'; readonly head: ChainHead; readonly continues: boolean };

/**
 * Where chains are kept, each apart from all others; a chain outlives its tenant. Every method throws AppError
 * store_unavailable when the store does not answer: then an append may or may not have happened.
 */
export abstract class AuditStore {
  abstract head(tenantId: string): Promise<ChainHead>;
  /**
   * Appends consecutive entries behind `after`, all or none, if the chain still ends there. Repeated with the same
   * entries it says `appended` as well, so that whoever got no answer asks again.
   */
  abstract append(tenantId: string, after: ChainHead, entries: readonly KeptEntry[]): Promise<Appended>;
  abstract read(tenantId: string, page: AuditPageRequest): Promise<AuditPage>;
  /**
   * Removes the oldest entries with places below `before`, at most `limit` of them.
   * @returns whether there may be more
   */
  abstract trim(tenantId: string, before: number, limit: number): Promise<boolean>;
  /** The place of the oldest entry; 1 in a chain that nothing was removed from. */
  abstract first(tenantId: string): Promise<number>;
  /** Ids of tenants that have a chain, in their order, those after `after`. */
  abstract chains(page: { after: string; limit: number }): Promise<string[]>;
}
