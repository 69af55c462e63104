/** What callers ask of the audit, and what it answers. */
import { ApiProperty, ApiPropertyOptional } from '@nestjs/swagger';
import { Transform, Type } from 'class-transformer';
import { IsIn, IsInt, IsNumber, IsOptional, IsString, Matches, Max, MaxLength, Min } from 'class-validator';
import { REVOCATION_REASONS, type RevocationReason } from '../revocation-reason.js';
import { IsUserId } from '../sessions/session-input.js';
import { AUDIT_ACTIONS, type AuditAction, type ChainHead, type JsonValue } from './audit.js';
import type { AuditFilter, FoundEntry } from './audit.service.js';
import { AUDIT_PROBLEMS, type AuditProblem, type Verification } from './chain-verifier.js';
import type { KeptCheckpoint } from './checkpoints.js';
import { timeText } from './audit-record.js';

const RFC_3339 = /^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d{1,9})?(Z|[+-]\d\d:\d\d)$/;
const HEAD = /^(\d{1,15}):([0-9a-f]{64})$/;
const TIME_RULE = 'must be an RFC 3339 time such as 2026-11-23T09:00:00Z, or Unix seconds';

/** @returns ms since the Unix epoch; NaN for what is no time */
function toMs({ value }: { value: unknown }): number {
  if (typeof value !== 'string') return Number.NaN;
  if (/^\d{1,11}$/.test(value)) return Number(value) * 1000;
  return RFC_3339.test(value) && isDay(value.slice(0, 10)) ? Date.parse(value) : Number.NaN;
}

/** For Date the 30th of February is the 2nd of March. */
function isDay(day: string): boolean {
  const ms = Date.parse(`${day}T00:00:00Z`);
  return !Number.isNaN(ms) && new Date(ms).toISOString().startsWith(day);
}

export class ListAuditQueryDto {
  /** @example user-42 */
  @IsOptional()
  @IsUserId()
  user_id?: string;

  /** @example Zk3fq8J0pX2vT5sYb1cWnA0mRe */
  @IsOptional()
  @IsString()
  @MaxLength(64)
  session_id?: string;

  @IsOptional()
  @IsIn(AUDIT_ACTIONS)
  action?: AuditAction;

  @ApiPropertyOptional({
    type: 'string',
    description: 'Not before this: an RFC 3339 time, or Unix seconds.',
    example: '2026-11-23T09:00:00Z',
  })
  @Transform(toMs)
  @IsOptional()
  @IsNumber({}, { message: `from ${TIME_RULE}` })
  from?: number;

  @ApiPropertyOptional({
    type: 'string',
    description: 'Before this: an RFC 3339 time, or Unix seconds.',
    example: '2026-11-24T09:00:00Z',
  })
  @Transform(toMs)
  @IsOptional()
  @IsNumber({}, { message: `to ${TIME_RULE}` })
  to?: number;

  /** How many at most. */
  @IsOptional()
  @Type(() => Number)
  @IsInt()
  @Min(1)
  @Max(500)
  limit: number = 100;

  /** The `next_cursor` of the page before. */
  @IsOptional()
  @Matches(/^\d{1,15}$/, { message: 'cursor must be the next_cursor of an earlier page' })
  cursor?: string;
}

export class VerifyAuditQueryDto {
  /** The `next_cursor` of the stretch before. */
  @IsOptional()
  @Matches(HEAD, { message: 'cursor must be the next_cursor of an earlier stretch' })
  cursor?: string;

  /** A head that was written down elsewhere, such as in a log: `<seq>:<hash>`. */
  @IsOptional()
  @Matches(HEAD, { message: 'expect must be <seq>:<hash>, the hash in 64 hex digits' })
  expect?: string;
}

export class AuditActorDto {
  @ApiProperty({ enum: ['platform', 'api_key', 'service', 'anonymous'] })
  kind!: string;
  /** Of an API key. @example 9f86d081884c7d65 */
  key_id?: string;
  /** Of an API key. @example checkout */
  name?: string;
}

