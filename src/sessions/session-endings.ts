/** How sessions end, whoever wants it: blocked, announced, removed, in this order. */
import { Injectable } from '@nestjs/common';
import { Clock } from '../clock.js';
import { TOKEN_BOUNDS } from '../config.js';
import type { ReuseCause } from '../happening.js';
import { Happenings } from '../http/happenings.js';
import { KeyLifecycleService } from '../keys/key-lifecycle.service.js';
import { KeyRingsService } from '../keys/key-rings.service.js';
import type { Revocation } from '../revocations/change-feed.js';
import { FeedFollower } from '../revocations/feed-follower.js';
import type { RevocationReason } from '../revocation-reason.js';
import type { Tenant, TenantSettings } from '../tenants/tenant.js';
import { TenantsService } from '../tenants/tenants.service.js';
import type { AccessClaims, RefreshClaims } from '../tokens/claims.js';
import { askInPortions, valuesOf } from './in-portions.js';
import { REVOCATION_MARGIN_MS, SessionStore, type RevokedSession } from './session.js';

@Injectable()
export class SessionEndings {
  constructor(
    private readonly store: SessionStore,
    private readonly replica: FeedFollower,
    private readonly tenants: TenantsService,
    private readonly keyRings: KeyRingsService,
    private readonly keyLifecycle: KeyLifecycleService,
    private readonly happenings: Happenings,
    private readonly clock: Clock,
  ) {
    replica.onMissing((revocation) => this.restore(revocation));
  }

  /**
   * The one way in which sessions end: blocked first, then announced, then removed. Cut short anywhere, it has not
   * been acknowledged, and a retry completes it. However many they are, the store is waited for three times.
   * @returns those that there were, by their ids, and whether they were alive: of an ended epoch nothing is
   */
  async end(
    tenantId: string,
    sessionIds: readonly string[],
    reason: RevocationReason,
    known: Known = {},
  ): Promise<ReadonlyMap<string, { readonly wasAlive: boolean; readonly again: boolean }>> {
    const revoked = await this.block(tenantId, sessionIds, reason, known);
    await this.remove(tenantId, revoked);
    return new Map(revoked.map(({ sessionId, wasAlive, again }) => [sessionId, { wasAlive, again }]));
  }

  /**
   * Ends those of the sessions that there are. One that a token proves, but the store has lost, is blocked all the
   * same: its access tokens may be alive.
   * @returns the ids of those that were alive
   */
  async endEach(
    tenantId: string,
    { proofs = [], byId = [] }: { proofs?: readonly Proof[]; byId?: readonly string[] },
    reason: RevocationReason,
  ): Promise<ReadonlySet<string>> {
    const sessionIds = new Set([...proofs.map(({ sid }) => sid), ...byId]);
    const ended = await this.end(tenantId, [...sessionIds], reason);
    const lost = proofs.filter(({ sid }) => !ended.has(sid));
    if (lost.length > 0) await this.blockLost(tenantId, lost, reason);
    return new Set([...ended].flatMap(([id, { wasAlive }]) => (wasAlive ? [id] : [])));
  }

  /** Ends what a login leaves too many. It does not wait for the removal of records that are marked already. */
  async endSurplus(tenantId: string, sessionIds: readonly string[]): Promise<void> {
    const revoked = await this.block(tenantId, sessionIds, 'session_limit');
    this.remove(tenantId, revoked).catch(() => undefined);
  }

  /** From here on every instance refuses them; their records are still there, marked. */
  private async block(
    tenantId: string,
    sessionIds: readonly string[],
    reason: RevocationReason,
    known: Known = {},
  ): Promise<EndedSession[]> {
    const nowMs = this.clock.nowMs();
    const outcomes = await askInPortions(sessionIds, (sessionId) =>
      this.store.revoke(tenantId, sessionId, reason, nowMs),
    );
    const found = outcomes.flatMap((outcome) =>
      outcome.status === 'fulfilled' && outcome.value ? [outcome.value] : [],
    );
    const epoch = found.length > 0 ? await this.epochOf(tenantId) : 0;
    const revoked = found.map((session) => ({ ...session, wasAlive: session.epoch >= epoch }));
    const alive = revoked.filter(({ wasAlive }) => wasAlive);
    if (alive.length > 0) {
      await this.replica.announce(...alive.map((session) => toRevocation(tenantId, session)));
    }
    this.happenings.tell(
      ...alive.map(({ sessionId, userId, again }) => {
        return { kind: 'session_ended' as const, tenantId, sessionId, userId, reason, again, ...known };
      }),
    );
    const failed = outcomes.find((outcome) => outcome.status === 'rejected');
    if (failed) throw failed.reason;
    return revoked;
  }

  private async remove(tenantId: string, revoked: readonly RevokedSession[]): Promise<void> {
    valuesOf(await askInPortions(revoked, (session) => this.store.remove(tenantId, session)));
  }

