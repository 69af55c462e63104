/** What a token is worth now, for resource servers that ask (RFC 7662). Whatever it may not be told of is not active. */
import { Injectable } from '@nestjs/common';
import { Clock } from '../clock.js';
import type { ValidationNote } from '../http/request-ends.js';
import type { TenantPrincipal } from '../http/principal.js';
import { KeyRingsService } from '../keys/key-rings.service.js';
import { FeedFollower } from '../revocations/feed-follower.js';
import { nextRefreshId } from '../sessions/refresh-id.js';
import { rotate, SessionStore } from '../sessions/session.js';
import { SessionsService } from '../sessions/sessions.service.js';
import { TenantsService } from '../tenants/tenants.service.js';
import { TokensService } from '../tokens/tokens.service.js';
import type { IntrospectionDto } from './oauth.dto.js';

export interface Introspected {
  readonly answer: IntrospectionDto;
  /** Where an access token was validated. */
  readonly note?: ValidationNote;
}

const INACTIVE: IntrospectionDto = { active: false };

@Injectable()
export class Introspection {
  constructor(
    private readonly sessions: SessionsService,
    private readonly tokens: TokensService,
    private readonly store: SessionStore,
    private readonly replica: FeedFollower,
    private readonly tenants: TenantsService,
    private readonly keyRings: KeyRingsService,
    private readonly clock: Clock,
  ) {}

  /**
   * A resource server asks about whatever it was sent as a bearer token, and some look at `active` alone: a refresh
   * token is active to those only who say that they mean one.
   * @throws AppError store_unavailable
   */
  async of(caller: TenantPrincipal, token: string, hint: string | undefined): Promise<Introspected> {
    const refresh = hint === 'refresh_token' ? await this.ofRefreshToken(caller, token) : null;
    return refresh ? { answer: refresh } : this.ofAccessToken(caller, token);
  }

  private async ofAccessToken(caller: TenantPrincipal, token: string): Promise<Introspected> {
    const validation = await this.sessions.validate(caller, token, 'replica');
    if (!validation.valid) return { answer: INACTIVE, note: { check: 'replica', result: validation.error } };
    const { claims, revocation } = validation;
    return {
      answer: { active: true, ...claims, token_type: 'Bearer' },
      note: { check: revocation.checked, result: 'valid' },
    };
  }

  /** By the store's word: active is what a refresh would be answered with tokens for, at this moment. */
  private async ofRefreshToken(
    { tenantId }: TenantPrincipal,
    token: string,
  ): Promise<IntrospectionDto | null> {
    const verified = await this.tokens.verifyRefresh(tenantId, token);
    if (!verified.ok) return null;
    const { claims } = verified;
    if (this.replica.verdict(claims.sid, claims.sid) === 'revoked') return null;
    const nowMs = this.clock.nowMs();
    const [tenant, { epoch }, session] = await Promise.all([
      this.tenants.get(tenantId),
      this.keyRings.get(tenantId),
      this.store.find(tenantId, claims.sid, nowMs),
    ]);
    if (!session || session.epoch < epoch) return null;
    const settings = this.tenants.settings(tenant);
    const { outcome } = rotate(session, {
      accessTokenTtlSeconds: settings.accessTokenTtlSeconds,
      refreshTokenTtlSeconds: settings.refreshTokenTtlSeconds,
      graceSeconds: settings.refreshGraceSeconds,
      presentedId: claims.jti,
      successorId: nextRefreshId(claims.jti),
      kid: session.rotation.kid,
      nowMs,
    });
    if (outcome !== 'rotated' && outcome !== 'repeated') return null;
    return { active: true, ...claims, scope: session.scope, token_type: 'refresh_token' };
  }
}
