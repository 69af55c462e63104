/** What callers send to sessions. */
import { ApiPropertyOptional } from '@nestjs/swagger';
import { Transform } from 'class-transformer';
import {
  ArrayMaxSize,
  IsArray,
  IsBoolean,
  IsIn,
  IsOptional,
  IsString,
  Length,
  Matches,
  MaxLength,
} from 'class-validator';
import { CompiledDto } from '../http/compiled-dto.js';
import { REVOCATION_REASONS, type RevocationReason } from '../revocation-reason.js';
import type { Metadata } from '../tokens/claims.js';
import { IsComment, IsSessionMetadata, IsUserId } from './session-input.js';
import type { NewSession } from './sessions.service.js';
import { REVOCATION_CHECKS, type RevocationCheck } from './validation.js';

export const MAX_BATCH = 1000;

/** RFC 6749 section 3.3: words separated by single spaces. */
const SCOPE = /^(?:[\x21\x23-\x5b\x5d-\x7e]+(?: [\x21\x23-\x5b\x5d-\x7e]+)*)?$/;

export const METADATA_SCHEMA = {
  type: 'object',
  additionalProperties: true,
  example: { device: 'iPhone 17', mfa: true },
  description:
    'Strings, numbers, booleans and arrays of them; at most 32 members and 4 KiB as JSON. It travels in the access token.',
} as const;

@CompiledDto()
export class CreateSessionDto {
  /** @example acme */
  @IsString()
  @MaxLength(64)
  tenant_id!: string;

  /** The tenant's own id of the user: 1 to 256 bytes of printable Unicode. @example user-42 */
  @IsUserId()
  user_id!: string;

  /** Words separated by single spaces (RFC 6749 section 3.3). @example "read write" */
  @IsString()
  @MaxLength(1024)
  @Matches(SCOPE, { message: 'scope must be words of printable ASCII, separated by single spaces' })
  scope!: string;

  // Taken as parsed: class-transformer would drop members by their names.
  @ApiPropertyOptional(METADATA_SCHEMA)
  @Transform(({ obj }: { obj: { metadata?: unknown } }) => obj.metadata)
  @IsOptional()
  @IsSessionMetadata()
  metadata?: Metadata;
}

@CompiledDto()
export class ValidateDto {
  /** @example eyJhbGciOiJSUzI1NiIsInR5cCI6ImF0K2p3dCIs... */
  @IsString()
  access_token!: string;

  /** `replica`: memory; `store`: the store's word, one round trip; `skip`: signature and claims only. */
  @IsOptional()
  @IsIn(REVOCATION_CHECKS)
  revocation_check?: RevocationCheck;
}

/** What was asked for; null is as good as left out. */
export function checkOf({ revocation_check: wanted }: ValidateDto): RevocationCheck {
  return wanted ?? 'replica';
}

@CompiledDto()
export class RefreshDto {
  /** @example eyJhbGciOiJIUzI1NiIsInR5cCI6InJ0K2p3dCIs... */
  @IsString()
  refresh_token!: string;
}

export class RevokeDto {
  /** An access or a refresh token; an expired one will do. @example eyJhbGciOiJSUzI1NiIsInR5cCI6ImF0K2p3dCIs... */
  @IsString()
  token!: string;

  @IsIn(REVOCATION_REASONS)
  reason!: RevocationReason;

  /** Free text for the audit. @example "asked for by phone" */
  @IsOptional()
  @IsString()
  @MaxLength(500)
  @IsComment()
  comment?: string;

  /** End this access token alone and let its session live. */
  @IsOptional()
  @IsBoolean()
  only_this_token?: boolean;
}

export class RevokeBatchDto {
  /** Access or refresh tokens; together with `session_ids` at most 1,000. @example ["eyJhbGciOiJSUzI1NiIs..."] */
  @IsOptional()
  @IsArray()
  @ArrayMaxSize(MAX_BATCH)
  @IsString({ each: true })
  tokens?: string[];

  /** @example ["Zk3fq8J0pX2vT5sYb1cWnA0mRe"] */
  @IsOptional()
  @IsArray()
  @ArrayMaxSize(MAX_BATCH)
  @IsString({ each: true })
  session_ids?: string[];

  @IsIn(REVOCATION_REASONS)
  reason!: RevocationReason;

  /** Free text for the audit. @example "asked for by phone" */
  @IsOptional()
  @IsString()
  @MaxLength(500)
  @IsComment()
  comment?: string;
}

export class RevokeUserDto {
  /** @example acme */
  @IsString()
  @MaxLength(64)
  tenant_id!: string;

  /** @example user-42 */
  @IsUserId()
  user_id!: string;

  @IsIn(REVOCATION_REASONS)
  reason!: RevocationReason;

  /** Free text for the audit. @example "asked for by phone" */
  @IsOptional()
  @IsString()
  @MaxLength(500)
  @IsComment()
  comment?: string;
}

export class RevokeTenantDto {
  @IsIn(REVOCATION_REASONS)
  reason!: RevocationReason;

  /** Free text for the audit. @example "asked for by phone" */
  @IsOptional()
  @IsString()
  @MaxLength(500)
  @IsComment()
  comment?: string;
}

export class ListSessionsQueryDto {
  /** @example acme */
  @IsString()
  @Length(1, 64)
  tenant_id!: string;

  /** @example user-42 */
  @IsUserId()
  user_id!: string;
}

export class EndSessionQueryDto {
  @IsOptional()
  @IsIn(REVOCATION_REASONS)
  reason: RevocationReason = 'other';

  /** Free text for the audit. @example "asked for by phone" */
  @IsOptional()
  @IsString()
  @MaxLength(500)
  @IsComment()
  comment?: string;
}

export function toNewSession({
  tenant_id: tenantId,
  user_id: userId,
  scope,
  metadata,
}: CreateSessionDto): NewSession {
  return { tenantId, userId, scope, metadata: metadata ?? {} };
}
