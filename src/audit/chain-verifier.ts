/**
 * Goes through a chain, entry by entry, and names the first that is not what it was: changed, removed, or out of its
 * place. Pure but for reading: it keeps no more than a page in memory, and can go on where an earlier call ended.
 */
import type { OpenKeyRing } from '../keys/open-key-ring.js';
import {
  chainHash,
  GENESIS,
  readEntry,
  type AuditEntry,
  type AuditStore,
  type ChainHead,
  type KeptEntry,
} from './audit.js';
import { isProven, newestProven, toCheckpoint, type KeptCheckpoint } from './checkpoints.js';

const PAGE = 500;

export const AUDIT_PROBLEMS = ['changed', 'removed', 'moved', 'rewritten', 'checkpoint_invalid'] as const;

export interface AuditProblem {
  readonly kind: (typeof AUDIT_PROBLEMS)[number];
  /** The place of the first entry that is not what it was. */
  readonly seq: number;
  readonly description: string;
}

export interface Verification {
  readonly problem: AuditProblem | null;
  /** Entries that the service itself has noticed to be gone: the places after these. */
  readonly losses: readonly ChainHead[];
  /** Places that were looked at; `through` is below `from` when there were none. */
  readonly from: number;
  readonly through: number;
  /** The newest checkpoint on the way whose key the service has proven to be the tenant's. */
  readonly signedThrough: KeptCheckpoint | null;
  /** Whether the expected head was met on this stretch, with its hash. */
  readonly expectedSeen: boolean;
  /** The end of the chain. */
  readonly head: ChainHead;
  /** Where to go on; null at the end, or at a problem. */
  readonly next: ChainHead | null;
}

export interface VerificationRequest {
  /** Where an earlier verification ended; without it, from the beginning of what is kept. */
  readonly after?: ChainHead;
  readonly limit: number;
  /** A head that was written down somewhere else: the chain must have held it. */
  readonly expected?: ChainHead;
}

export async function verifyChain(
  store: AuditStore,
  tenantId: string,
  ring: OpenKeyRing | null,
  { after, limit, expected }: VerificationRequest,
): Promise<Verification> {
  const head = await store.head(tenantId);
  const start = after ?? (await beginning(store, tenantId, ring));
  const walk = new Walk(tenantId, ring, start, expected);
  if (!after && expected && expected.seq > head.seq) {
    return walk.report(head, removed(head.seq + 1, `an entry ${expected.seq} was known, and the chain ends`));
  }
  let problem: AuditProblem | null = null;
  while (!problem && walk.at.seq < head.seq && walk.at.seq - start.seq < limit) {
    const { entries } = await store.read(tenantId, {
      order: 'oldest_first',
      after: walk.at.seq,
      limit: Math.min(PAGE, head.seq - walk.at.seq),
    });
    if (entries.length === 0) problem = removed(walk.at.seq + 1);
    for (const entry of entries) problem ??= walk.step(entry);
  }
  const isEnd = walk.at.seq >= head.seq;
  if (!problem && isEnd && walk.at.hash !== head.hash) {
    problem = {
      kind: 'rewritten',
      seq: walk.at.seq,
      description: 'The chain ends in another hash than is noted.',
    };
  }
  return walk.report(head, problem, isEnd);
}

/** What is kept begins at the first entry, or at the checkpoint that the newest checkpoint names. */
async function beginning(store: AuditStore, tenantId: string, ring: OpenKeyRing | null): Promise<ChainHead> {
  const first = (await newestProven(store, tenantId, ring))?.first ?? 1;
  if (first <= 1) return GENESIS;
  const { entries } = await store.read(tenantId, { order: 'oldest_first', after: first - 1, limit: 1 });
  const anchor = entries[0]?.seq === first ? toCheckpoint(entries[0]) : null;
  // Without the anchor, the first step finds it missing or changed.
  return { seq: first - 1, hash: anchor?.previousHash ?? '' };
}

