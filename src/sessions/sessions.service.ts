/** What may be done with sessions: the product's reason to be. */
import { Injectable } from '@nestjs/common';
import { Clock } from '../clock.js';
import { AppError, type TokenErrorCode } from '../errors.js';
import { Happenings } from '../http/happenings.js';
import { requireOwnTenant, type TenantPrincipal } from '../http/principal.js';
import { KeyRingsService } from '../keys/key-rings.service.js';
import type { OpenKeyRing } from '../keys/open-key-ring.js';
import { newRandomId, userTag } from '../random-id.js';
import { FeedFollower } from '../revocations/feed-follower.js';
import type { RevocationReason } from '../revocation-reason.js';
import type { TenantSettings } from '../tenants/tenant.js';
import { TenantsService } from '../tenants/tenants.service.js';
import type { AccessClaims, Metadata, RefreshClaims } from '../tokens/claims.js';
import { TokensService, type Verified } from '../tokens/tokens.service.js';
import { accessExpiry, idleExpiry, SessionStore, type Session } from './session.js';
import { firstRefreshId, nextRefreshId } from './refresh-id.js';
import { SessionEndings } from './session-endings.js';
import { SessionTokens, type IssuedTokens } from './session-tokens.js';
import type { Judgement, RevocationCheck, Validation } from './validation.js';

export interface NewSession {
  readonly tenantId: string;
  readonly userId: string;
  readonly scope: string;
  readonly metadata: Metadata;
}

@Injectable()
export class SessionsService {
  constructor(
    private readonly store: SessionStore,
    private readonly tokens: TokensService,
    private readonly tenants: TenantsService,
    private readonly keyRings: KeyRingsService,
    private readonly replica: FeedFollower,
    private readonly endings: SessionEndings,
    private readonly sessionTokens: SessionTokens,
    private readonly happenings: Happenings,
    private readonly clock: Clock,
  ) {}

  /** Begins a session; the user's oldest ends when there would be too many. */
  async create(caller: TenantPrincipal, wanted: NewSession): Promise<IssuedTokens> {
    requireOwnTenant(caller, wanted.tenantId);
    const { settings, ring } = await this.circumstances(wanted.tenantId);
    const nowMs = this.clock.nowMs();
    const absoluteExpiresAtMs = nowMs + settings.sessionMaxLifetimeSeconds * 1000;
    const idleExpiresAtMs = idleExpiry(absoluteExpiresAtMs, { ...settings, nowMs });
    const expiries = { idleExpiresAtMs, absoluteExpiresAtMs };
    const session: Session = {
      ...wanted,
      ...expiries,
      sessionId: newRandomId(userTag(wanted.tenantId, wanted.userId)),
      epoch: ring.epoch,
      createdAtMs: nowMs,
      lastUsedAtMs: nowMs,
      accessExpiresAtMs: accessExpiry(expiries, settings.accessTokenTtlSeconds, nowMs),
      rotation: {
        currentId: firstRefreshId(),
        previousId: null,
        kid: requireRefreshKid(ring, nowMs),
        rotatedAtMs: nowMs,
        graceFromMs: nowMs,
        confirmed: true,
      },
    };
    const issued = await this.sessionTokens.issue(session, ring, settings, nowMs);
    const surplus = await this.store.create(session, settings.maxSessionsPerUser);
    this.tellOf(session, { kind: 'session_created' });
    await this.endings.endSurplus(wanted.tenantId, surplus);
    return issued;
  }

  /** Whether an access token may be accepted now. Refusals are answers here, not exceptions. */
  async validate(caller: TenantPrincipal, token: string, check: RevocationCheck): Promise<Validation> {
    const judged = this.judge(await this.tokens.verifyAccess(caller.tenantId, token), check);
    return typeof judged === 'function' ? judged() : judged;
  }

  /** As `validate`, from memory. @param digest of the token, if known @returns undefined where keys must be fetched */
  validateHere(
    caller: TenantPrincipal,
    token: string,
    check: RevocationCheck,
    digest?: string,
  ): Judgement | undefined {
    const verified = this.tokens.verifyAccessHere(caller.tenantId, token, digest);
    return verified && this.judge(verified, check);
  }

  /** As `validateHere`, of a token that was found good before. @returns undefined for others too */
  validateKnown(caller: TenantPrincipal, digest: string, check: RevocationCheck): Judgement | undefined {
    const verified = this.tokens.verifyKnown(caller.tenantId, digest);
    return verified && this.judge(verified, check);
  }