export class AuditEntryDto {
  /** Place in the tenant's chain. @example 42 */
  seq!: number;
  /**
   * SHA-256 over the hash of the entry before it, a line feed, and the rest of this entry as canonical JSON.
   * @example 2c26b46b68ffc68ff99b453c1d30413413422d706483bfa0f98a5e886266e7ae
   */
  hash!: string;
  /** @example 2026-11-23T21:04:11.382Z */
  time!: string;
  /** @example acme */
  tenant_id!: string;
  @ApiProperty({ enum: AUDIT_ACTIONS })
  action!: AuditAction;
  actor!: AuditActorDto;
  /** `ok`, or the code of the error that the caller was answered. @example ok */
  outcome!: string;
  /** @example 5f0c2a4e-6d0b-4d0e-9c55-0f6f3f1f8a11 */
  request_id?: string;
  /** @example 203.0.113.7 */
  source_address?: string;
  /** @example user-42 */
  user_id?: string;
  /** @example Zk3fq8J0pX2vT5sYb1cWnA0mRe */
  session_id?: string;
  @ApiProperty({ required: false, enum: REVOCATION_REASONS })
  reason?: RevocationReason;
  /** @example "asked for by phone" */
  comment?: string;
  @ApiPropertyOptional({
    type: 'object',
    additionalProperties: true,
    description: 'What is particular to the action.',
    example: { cause: 'older_token' },
  })
  details?: Readonly<Record<string, JsonValue>>;
}

export class AuditPageDto {
  /** Newest first. */
  entries!: AuditEntryDto[];
  /** Present while there may be more; the page before it may have few entries, or none. @example "41" */
  next_cursor?: string;
}

export class AuditProblemDto {
  @ApiProperty({ enum: AUDIT_PROBLEMS })
  kind!: AuditProblem['kind'];
  /** Place of the first entry that is not what it was. @example 17 */
  seq!: number;
  /** @example "Entry 17 was changed: its text does not fit its hash and the entry before it." */
  description!: string;
}

export class ChainHeadDto {
  /** @example 42 */
  seq!: number;
  /** @example 2c26b46b68ffc68ff99b453c1d30413413422d706483bfa0f98a5e886266e7ae */
  hash!: string;
}

export class SignedThroughDto extends ChainHeadDto {
  /** @example 2026-11-23T21:05:00.000Z */
  time!: string;
  /** The tenant's key that signed. @example 3f1c9f5e-8d0c-4a53-9f9e-1f2c59a6f9a1 */
  kid!: string;
  /**
   * RFC 7638 thumbprint of that key, to be compared with one that was written down.
   * @example NzbLsXh8uDCcd-6MNwXF4W_7noWXFZAfHkxZsRGC9Xs
   */
  thumbprint!: string;
}

export class AuditVerificationDto {
  /** Whether everything in this stretch is as it was written, and nothing is known to be gone. */
  intact!: boolean;
  /** The first place that was looked at. @example 1 */
  from!: number;
  /** The last place that is as it was. @example 42 */
  through!: number;
  problem?: AuditProblemDto;
  /** Heads after which entries are gone, as the service noticed by itself. */
  losses!: ChainHeadDto[];
  /** How far this stretch is vouched for by a signature of the tenant's key. */
  signed_through?: SignedThroughDto;
  /** With `expect`: whether that head lies in this stretch, and has that hash. */
  expected_seen?: boolean;
  /** The end of the chain: write it down elsewhere, and compare. */
  head!: ChainHeadDto;
  /**
   * Present while the chain goes on behind this stretch.
   * @example 5000:2c26b46b68ffc68ff99b453c1d30413413422d706483bfa0f98a5e886266e7ae
   */
  next_cursor?: string;
}

export function toFilter({ user_id, session_id, action, from, to }: ListAuditQueryDto): AuditFilter {
  return {
    ...(user_id === undefined ? {} : { userId: user_id }),
    ...(session_id === undefined ? {} : { sessionId: session_id }),
    ...(action === undefined ? {} : { action }),
    ...(from === undefined ? {} : { fromMs: from }),
    ...(to === undefined ? {} : { toMs: to }),
  };
}

export function toView({ entry, hash }: FoundEntry): AuditEntryDto {
  return { ...entry, hash };
}

/** @returns null for a text that the validation would have refused */
export function toHead(text: string | undefined): ChainHead | null {
  const [, seq, hash] = HEAD.exec(text ?? '') ?? [];
  return seq && hash ? { seq: Number(seq), hash } : null;
}

export function toVerificationView(
  verification: Verification,
  { expects }: { expects: boolean },
): AuditVerificationDto {
  const { problem, losses, from, through, signedThrough, expectedSeen, head, next } = verification;
  return {
    intact: problem === null && losses.length === 0,
    from,
    through,
    ...(problem ? { problem } : {}),
    losses: [...losses],
    ...(signedThrough?.signed ? { signed_through: toSignedView(signedThrough) } : {}),
    ...(expects ? { expected_seen: expectedSeen } : {}),
    head,
    ...(next ? { next_cursor: `${next.seq}:${next.hash}` } : {}),
  };
}

function toSignedView({ signed, atMs }: KeptCheckpoint): SignedThroughDto {
  const { head, kid, thumbprint } = signed ?? { head: { seq: 0, hash: '' }, kid: '', thumbprint: '' };
  return { ...head, time: timeText(atMs), kid, thumbprint };
}
