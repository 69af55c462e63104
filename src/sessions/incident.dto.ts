/** What callers send to end sessions by a query, and what they are answered. */
import { ApiProperty, ApiPropertyOptional } from '@nestjs/swagger';
import { Transform } from 'class-transformer';
import { IsBoolean, IsIn, IsOptional, IsString, Matches, MaxLength, ValidateBy } from 'class-validator';
import { toSeconds } from '../clock.js';
import { REVOCATION_REASONS, type RevocationReason } from '../revocation-reason.js';
import type { IncidentQuery } from './incident.js';
import type { IncidentRequest, IncidentStep } from './incidents.service.js';
import { isUserId, IsComment, IsUserId } from './session-input.js';

const RFC_3339 = /^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d{1,9})?(Z|[+-]\d\d:\d\d)$/;
const MAX_METADATA_CRITERIA = 8;

function IsTime(): PropertyDecorator {
  return ValidateBy({
    name: 'isTime',
    validator: {
      validate: (value) =>
        typeof value === 'string' && RFC_3339.test(value) && !Number.isNaN(Date.parse(value)),
      defaultMessage: () => '$property must be an RFC 3339 time such as 2026-11-23T09:00:00Z',
    },
  });
}

function IsMetadataQuery(): PropertyDecorator {
  return ValidateBy({
    name: 'isMetadataQuery',
    validator: {
      validate: (value) => {
        if (typeof value !== 'object' || value === null || Array.isArray(value)) return false;
        const members = Object.entries(value);
        const isText = ([name, text]: [string, unknown]) => isUserId(name) && (text === '' || isUserId(text));
        return members.length > 0 && members.length <= MAX_METADATA_CRITERIA && members.every(isText);
      },
      defaultMessage: () =>
        `$property must have 1 to ${MAX_METADATA_CRITERIA} members, names and texts of up to 256 printable bytes`,
    },
  });
}

export class RevokeMatchingDto {
  /** Sessions that began before this. @example 2026-11-23T09:00:00Z */
  @IsOptional()
  @IsTime()
  created_before?: string;

  /** Sessions that began then or later. @example 2026-11-22T09:00:00Z */
  @IsOptional()
  @IsTime()
  created_after?: string;

  /** Of users whose ids begin with exactly this. @example contractor- */
  @IsOptional()
  @IsUserId()
  user_prefix?: string;

  // Taken as parsed: class-transformer would drop members by their names.
  @ApiPropertyOptional({
    type: 'object',
    additionalProperties: { type: 'string' },
    example: { device: 'phone' },
    description:
      "What must stand in the session's metadata: the text of a value, or of one entry of an array.",
  })
  @Transform(({ obj }: { obj: { metadata?: unknown } }) => obj.metadata)
  @IsOptional()
  @IsMetadataQuery()
  metadata?: Readonly<Record<string, string>>;

  /** Sessions that may have an access token signed by this key. @example 3f1c9f5e-8d0c-4a53-9f9e-1f2c59a6f9a1 */
  @IsOptional()
  @IsString()
  @Matches(/^[A-Za-z0-9_-]{1,64}$/, { message: 'kid must be a kid' })
  kid?: string;

  @IsIn(REVOCATION_REASONS)
  reason!: RevocationReason;

  /** Free text for the audit. @example "stolen laptop" */
  @IsOptional()
  @IsString()
  @MaxLength(500)
  @IsComment()
  comment?: string;

  /** Counts and shows some, and ends nothing. */
  @IsOptional()
  @IsBoolean()
  dry_run?: boolean;

  /**
   * To go on with an incident, with the same query and reason: the `incident_id` of its first step.
   * @example k3JxQz0Wl8pT5uYb.M9f1Zk3fq8J0pX2vT5sYb1
   */
  @IsOptional()
  @IsString()
  @MaxLength(64)
  incident_id?: string;

  /**
   * The `next_cursor` of the step before; without it, all sessions are looked at again.
   * @example eyJzY2FubmVkIjo0MDB9.Qx2vT5sYb1M9f1Zk3fq8J0
   */
  @IsOptional()
  @IsString()
  @MaxLength(1024)
  cursor?: string;
}

export class MatchingSessionDto {
  /** @example Zk3fq8J0pX2vT5sYb1cWnA0mRe */
  session_id!: string;
  /** @example contractor-7 */
  user_id!: string;
  /** Unix time in seconds. @example 1795000000 */
  created_at!: number;
  /** Unix time in seconds of the last refresh. @example 1795000000 */
  last_used_at!: number;
}

export class IncidentStepDto {
  /** Names the incident in the audit; null in a dry run. @example k3JxQz0Wl8pT5uYb.M9f1Zk3fq8J0pX2vT5sYb1 */
  @ApiProperty({ type: 'string', nullable: true })
  incident_id!: string | null;
  /** Sessions looked at since the incident or the dry run began. @example 1200 */
  scanned!: number;
  /** Of those, how many matched. @example 31 */
  matched!: number;
  /** Of those, how many this incident has ended. @example 31 */
  revoked_count!: number;
  /** How many live sessions the tenant has, about: what `scanned` comes close to in the end. @example 5000 */
  live!: number;
  /** Some that matched in this step, at most 20. */
  sample!: MatchingSessionDto[];
  /**
   * Present while there may be more sessions to look at: send it with the next step, until none comes.
   * @example eyJzY2FubmVkIjo0MDB9.Qx2vT5sYb1M9f1Zk3fq8J0
   */
  next_cursor?: string;
}

export function toRequest(dto: RevokeMatchingDto): IncidentRequest {
  const query: IncidentQuery = {
    ...(dto.created_before == null ? {} : { createdBeforeMs: Date.parse(dto.created_before) }),
    ...(dto.created_after == null ? {} : { createdAfterMs: Date.parse(dto.created_after) }),
    ...(dto.user_prefix == null ? {} : { userPrefix: dto.user_prefix }),
    ...(dto.metadata == null ? {} : { metadata: dto.metadata }),
    ...(dto.kid == null ? {} : { kid: dto.kid }),
  };
  return {
    query,
    reason: dto.reason,
    dryRun: dto.dry_run === true,
    ...(dto.incident_id == null ? {} : { incidentId: dto.incident_id }),
    ...(dto.cursor == null ? {} : { cursor: dto.cursor }),
  };
}

export function toStepView({ incidentId, progress, sample, live, next }: IncidentStep): IncidentStepDto {
  return {
    incident_id: incidentId,
    scanned: progress.scanned,
    matched: progress.matched,
    revoked_count: progress.ended,
    live,
    sample: sample.map(({ sessionId, userId, createdAtMs, lastUsedAtMs }) => ({
      session_id: sessionId,
      user_id: userId,
      created_at: toSeconds(createdAtMs),
      last_used_at: toSeconds(lastUsedAtMs),
    })),
    ...(next === null ? {} : { next_cursor: next }),
  };
}