  /** An ending waits for no key: where the ring cannot be had, every session counts as alive. */
  private async epochOf(tenantId: string): Promise<number> {
    return this.keyRings.get(tenantId).then(
      ({ epoch }) => epoch,
      () => 0,
    );
  }

  /** Blocks sessions that have no record (any more), unless this instance knows them as revoked anyway. */
  private async blockLost(
    tenantId: string,
    proofs: readonly Proof[],
    reason: RevocationReason,
  ): Promise<void> {
    const sessionIds = new Set(proofs.map(({ sid }) => sid));
    const unknown = [...sessionIds].filter((id) => this.replica.verdict(id, id) !== 'revoked');
    if (unknown.length === 0) return;
    const tenant = await this.tenants.get(tenantId);
    const settings = this.tenants.settings(tenant);
    const expiresAtMs = lastAccessExpiry(tenant, settings, proofs, this.clock.nowMs()) + REVOCATION_MARGIN_MS;
    await this.blockIds(
      ...unknown.map((id) => ({ kind: 'session_revoked' as const, tenantId, id, expiresAtMs })),
    );
    this.happenings.tell(
      ...unknown.map((sessionId) => {
        return { kind: 'session_ended' as const, tenantId, sessionId, userId: null, reason, again: false };
      }),
    );
  }

  /** Blocks one access token and lets its session live. */
  async endToken(tenantId: string, tokenId: string, expiresAtMs: number): Promise<void> {
    const revocation = { tenantId, id: tokenId, expiresAtMs: expiresAtMs + REVOCATION_MARGIN_MS };
    await this.blockIds({ kind: 'token_revoked', ...revocation });
  }

  /** Blocks what has no record of its own, then announces it. */
  private async blockIds(...revocations: readonly Revocation[]): Promise<void> {
    const nowMs = this.clock.nowMs();
    const blocked = await askInPortions(revocations, ({ tenantId, id, expiresAtMs }) =>
      this.store.revokeToken(
        { tenantId, tokenId: id, expiresAtMs: expiresAtMs - REVOCATION_MARGIN_MS },
        nowMs,
      ),
    );
    valuesOf(blocked);
    await this.replica.announce(...revocations);
  }

  /** The store lost a revocation that this instance remembers: the session may even have come back. */
  private async restore(revocation: Revocation): Promise<void> {
    const { tenantId, id, kind } = revocation;
    if (kind === 'session_revoked') {
      const ended = await this.end(tenantId, [id], 'other', { again: true });
      if (ended.get(id)?.wasAlive) return;
    }
    // There is no record, as it should be: only the blocklist and the feed must say so again.
    await this.blockIds(revocation);
  }

  /** Ends every session of the tenant by moving its epoch. @returns the new epoch */
  async endTenant(tenantId: string, reason: RevocationReason): Promise<number> {
    const epoch = await this.keyLifecycle.advanceEpoch(tenantId);
    this.happenings.tell({ kind: 'tenant_revoked', tenantId, reason, epoch });
    return epoch;
  }
}

/** What the caller knows better than the store, whose record may be marked already, or come back unmarked. */
interface Known {
  /** With the reason `refresh_token_reused`. */
  readonly cause?: ReuseCause;
  readonly again?: boolean;
  /** What it is a part of. */
  readonly incidentId?: string;
}

/** What a token that was issued here says of its session, whether or not the store has it. */
export type Proof = Pick<AccessClaims | RefreshClaims, 'sid' | 'exp' | 'token_type'>;

/**
 * Until when an access token of a session could be alive of which only a token is known. Tokens are as long-lived as
 * the tenant's setting was when they were issued: while one from before its last change could be alive, that is
 * assumed.
 */
export function lastAccessExpiry(
  { version, updatedAtMs }: Pick<Tenant, 'version' | 'updatedAtMs'>,
  { accessTokenTtlSeconds }: Pick<TenantSettings, 'accessTokenTtlSeconds'>,
  proofs: readonly Proof[],
  nowMs: number,
): number {
  const [, longestLifeSeconds] = TOKEN_BOUNDS.accessTokenTtlSeconds;
  const wasChanged = version > 1;
  return Math.max(
    nowMs + accessTokenTtlSeconds * 1000,
    wasChanged ? updatedAtMs + longestLifeSeconds * 1000 : 0,
    ...proofs.map(({ token_type: type, exp }) => (type === 'access' ? exp * 1000 : 0)),
  );
}

type EndedSession = RevokedSession & { readonly wasAlive: boolean };

function toRevocation(tenantId: string, { sessionId, accessExpiresAtMs }: RevokedSession): Revocation {
  return {
    kind: 'session_revoked',
    tenantId,
    id: sessionId,
    expiresAtMs: accessExpiresAtMs + REVOCATION_MARGIN_MS,
  };
}
