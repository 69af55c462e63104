/** Checkpoints as chains hold them: found, and read from their entries. */
import { readEntry, type AuditPageRequest, type AuditStore, type KeptEntry } from './audit.js';
import type { OpenKeyRing } from '../keys/open-key-ring.js';
import { readCheckpoint, type SignedCheckpoint } from './checkpoint.js';

const PAGE = 100;
/** So many unproven ones in a row are believed in the end: a tenant's keys may all have been killed. */
const MAX_UNPROVEN = 200;

export interface KeptCheckpoint {
  /** Its own place; it speaks of the entry before it. */
  readonly seq: number;
  readonly atMs: number;
  /** Entries before this place may have been trimmed. */
  readonly first: number;
  /** The hash of the entry before it, as it states. */
  readonly previousHash: string;
  /** null when nobody could sign. */
  readonly signed: SignedCheckpoint | null;
}

/** @returns null for an entry that is none */
export function toCheckpoint({ seq, document }: KeptEntry): KeptCheckpoint | null {
  const entry = readEntry(document);
  if (entry?.action !== 'audit_checkpoint' || typeof entry.time !== 'string') return null;
  const { first, hash, jws } = entry.details ?? {};
  const signed = readCheckpoint(jws);
  return {
    seq,
    atMs: Date.parse(entry.time),
    first: signed?.first ?? (typeof first === 'number' ? first : 1),
    previousHash: signed?.head.hash ?? (typeof hash === 'string' ? hash : ''),
    signed,
  };
}

/** Oldest first, or newest first. */
export async function* checkpointsOf(
  store: AuditStore,
  tenantId: string,
  { order = 'oldest_first', after, limit = PAGE }: Partial<AuditPageRequest> = {},
): AsyncGenerator<KeptCheckpoint> {
  const by = { index: 'action', value: 'audit_checkpoint' } as const;
  let from = after;
  for (;;) {
    const page = await store.read(tenantId, {
      order,
      limit,
      by,
      ...(from === undefined ? {} : { after: from }),
    });
    // A place that an index names may hold another entry by now.
    for (const checkpoint of page.entries.map(toCheckpoint)) if (checkpoint) yield checkpoint;
    if (page.next === null) return;
    from = page.next;
  }
}

export async function latestCheckpoint(
  store: AuditStore,
  tenantId: string,
  { notAfter }: { notAfter?: number } = {},
): Promise<KeptCheckpoint | null> {
  const from = notAfter === undefined ? {} : { after: notAfter + 1 };
  for await (const checkpoint of checkpointsOf(store, tenantId, {
    order: 'newest_first',
    limit: 2,
    ...from,
  })) {
    return checkpoint;
  }
  return null;
}

/** Whether a key that this service has sealed itself has signed it: nobody who only writes to the store can do that. */
export function isProven({ signed }: KeptCheckpoint, ring: OpenKeyRing | null): boolean {
  const key = signed && ring?.provenPublicKey(signed.kid);
  return Boolean(key && signed.isBy(key));
}

/** @returns the newest proven one; where there is none, the newest: its key was killed, or its tenant deleted */
export async function newestProven(
  store: AuditStore,
  tenantId: string,
  ring: OpenKeyRing | null,
): Promise<KeptCheckpoint | null> {
  let newest: KeptCheckpoint | null = null;
  let unproven = 0;
  for await (const checkpoint of checkpointsOf(store, tenantId, { order: 'newest_first' })) {
    if (isProven(checkpoint, ring)) return checkpoint;
    newest ??= checkpoint;
    if (!ring || ++unproven >= MAX_UNPROVEN) break;
  }
  return newest;
}
