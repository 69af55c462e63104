/** A session as an application sees it once a token was found good. */
import type { AccessClaims, Metadata } from './claims.js';

/**
 * How it is known that the token was not revoked. `feed`: by the verifier's own copy of the revocation feed;
 * `service`: the service was asked; `stale`: by a copy older than wanted; `none`: nobody was asked.
 */
export type RevocationKnowledge = 'feed' | 'service' | 'stale' | 'none';

export interface Session {
  readonly sessionId: string;
  readonly userId: string;
  readonly tenantId: string;
  /** The access token's own id. */
  readonly tokenId: string;
  readonly scopes: readonly string[];
  readonly metadata: Metadata;
  /** When the access token ends; the session may go on. */
  readonly tokenExpiresAt: Date;
  /** As they stand in the token. */
  readonly claims: AccessClaims;
  readonly revocation: {
    readonly checked: RevocationKnowledge;
    /** How old that knowledge was; null when there is none. */
    readonly ageMs: number | null;
  };
}

export function sessionOf(claims: AccessClaims, checked: RevocationKnowledge, ageMs: number | null): Session {
  return {
    sessionId: claims.sid,
    userId: claims.sub,
    tenantId: claims.tenant_id,
    tokenId: claims.jti,
    scopes: claims.scope === '' ? [] : claims.scope.split(' '),
    metadata: claims.metadata,
    tokenExpiresAt: new Date(claims.exp * 1000),
    claims,
    revocation: { checked, ageMs },
  };
}

/** One object serves many requests: none of them may change what the others read. */
export function freeze(session: Session): Session {
  for (const value of Object.values(session.metadata)) if (typeof value === 'object') Object.freeze(value);
  Object.freeze(session.metadata);
  Object.freeze(session.claims);
  Object.freeze(session.scopes);
  return Object.freeze(session);
}