  private judge(verified: Verified<AccessClaims>, check: RevocationCheck): Judgement {
    if (!verified.ok) return { valid: false, error: verified.error };
    const { claims } = verified;
    if (check === 'skip') return { valid: true, claims, revocation: { checked: 'skip', ageMs: null } };
    // A revocation that this instance knows of holds whatever else is asked.
    const verdict = this.replica.verdict(claims.sid, claims.jti);
    if (verdict === 'revoked') return { valid: false, error: 'token_revoked' };
    const ageMs = this.replica.ageMs();
    if (check === 'store' || verdict === 'unknown' || !this.replica.isCurrent(ageMs))
      return () => this.judgeByStore(claims, check);
    return { valid: true, claims, revocation: { checked: 'replica', ageMs } };
  }

  private async judgeByStore(claims: AccessClaims, check: RevocationCheck): Promise<Validation> {
    try {
      return await this.checkInStore(claims);
    } catch (error) {
      // Who asks for the store's word gets that or nothing.
      if (check === 'store' || !isOutage(error)) throw error;
      return this.serveStale(claims, error);
    }
  }

  private async checkInStore(claims: AccessClaims): Promise<Validation> {
    const state = await this.store.check({
      tenantId: claims.tenant_id,
      sessionId: claims.sid,
      tokenId: claims.jti,
      nowMs: this.clock.nowMs(),
    });
    if (state === 'revoked') return { valid: false, error: 'token_revoked' };
    if (state === 'missing') return { valid: false, error: 'invalid_token' };
    return { valid: true, claims, revocation: { checked: 'store', ageMs: 0 } };
  }

  /** Neither replica nor store can answer: the tenant has said what happens then. */
  private async serveStale(claims: AccessClaims, outage: unknown): Promise<Validation> {
    const tenant = await this.tenants.get(claims.tenant_id);
    if (this.tenants.settings(tenant).onStoreOutage === 'refuse') throw outage;
    const ageMs = this.replica.loaded ? this.replica.ageMs() : null;
    return { valid: true, claims, revocation: { checked: 'stale', ageMs } };
  }

  /**
   * Replaces a refresh token. Safe to repeat: the previous token is answered with the same successor within the
   * grace window.
   * @throws AppError with a token error's code
   */
  async refresh(caller: TenantPrincipal, token: string): Promise<IssuedTokens> {
    const verified = await this.tokens.verifyRefresh(caller.tenantId, token);
    if (!verified.ok) throw new AppError(verified.error, { action: 'reauthenticate' });
    const { sid, tenant_id, jti } = verified.claims;
    // The store may have lost what this instance remembers: a failover can bring a session back.
    if (this.replica.verdict(sid, sid) === 'revoked') {
      await this.completeEnding(tenant_id, sid);
      throw new AppError('token_revoked', { action: 'reauthenticate' });
    }
    const { settings, ring } = await this.circumstances(tenant_id);
    const nowMs = this.clock.nowMs();
    const result = await this.store.rotate(tenant_id, sid, {
      accessTokenTtlSeconds: settings.accessTokenTtlSeconds,
      refreshTokenTtlSeconds: settings.refreshTokenTtlSeconds,
      graceSeconds: settings.refreshGraceSeconds,
      presentedId: jti,
      successorId: nextRefreshId(jti),
      kid: requireRefreshKid(ring, nowMs),
      nowMs,
    });
    if (result.outcome === 'rotated' || result.outcome === 'repeated') {
      // The epoch may have ended after the token was verified: nothing of the new one is for this session.
      if (result.session.epoch < ring.epoch)
        throw new AppError('token_revoked', { action: 'reauthenticate' });
      const issued = await this.sessionTokens.issue(result.session, ring, settings, nowMs);
      this.confirmRotation(result.session);
      this.tellOf(result.session, { kind: 'session_refreshed', outcome: result.outcome });
      return issued;
    }
    if (result.outcome === 'reused') {
      const { cause, again } = result;
      await this.endings.end(tenant_id, [sid], 'refresh_token_reused', { cause, again });
    }
    // Not heard of here: its ending may have been cut short before it was announced, and nobody asked again.
    if (result.outcome === 'revoked') await this.completeEnding(tenant_id, sid);
    throw new AppError(REFUSALS[result.outcome], { action: 'reauthenticate' });
  }

