/** What may be asked of the audit: entries by what they are about, and whether a chain is as it was written. */
import { Injectable } from '@nestjs/common';
import { AppError } from '../errors.js';
import type { Principal } from '../http/principal.js';
import { KeyRingsService } from '../keys/key-rings.service.js';
import type { OpenKeyRing } from '../keys/open-key-ring.js';
import { StoreBudget } from '../store-budget.js';
import { TenantsService } from '../tenants/tenants.service.js';
import {
  AuditStore,
  isIndexed,
  readEntry,
  type AuditAction,
  type AuditEntry,
  type IndexValue,
  type KeptEntry,
} from './audit.js';
import { AuditTrail } from './audit-trail.js';
import { verifyChain, type Verification, type VerificationRequest } from './chain-verifier.js';

/** What one call looks at, at most: a filter that finds little answers with a cursor instead of taking long. */
const MAX_LOOKED_AT = 5000;
const READ_PAGE = 500;

export interface AuditFilter {
  readonly userId?: string;
  readonly sessionId?: string;
  readonly action?: AuditAction;
  readonly fromMs?: number;
  readonly toMs?: number;
}

export interface AuditList {
  readonly entries: readonly FoundEntry[];
  /** The place to go on before; null when there is no more. */
  readonly next: number | null;
}

export interface FoundEntry {
  readonly entry: AuditEntry;
  readonly hash: string;
}

@Injectable()
export class AuditService {
  constructor(
    private readonly store: AuditStore,
    private readonly trail: AuditTrail,
    private readonly tenants: TenantsService,
    private readonly keyRings: KeyRingsService,
  ) {}

  /**
   * Newest first; what this instance has told is among them.
   * @throws AppError tenant_not_found
   */
  async list(
    caller: Principal,
    tenantId: string,
    filter: AuditFilter,
    { before, limit }: { before?: number; limit: number },
  ): Promise<AuditList> {
    const sinceMs = await this.visibleSince(caller, tenantId);
    const by = indexFor(filter);
    const found: FoundEntry[] = [];
    let from = before;
    for (let lookedAt = 0; lookedAt < MAX_LOOKED_AT; lookedAt += READ_PAGE) {
      const page = await this.store.read(tenantId, {
        order: 'newest_first',
        limit: READ_PAGE,
        ...(from === undefined ? {} : { after: from }),
        ...(by ? { by } : {}),
      });
      for (const { entry, hash } of page.entries.flatMap(toFound)) {
        if (!matches(entry, filter, sinceMs)) continue;
        found.push({ entry, hash });
        if (found.length === limit) return { entries: found, next: entry.seq };
      }
      if (page.next === null) return { entries: found, next: null };
      from = page.next;
    }
    return { entries: found, next: from ?? null };
  }

  /** Of one session, oldest first, up to `limit`. */
  async ofSession(
    caller: Principal,
    tenantId: string,
    sessionId: string,
    limit: number,
  ): Promise<AuditEntry[]> {
    return this.oldestFirst(caller, tenantId, { sessionId }, { after: 0, limit });
  }

  /** The first entry of this action behind a place; null when there is none. */
  async firstAfter(
    caller: Principal,
    tenantId: string,
    action: AuditAction,
    after: number,
  ): Promise<AuditEntry | null> {
    return (await this.oldestFirst(caller, tenantId, { action }, { after, limit: 1 }))[0] ?? null;
  }

  /** One stretch of the chain. @throws AppError tenant_not_found */
  async verify(caller: Principal, tenantId: string, request: VerificationRequest): Promise<Verification> {
    await this.visibleSince(caller, tenantId);
    return verifyChain(this.store, tenantId, await this.ringOf(tenantId), request);
  }

  private async oldestFirst(
    caller: Principal,
    tenantId: string,
    filter: AuditFilter,
    { after, limit }: { after: number; limit: number },
  ): Promise<AuditEntry[]> {
    const sinceMs = await this.visibleSince(caller, tenantId);
    const by = indexFor(filter);
    const found: AuditEntry[] = [];
    for (let from: number | null = after; from !== null && found.length < limit;) {
      const page: { entries: readonly KeptEntry[]; next: number | null } = await this.store.read(tenantId, {
        order: 'oldest_first',
        after: from,
        limit: READ_PAGE,
        ...(by ? { by } : {}),
      });
      found.push(
        ...page.entries
          .flatMap(toFound)
          .map(({ entry }) => entry)
          .filter((entry) => matches(entry, filter, sinceMs)),
      );
      from = page.next;
    }
    return found.slice(0, limit);
  }

  /**
   * Has written what this instance has told. A chain outlives its tenant, for the platform to read; who holds a key
   * of a tenant that was made anew under an old name sees what happened since.
   */
  private async visibleSince(caller: Principal, tenantId: string): Promise<number> {
    await StoreBudget.wait(() => this.trail.settle(tenantId));
    if (caller.kind === 'tenant') return (await this.tenants.get(tenantId)).createdAtMs;
    if ((await this.store.head(tenantId)).seq === 0) await this.tenants.get(tenantId);
    return Number.NEGATIVE_INFINITY;
  }

  private async ringOf(tenantId: string): Promise<OpenKeyRing | null> {
    try {
      return await this.keyRings.get(tenantId);
    } catch (error) {
      if (error instanceof AppError && error.code === 'tenant_not_found') return null;
      throw error;
    }
  }
}

/** The narrowest of those that there are. */
function indexFor({ sessionId, userId, action }: AuditFilter): IndexValue | null {
  if (sessionId !== undefined) return { index: 'session', value: sessionId };
  if (userId !== undefined) return { index: 'user', value: userId };
  return action !== undefined && isIndexed(action) ? { index: 'action', value: action } : null;
}

function matches(entry: AuditEntry, filter: AuditFilter, sinceMs: number): boolean {
  const timeMs = Date.parse(entry.time);
  return (
    (filter.sessionId === undefined || entry.session_id === filter.sessionId) &&
    (filter.userId === undefined || entry.user_id === filter.userId) &&
    (filter.action === undefined || entry.action === filter.action) &&
    timeMs >= Math.max(sinceMs, filter.fromMs ?? Number.NEGATIVE_INFINITY) &&
    timeMs < (filter.toMs ?? Number.POSITIVE_INFINITY)
  );
}

/** What cannot be read is for the verification to name. */
function toFound({ document, hash }: KeptEntry): FoundEntry[] {
  const entry = readEntry(document);
  return entry ? [{ entry, hash }] : [];
}
