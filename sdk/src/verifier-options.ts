/** How a verifier is set up, and what it tells of itself. */
import type { TransportOptions } from './transport.js';

/**
 * What happens while the copy of the revocations is older than wanted. `ask`: the service, for each request; when it
 * does not answer either, nothing is decided (a 503). `refuse`: nothing is decided. `accept`: what was known last
 * counts, and the session says `stale`.
 */
export type WhenStale = 'ask' | 'refuse' | 'accept';

/** `starting` until the feed was read; `following`; `stale` while it is older than `maxStalenessMs`. */
export type VerifierState = 'starting' | 'following' | 'stale' | 'closed';

export interface StateChange {
  readonly state: VerifierState;
  readonly previous: VerifierState;
  /** Age of what is known of revocations; null when nothing is. */
  readonly ageMs: number | null;
  /** What went wrong last, if anything did. */
  readonly cause: unknown;
}

export interface VerifierOptions extends TransportOptions {
  /** The tenant; read out of the API key when it is left out. */
  readonly tenantId?: string | undefined;
  /** A tenant's API key with `revocations:read`, and with `sessions:validate` for `whenStale: 'ask'`. */
  readonly apiKey?: string | undefined;
  /** `none`: signature, claims and times only; a revoked token then passes until it expires. */
  readonly revocations?: 'follow' | 'none' | undefined;
  readonly maxStalenessMs?: number | undefined;
  readonly whenStale?: WhenStale | undefined;
  /** The service's PUBLIC_URL with `/tenants/<id>`, when `url` is another one. */
  readonly issuer?: string | undefined;
  /** The tenant's `audience`; its id by default. */
  readonly audience?: string | undefined;
  /** Between two fetches of the keys, however many unknown keys tokens name. */
  readonly jwksCooldownMs?: number | undefined;
  /** Memory for tokens whose signature is known to be good; 0 computes it each time. */
  readonly tokenCacheMb?: number | undefined;
  readonly maxRevocations?: number | undefined;
  /** For logs and metrics. */
  readonly onStateChange?: ((change: StateChange) => void) | undefined;
  /** Milliseconds since 1970, for tests. */
  readonly nowMs?: (() => number) | undefined;
}