  /** Ends the token's session, or with `onlyThisToken` the access token alone. Repeating it is no error. */
  async revoke(
    caller: TenantPrincipal,
    token: string,
    { reason, onlyThisToken }: { reason: RevocationReason; onlyThisToken?: boolean },
  ): Promise<void> {
    const claims = await this.claimsOf(caller, token);
    const { tenant_id, sid, sub, jti, exp, token_type } = claims;
    if (!onlyThisToken) {
      await this.endings.endEach(tenant_id, { proofs: [claims] }, reason);
      return;
    }
    if (token_type === 'refresh') {
      throw new AppError('invalid_request', {
        description:
          'only_this_token is for access tokens: a refresh token has no life apart from its session.',
      });
    }
    await this.endings.endToken(tenant_id, jti, exp * 1000);
    const ofSession = { tenantId: tenant_id, sessionId: sid, userId: sub };
    this.happenings.tell({ kind: 'token_revoked', ...ofSession, tokenId: jti, reason });
  }

  /** Of an expired or revoked token too. @throws AppError with a token error's code when it was not issued here */
  async claimsOf(caller: TenantPrincipal, token: string): Promise<AccessClaims | RefreshClaims> {
    const { claims, ...verified } = await this.tokens.verifyEither(caller.tenantId, token);
    if (!claims) throw new AppError(verified.ok ? 'invalid_token' : verified.error);
    return claims;
  }

  /** @throws AppError session_not_found */
  async endById(caller: TenantPrincipal, sessionId: string, reason: RevocationReason): Promise<void> {
    const ended = await this.endings.endEach(caller.tenantId, { byId: [sessionId] }, reason);
    if (ended.size === 0) throw new AppError('session_not_found');
  }

  /** Logs a user out everywhere. @returns how many sessions were ended */
  async revokeUser(
    caller: TenantPrincipal,
    { tenantId, userId }: { tenantId: string; userId: string },
    reason: RevocationReason,
  ): Promise<number> {
    requireOwnTenant(caller, tenantId);
    const sessionIds = await this.store.idsByUser(tenantId, userId);
    return (await this.endings.endEach(tenantId, { byId: sessionIds }, reason)).size;
  }

  /** Ends every session of a tenant at once, however many. @returns the tenant's new epoch */
  async revokeTenant(tenantId: string, reason: RevocationReason): Promise<number> {
    return this.endings.endTenant(tenantId, reason);
  }

  /** The user's live sessions, oldest first. */
  async list(caller: TenantPrincipal, of: { tenantId: string; userId: string }): Promise<Session[]> {
    requireOwnTenant(caller, of.tenantId);
    const [{ epoch }, sessions] = await Promise.all([
      this.keyRings.get(of.tenantId),
      this.store.listByUser(of.tenantId, of.userId, this.clock.nowMs()),
    ]);
    return sessions.filter((session) => session.epoch >= epoch);
  }

  /** @throws AppError session_not_found */
  async read(caller: TenantPrincipal, sessionId: string): Promise<Session> {
    const { epoch } = await this.keyRings.get(caller.tenantId);
    const session = await this.store.find(caller.tenantId, sessionId, this.clock.nowMs());
    if (!session || session.epoch < epoch) throw new AppError('session_not_found');
    return session;
  }

  /** Of a session that is refused already: whether it succeeds changes no answer. */
  private async completeEnding(tenantId: string, sessionId: string): Promise<void> {
    await this.endings.end(tenantId, [sessionId], 'other', { again: true }).catch(() => undefined);
  }

  private async circumstances(tenantId: string): Promise<{ settings: TenantSettings; ring: OpenKeyRing }> {
    const [tenant, ring] = await Promise.all([this.tenants.get(tenantId), this.keyRings.get(tenantId)]);
    return { settings: this.tenants.settings(tenant), ring };
  }

  private tellOf({ tenantId, sessionId, userId, idleExpiresAtMs: expiresAtMs }: Session, what: Told): void {
    this.happenings.tell({ ...what, tenantId, sessionId, userId, expiresAtMs });
  }

  /** Nobody waits for it: if it is lost, the previous token stays good for a retry until the next refresh. */
  private confirmRotation({ tenantId, sessionId, rotation }: Session): void {
    this.store.confirmRotation(tenantId, sessionId, rotation.currentId).catch(() => undefined);
  }
}

type Told =
  | { readonly kind: 'session_created' }
  | { readonly kind: 'session_refreshed'; readonly outcome: 'rotated' | 'repeated' };

const REFUSALS = {
  reused: 'refresh_token_reused',
  revoked: 'token_revoked',
  expired: 'token_expired',
  missing: 'refresh_token_not_found',
} as const satisfies Record<string, TokenErrorCode>;

function isOutage(error: unknown): boolean {
  return error instanceof AppError && error.code === 'store_unavailable';
}

function requireRefreshKid(ring: OpenKeyRing, nowMs: number): string {
  const kid = ring.refreshKid(nowMs);
  if (!kid) throw new AppError('store_unavailable', { description: 'The tenant has no key to sign with.' });
  return kid;
}
