/** The settings of rate limits: their bounds, and the service's defaults as the environment has them. */
import type { Reader } from './environment.js';

/** What a tenant's rate limits are unless it has its own; 0 switches one off. */
export interface RateLimitDefaults {
  /** Requests of a tenant, through all instances together. */
  readonly rateLimitPerSecond: number;
  /** Requests with one API key, through all instances together. */
  readonly apiKeyRateLimitPerSecond: number;
  /** For how many seconds' worth of requests may come at once. */
  readonly rateLimitBurstSeconds: number;
}

/** [minimum, maximum], for the service's defaults and tenants' own settings alike. */
export const RATE_LIMIT_BOUNDS = {
  rateLimitPerSecond: [0, 1_000_000],
  apiKeyRateLimitPerSecond: [0, 1_000_000],
  rateLimitBurstSeconds: [1, 60],
} as const satisfies Record<keyof RateLimitDefaults, readonly [number, number]>;

interface RateLimitSettings {
  readonly rateLimits: RateLimitDefaults;
  readonly failedAuthPerSecond: number;
}

/**
 * Tenants and API keys are not limited unless somebody who knows their size says so: a default would be too high for
 * one machine and too low for a brand with millions of users. Refused credentials are nobody's business.
 */
export function readRateLimits(read: Reader): RateLimitSettings {
  const { rateLimitPerSecond, apiKeyRateLimitPerSecond, rateLimitBurstSeconds } = RATE_LIMIT_BOUNDS;
  return {
    rateLimits: {
      rateLimitPerSecond: read.integer('RATE_LIMIT_TENANT_PER_SECOND', 0, rateLimitPerSecond),
      apiKeyRateLimitPerSecond: read.integer('RATE_LIMIT_API_KEY_PER_SECOND', 0, apiKeyRateLimitPerSecond),
      rateLimitBurstSeconds: read.integer('RATE_LIMIT_BURST_SECONDS', 2, rateLimitBurstSeconds),
    },
    failedAuthPerSecond: read.integer('RATE_LIMIT_FAILED_AUTH_PER_SECOND', 10, [0, 1_000_000]),
  };
}