class Walk {
  private readonly losses: ChainHead[] = [];
  private signedThrough: KeptCheckpoint | null = null;
  private expectedSeen: boolean;
  private readonly from: number;
  /** The newest entry that is as it was. */
  at: ChainHead;
  /** Behind the newest checkpoint that was right: what a wrong one says is about what came since. */
  private sinceCheckpoint: number;

  constructor(
    private readonly tenantId: string,
    private readonly ring: OpenKeyRing | null,
    start: ChainHead,
    private readonly expected: ChainHead | undefined,
  ) {
    this.at = start;
    this.from = start.seq + 1;
    this.sinceCheckpoint = this.from;
    this.expectedSeen = start.seq === expected?.seq && start.hash === expected.hash;
  }

  /** @returns what is wrong with the entry as the next one; otherwise the walk has gone on */
  step(kept: KeptEntry): AuditProblem | null {
    const place = this.at.seq + 1;
    if (kept.seq !== place) return removed(place);
    const entry = readEntry(kept.document);
    if (!entry) return changed(place, 'its text is no entry');
    if (chainHash(this.at.hash, kept.document) !== kept.hash) {
      if (entry.seq !== place) return moved(place, entry.seq);
      return changed(place, 'its text does not fit its hash and the entry before it');
    }
    if (entry.seq !== place) return moved(place, entry.seq);
    if (entry.tenant_id !== this.tenantId) return changed(place, 'it is an entry of another tenant');
    const problem = this.checkpointProblem(kept) ?? this.expectedProblem(kept);
    if (problem) return problem;
    if (entry.action === 'audit_lost') this.noteLoss(entry);
    this.at = { seq: kept.seq, hash: kept.hash };
    return null;
  }

  report(head: ChainHead, problem: AuditProblem | null, isEnd = true): Verification {
    const { losses, signedThrough, expectedSeen, from } = this;
    const next = problem || isEnd ? null : this.at;
    return { problem, losses, from, through: this.at.seq, signedThrough, expectedSeen, head, next };
  }

  /** A checkpoint states the hash before it under a signature: hashes alone anybody can compute anew. */
  private checkpointProblem(kept: KeptEntry): AuditProblem | null {
    const checkpoint = toCheckpoint(kept);
    if (!checkpoint) return null;
    const { signed } = checkpoint;
    if (signed) {
      const known = this.ring?.provenPublicKey(signed.kid) ?? undefined;
      if (signed.tenantId !== this.tenantId || !signed.isBy(known)) {
        return {
          kind: 'checkpoint_invalid',
          seq: kept.seq,
          description: 'The checkpoint is not signed by the key that it names.',
        };
      }
      if (signed.head.seq !== this.at.seq || signed.head.hash !== this.at.hash) {
        return {
          kind: 'rewritten',
          seq: this.sinceCheckpoint,
          description: `Entries ${this.sinceCheckpoint} to ${this.at.seq} are not those that entry ${kept.seq} signed.`,
        };
      }
      if (isProven(checkpoint, this.ring)) this.signedThrough = checkpoint;
    }
    this.sinceCheckpoint = kept.seq;
    return null;
  }

  private expectedProblem({ seq, hash }: KeptEntry): AuditProblem | null {
    if (seq !== this.expected?.seq) return null;
    this.expectedSeen = hash === this.expected.hash;
    if (this.expectedSeen) return null;
    return {
      kind: 'rewritten',
      seq: this.from,
      description: `Entry ${seq} had another hash when it was written down: it, or an entry before it, was rewritten.`,
    };
  }

  private noteLoss({ details }: AuditEntry): void {
    const { seq, hash } = details ?? {};
    if (typeof seq === 'number' && typeof hash === 'string') this.losses.push({ seq, hash });
  }
}

function removed(seq: number, why = 'it is missing'): AuditProblem {
  return { kind: 'removed', seq, description: `Entry ${seq} was removed: ${why}.` };
}

function changed(seq: number, why: string): AuditProblem {
  return { kind: 'changed', seq, description: `Entry ${seq} was changed: ${why}.` };
}

function moved(seq: number, from: number): AuditProblem {
  return { kind: 'moved', seq, description: `Place ${seq} holds what was written as entry ${from}.` };
}
