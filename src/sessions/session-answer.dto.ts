/** What sessions answer. */
import { ApiProperty } from '@nestjs/swagger';
import { toSeconds } from '../clock.js';
import { ERRORS, type ErrorAction, type ErrorCode, type TokenErrorCode } from '../errors.js';
import type { AccessClaims, Metadata } from '../tokens/claims.js';
import { METADATA_SCHEMA } from './session.dto.js';
import type { Session } from './session.js';
import type { IssuedTokens } from './session-tokens.js';
import type { RevocationAnswer, Validation } from './validation.js';

/** Create and refresh answer alike. */
export class IssuedTokensDto {
  /** @example Zk3fq8J0pX2vT5sYb1cWnA0mRe */
  session_id!: string;
  /** RS256 JWT of type `at+jwt`. @example eyJhbGciOiJSUzI1NiIsInR5cCI6ImF0K2p3dCIs... */
  access_token!: string;
  /** For this service only; replaced by each refresh. @example eyJhbGciOiJIUzI1NiIsInR5cCI6InJ0K2p3dCIs... */
  refresh_token!: string;
  /** @example Bearer */
  token_type!: string;
  /** Seconds that the access token lives. @example 900 */
  expires_in!: number;
  /** Seconds until the session ends unless it is refreshed. @example 2592000 */
  refresh_expires_in!: number;
}

export class AccessClaimsDto {
  /** @example http://localhost:3000/tenants/acme */
  iss!: string;
  /** The user. @example user-42 */
  sub!: string;
  /** @example acme */
  aud!: string;
  /** @example 1795000900 */
  exp!: number;
  /** @example 1795000000 */
  iat!: number;
  /** @example 1795000000 */
  nbf!: number;
  /** The token's own id. @example Zk3fT5sYb1cWnAq8J0pX2vmReQ */
  jti!: string;
  /** The session. @example Zk3fq8J0pX2vT5sYb1cWnA0mRe */
  sid!: string;
  /** @example acme */
  tenant_id!: string;
  /** @example "read write" */
  scope!: string;
  @ApiProperty(METADATA_SCHEMA)
  metadata!: Metadata;
  /** @example access */
  token_type!: string;
}

export class RevocationDto {
  /**
   * What was gone by; `stale` when neither memory nor store could tell and the tenant serves all the same.
   * @example replica
   */
  @ApiProperty({ enum: ['replica', 'store', 'skip', 'stale'] })
  checked!: RevocationAnswer['checked'];
  /** How old that knowledge was, in ms; null when nothing was asked or known. @example 35 */
  age_ms!: number | null;
}

export class ValidDto {
  @ApiProperty({ enum: [true] })
  valid!: true;
  claims!: AccessClaimsDto;
  revocation!: RevocationDto;
}

/** A refused token, told apart from a refused API key by its member `valid`. */
export class InvalidDto {
  @ApiProperty({ enum: [false] })
  valid!: false;
  @ApiProperty({ enum: ['invalid_token', 'invalid_signature', 'token_expired', 'token_revoked'] })
  error!: ErrorCode;
  /** @example "The token has been revoked." */
  error_description!: string;
  @ApiProperty({ enum: ['refresh', 'reauthenticate'] })
  action!: ErrorAction;
  /** @example 5f0c2a4e-6d0b-4d0e-9c55-0f6f3f1f8a11 */
  request_id!: string;
}

export class RevokedCountDto {
  /** Sessions that were ended by this call. @example 3 */
  revoked_count!: number;
}

export class BatchResultDto {
  /** Where in `tokens` this one stands. @example 0 */
  token_index?: number;
  /** @example Zk3fq8J0pX2vT5sYb1cWnA0mRe */
  session_id?: string;
  /** `revoked`; `not_found` when there was no session left to end; `refused` when the token is not good. */
  @ApiProperty({ enum: ['revoked', 'not_found', 'refused'] })
  status!: 'revoked' | 'not_found' | 'refused';
  @ApiProperty({ required: false, enum: ['invalid_token', 'invalid_signature'] })
  error?: TokenErrorCode;
}

export class BatchResultsDto extends RevokedCountDto {
  /** One for each token, then one for each session id, in the order they were sent. */
  results!: BatchResultDto[];
}

export class EpochDto {
  /** Everything signed in an earlier epoch is revoked. @example 2 */
  epoch!: number;
}

export class SessionViewDto {
  /** @example Zk3fq8J0pX2vT5sYb1cWnA0mRe */
  session_id!: string;
  /** @example acme */
  tenant_id!: string;
  /** @example user-42 */
  user_id!: string;
  /** @example "read write" */
  scope!: string;
  @ApiProperty(METADATA_SCHEMA)
  metadata!: Metadata;
  /** Unix time in seconds. @example 1795000000 */
  created_at!: number;
  /** Unix time in seconds of the last refresh. @example 1795000000 */
  last_used_at!: number;
  /** Unix time in seconds at which it ends unless it is refreshed. @example 1797592000 */
  expires_at!: number;
  /** Unix time in seconds at which it ends in any case. @example 1802776000 */
  absolute_expires_at!: number;
}

export class SessionListDto {
  sessions!: SessionViewDto[];
}

export function toIssuedDto(issued: IssuedTokens): IssuedTokensDto {
  return {
    session_id: issued.sessionId,
    access_token: issued.accessToken,
    refresh_token: issued.refreshToken,
    token_type: 'Bearer',
    expires_in: issued.expiresInSeconds,
    refresh_expires_in: issued.refreshExpiresInSeconds,
  };
}

export function toValidationDto(validation: Validation, requestId: string): ValidDto | InvalidDto {
  if (validation.valid) {
    const { checked, ageMs } = validation.revocation;
    return {
      valid: true,
      claims: validation.claims satisfies AccessClaims,
      revocation: { checked, age_ms: ageMs },
    };
  }
  return toInvalidDto(validation.error, requestId);
}

/** @param description in place of the table's own */
export function toInvalidDto(
  error: TokenErrorCode | 'insufficient_scope',
  requestId: string,
  description: string = ERRORS[error].description,
): InvalidDto {
  const { action } = ERRORS[error];
  return { valid: false, error, error_description: description, action, request_id: requestId };
}

export function toView(session: Session): SessionViewDto {
  return {
    session_id: session.sessionId,
    tenant_id: session.tenantId,
    user_id: session.userId,
    scope: session.scope,
    metadata: session.metadata,
    created_at: toSeconds(session.createdAtMs),
    last_used_at: toSeconds(session.lastUsedAtMs),
    expires_at: toSeconds(session.idleExpiresAtMs),
    absolute_expires_at: toSeconds(session.absoluteExpiresAtMs),
  };
}
