import { Transform } from 'class-transformer';
import { IsIn, IsInt, IsOptional, IsString, Length, Matches, Max, Min } from 'class-validator';
import { TOKEN_BOUNDS } from '../config.js';
import { RATE_LIMIT_BOUNDS } from '../rate-limit-settings.js';
import { toSeconds } from '../clock.js';
import {
  OUTAGE_POLICIES,
  RSA_MODULUS_BITS,
  TENANT_ID,
  TENANT_STATUSES,
  type OutagePolicy,
  type RsaModulusBits,
  type Tenant,
  type TenantChange,
  type TenantSettings,
  type TenantStatus,
} from './tenant.js';

const PRINTABLE = /^[^\p{C}\p{Zl}\p{Zp}]*$/u;

/** Settings that are left out stay as they are; null puts one back to the service's default. */
class TenantSettingsDto {
  /** Seconds that an access token lives. @example 900 */
  @IsOptional()
  @IsInt()
  @Min(TOKEN_BOUNDS.accessTokenTtlSeconds[0])
  @Max(TOKEN_BOUNDS.accessTokenTtlSeconds[1])
  access_token_ttl_seconds?: number | null;

  /** Seconds that a session lives without being refreshed. @example 2592000 */
  @IsOptional()
  @IsInt()
  @Min(TOKEN_BOUNDS.refreshTokenTtlSeconds[0])
  @Max(TOKEN_BOUNDS.refreshTokenTtlSeconds[1])
  refresh_token_ttl_seconds?: number | null;

  /** Seconds after which a session ends however often it was refreshed. @example 7776000 */
  @IsOptional()
  @IsInt()
  @Min(TOKEN_BOUNDS.sessionMaxLifetimeSeconds[0])
  @Max(TOKEN_BOUNDS.sessionMaxLifetimeSeconds[1])
  session_max_lifetime_seconds?: number | null;

  /** Seconds during which the previous refresh token still answers with its successor. @example 10 */
  @IsOptional()
  @IsInt()
  @Min(TOKEN_BOUNDS.refreshGraceSeconds[0])
  @Max(TOKEN_BOUNDS.refreshGraceSeconds[1])
  refresh_grace_seconds?: number | null;

  /** Sessions that a user may have at once; the oldest is ended for a new one. @example 100 */
  @IsOptional()
  @IsInt()
  @Min(TOKEN_BOUNDS.maxSessionsPerUser[0])
  @Max(TOKEN_BOUNDS.maxSessionsPerUser[1])
  max_sessions_per_user?: number | null;

  /** The `aud` of access tokens. @example "https://api.acme.example" */
  @IsOptional()
  @IsString()
  @Length(1, 256)
  @Matches(PRINTABLE, { message: 'audience must be printable text' })
  audience?: string | null;

  /** What validation answers when neither replica nor store can: `serve` on the signature, or `refuse`. */
  @IsOptional()
  @IsIn(OUTAGE_POLICIES)
  on_store_outage?: OutagePolicy | null;

  /** Requests a second of the whole tenant, through all instances together; 0: no limit. @example 2000 */
  @IsOptional()
  @IsInt()
  @Min(RATE_LIMIT_BOUNDS.rateLimitPerSecond[0])
  @Max(RATE_LIMIT_BOUNDS.rateLimitPerSecond[1])
  rate_limit_per_second?: number | null;

  /** Requests a second with each of its API keys; 0: no limit. @example 500 */
  @IsOptional()
  @IsInt()
  @Min(RATE_LIMIT_BOUNDS.apiKeyRateLimitPerSecond[0])
  @Max(RATE_LIMIT_BOUNDS.apiKeyRateLimitPerSecond[1])
  api_key_rate_limit_per_second?: number | null;

  /** For how many seconds' worth of requests may come at once. @example 2 */
  @IsOptional()
  @IsInt()
  @Min(RATE_LIMIT_BOUNDS.rateLimitBurstSeconds[0])
  @Max(RATE_LIMIT_BOUNDS.rateLimitBurstSeconds[1])
  rate_limit_burst_seconds?: number | null;

  /** Size of the RSA keys made from now on: 2048, 3072 or 4096. */
  @IsOptional()
  @IsIn(RSA_MODULUS_BITS)
  rsa_modulus_bits?: RsaModulusBits | null;
}

export class CreateTenantDto extends TenantSettingsDto {
  /** @example acme */
  @IsString()
  @Matches(TENANT_ID, { message: 'tenant_id must match [a-z0-9][a-z0-9-]{0,62}' })
  tenant_id!: string;

  /** For people. @example "Acme Corp" */
  @IsOptional()
  @IsString()
  @Length(1, 128)
  @Matches(PRINTABLE, { message: 'name must be printable text' })
  name?: string;
}

