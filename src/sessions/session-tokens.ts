/** The tokens of a session: what they say follows from its record, the tenant's settings and the time. */
import { Injectable } from '@nestjs/common';
import { toSeconds } from '../clock.js';
import type { OpenKeyRing } from '../keys/open-key-ring.js';
import { newRandomId, tagOf } from '../random-id.js';
import type { TenantSettings } from '../tenants/tenant.js';
import { TokensService } from '../tokens/tokens.service.js';
import { accessExpiry, type Session } from './session.js';

/** The tokens of a session, as create and refresh answer with them. */
export interface IssuedTokens {
  readonly sessionId: string;
  readonly scope: string;
  readonly accessToken: string;
  readonly refreshToken: string;
  readonly expiresInSeconds: number;
  readonly refreshExpiresInSeconds: number;
}

@Injectable()
export class SessionTokens {
  constructor(private readonly tokens: TokensService) {}

  /** A new access token, and the refresh token that the record says is current: the same bytes each time. */
  async issue(
    session: Session,
    ring: OpenKeyRing,
    settings: TenantSettings,
    nowMs: number,
  ): Promise<IssuedTokens> {
    const { sessionId: sid, tenantId: tenant_id, userId: sub, scope, metadata, rotation } = session;
    const subject = { sid, tenant_id, sub };
    const iat = toSeconds(nowMs);
    const exp = toSeconds(accessExpiry(session, settings.accessTokenTtlSeconds, nowMs));
    const refreshExp = toSeconds(session.idleExpiresAtMs);
    return {
      sessionId: sid,
      scope,
      accessToken: await this.tokens.signAccess(ring, {
        ...subject,
        aud: settings.audience,
        exp,
        iat,
        jti: newRandomId(tagOf(sid)),
        scope,
        metadata,
      }),
      refreshToken: this.tokens.signRefresh(ring, rotation.kid, {
        ...subject,
        exp: refreshExp,
        iat: toSeconds(rotation.rotatedAtMs),
        jti: rotation.currentId,
      }),
      expiresInSeconds: exp - iat,
      refreshExpiresInSeconds: refreshExp - iat,
    };
  }
}
