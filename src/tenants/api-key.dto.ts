import {
  ArrayMaxSize,
  ArrayMinSize,
  IsArray,
  IsIn,
  IsInt,
  IsOptional,
  IsString,
  Length,
  Matches,
  Max,
  Min,
  ValidateBy,
} from 'class-validator';
import { toSeconds } from '../clock.js';
import { SCOPES, type Scope } from '../http/access.js';
import { RATE_LIMIT_BOUNDS } from '../rate-limit-settings.js';
import type { ApiKey } from './api-key.js';

/** class-validator's ArrayUnique compares each with each: 64 KiB of numbers keep the process busy for 0.1 s. */
function HasNoDoubles(): PropertyDecorator {
  return ValidateBy({
    name: 'hasNoDoubles',
    validator: {
      validate: (value) => Array.isArray(value) && new Set(value).size === value.length,
      defaultMessage: () => '$property must not name one twice',
    },
  });
}

export class IssueApiKeyDto {
  /** For people: which service holds it. @example checkout */
  @IsString()
  @Length(1, 128)
  @Matches(/^[^\p{C}\p{Zl}\p{Zp}]*$/u, { message: 'name must be printable text' })
  name!: string;

  /** @example ["sessions:validate"] */
  @IsArray()
  @ArrayMinSize(1)
  @ArrayMaxSize(SCOPES.length)
  @HasNoDoubles()
  @IsIn(SCOPES, { each: true })
  scopes!: Scope[];

  /** Seconds from now after which the key is refused; without it the key does not expire. @example 7776000 */
  @IsOptional()
  @IsInt()
  @Min(1)
  @Max(315_360_000)
  expires_in?: number;

  /** Requests a second with this key, in place of the tenant's setting; 0: no limit. Platform key only. @example 200 */
  @IsOptional()
  @IsInt()
  @Min(RATE_LIMIT_BOUNDS.apiKeyRateLimitPerSecond[0])
  @Max(RATE_LIMIT_BOUNDS.apiKeyRateLimitPerSecond[1])
  rate_limit_per_second?: number;
}

export class ApiKeyViewDto {
  /** @example 9f86d081884c7d65 */
  key_id!: string;
  /** @example checkout */
  name!: string;
  /** @example ["sessions:validate"] */
  scopes!: string[];
  /** Unix time in seconds. @example 1795000000 */
  created_at!: number;
  /** Unix time in seconds; null when the key does not expire. @example 1802776000 */
  expires_at!: number | null;
  /** Requests a second with this key; null when the tenant's setting applies. @example 200 */
  rate_limit_per_second!: number | null;
}

export class IssuedApiKeyDto extends ApiKeyViewDto {
  /** The key itself. It is shown this once; only its hash is kept. @example sk_acme_9f86d081884c7d65_... */
  api_key!: string;
}

export class ApiKeyListDto {
  api_keys!: ApiKeyViewDto[];
}

export function toView(apiKey: ApiKey): ApiKeyViewDto {
  return {
    key_id: apiKey.keyId,
    name: apiKey.name,
    scopes: [...apiKey.scopes],
    created_at: toSeconds(apiKey.createdAtMs),
    expires_at: apiKey.expiresAtMs === null ? null : toSeconds(apiKey.expiresAtMs),
    rate_limit_per_second: apiKey.rateLimitPerSecond ?? null,
  };
}