export class ChangeTenantDto extends TenantSettingsDto {
  /** For people. @example "Acme Corp" */
  @IsOptional()
  @IsString()
  @Length(1, 128)
  @Matches(PRINTABLE, { message: 'name must be printable text' })
  name?: string;

  /** `suspended` refuses every call and token of the tenant until it is `active` again; nobody is logged out. */
  @IsOptional()
  @IsIn(TENANT_STATUSES)
  status?: TenantStatus;
}

/** Of a query: Number() would also take `0x10`, `1e1`, ` 5` and nothing at all. */
function toWholeNumber(value: unknown): unknown {
  return typeof value === 'string' && /^\d{1,9}$/.test(value) ? Number(value) : value;
}

export class ListTenantsQueryDto {
  /** How many at most. */
  @IsOptional()
  @Transform(({ value }: { value: unknown }) => toWholeNumber(value))
  @IsInt()
  @Min(1)
  @Max(200)
  limit: number = 50;

  /** The `next_cursor` of the page before. */
  @IsOptional()
  @IsString()
  @Matches(TENANT_ID, { message: 'cursor must be the next_cursor of an earlier page' })
  cursor?: string;
}

export class TenantViewDto {
  /** @example acme */
  tenant_id!: string;
  /** @example "Acme Corp" */
  name!: string;
  /** @example active */
  status!: TenantStatus;
  /** @example 900 */
  access_token_ttl_seconds!: number;
  /** @example 2592000 */
  refresh_token_ttl_seconds!: number;
  /** @example 7776000 */
  session_max_lifetime_seconds!: number;
  /** @example 10 */
  refresh_grace_seconds!: number;
  /** @example 100 */
  max_sessions_per_user!: number;
  /** @example acme */
  audience!: string;
  /** @example serve */
  on_store_outage!: OutagePolicy;
  /** @example 2000 */
  rate_limit_per_second!: number;
  /** @example 500 */
  api_key_rate_limit_per_second!: number;
  /** @example 2 */
  rate_limit_burst_seconds!: number;
  /** @example 2048 */
  rsa_modulus_bits!: RsaModulusBits;
  /** Unix time in seconds. @example 1795000000 */
  created_at!: number;
  /** Unix time in seconds. @example 1795000000 */
  updated_at!: number;
}

export class CreatedTenantDto extends TenantViewDto {
  /** The tenant's first API key, with every scope. It is shown this once; only its hash is kept. @example sk_acme_9f86d081884c7d65_... */
  api_key!: string;
}

export class TenantPageDto {
  tenants!: TenantViewDto[];
  /** Present while there may be more. @example acme */
  next_cursor?: string;
}

export function toChange(dto: ChangeTenantDto | CreateTenantDto): TenantChange {
  return {
    ...(dto.name == null ? {} : { name: dto.name }),
    ...('status' in dto && dto.status ? { status: dto.status } : {}),
    settings: {
      accessTokenTtlSeconds: dto.access_token_ttl_seconds,
      refreshTokenTtlSeconds: dto.refresh_token_ttl_seconds,
      sessionMaxLifetimeSeconds: dto.session_max_lifetime_seconds,
      refreshGraceSeconds: dto.refresh_grace_seconds,
      maxSessionsPerUser: dto.max_sessions_per_user,
      audience: dto.audience,
      onStoreOutage: dto.on_store_outage,
      rateLimitPerSecond: dto.rate_limit_per_second,
      apiKeyRateLimitPerSecond: dto.api_key_rate_limit_per_second,
      rateLimitBurstSeconds: dto.rate_limit_burst_seconds,
      rsaModulusBits: dto.rsa_modulus_bits,
    },
  };
}

export function toView(tenant: Tenant, settings: TenantSettings): TenantViewDto {
  return {
    tenant_id: tenant.tenantId,
    name: tenant.name,
    status: tenant.status,
    access_token_ttl_seconds: settings.accessTokenTtlSeconds,
    refresh_token_ttl_seconds: settings.refreshTokenTtlSeconds,
    session_max_lifetime_seconds: settings.sessionMaxLifetimeSeconds,
    refresh_grace_seconds: settings.refreshGraceSeconds,
    max_sessions_per_user: settings.maxSessionsPerUser,
    audience: settings.audience,
    on_store_outage: settings.onStoreOutage,
    rate_limit_per_second: settings.rateLimitPerSecond,
    api_key_rate_limit_per_second: settings.apiKeyRateLimitPerSecond,
    rate_limit_burst_seconds: settings.rateLimitBurstSeconds,
    rsa_modulus_bits: settings.rsaModulusBits,
    created_at: toSeconds(tenant.createdAtMs),
    updated_at: toSeconds(tenant.updatedAtMs),
  };
}
