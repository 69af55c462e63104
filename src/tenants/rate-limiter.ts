/**
 * Holds each tenant and each API key to its rate. A request is counted in memory and waits for nobody; what was
 * counted is told to the other instances in the background, and what they counted is heard. While the store does not
 * answer, each instance limits by itself.
 */
import {
  Injectable,
  Logger,
  type BeforeApplicationShutdown,
  type OnApplicationBootstrap,
} from '@nestjs/common';
import { LRUCache } from 'lru-cache';
import { Clock } from '../clock.js';
import { Config } from '../config.js';
import { AppError } from '../errors.js';
import type { TenantPrincipal } from '../http/principal.js';
import { rateLimit, SharedBuckets, TokenBucket, type RateLimit } from './rate-limit.js';
import type { Tenant } from './tenant.js';

/** What one of them does is known to the others after two of these at most, while there are no more than fit. */
const SYNC_INTERVAL_MS = 200;
/** Those that have waited longest come first; the others have their turn in the next round. */
const BUCKETS_PER_SYNC = 500;
/** About 250 bytes each. One that is dropped begins anew, full, and hears of the others within one round. */
const MAX_BUCKETS = 60_000;

/** Which limit it was that a request met; the names that the RateLimit headers use. */
type Policy = 'tenant' | 'api_key';

export interface Admission {
  /** null: the request may go on; else seconds to wait. */
  readonly retryAfterSeconds: number | null;
  /** The headers of draft-ietf-httpapi-ratelimit-headers-11; null where nothing is limited. */
  readonly headers: { readonly 'ratelimit-policy': string; readonly ratelimit: string } | null;
}

const UNLIMITED: Admission = { retryAfterSeconds: null, headers: null };

interface Held {
  readonly policy: Policy;
  readonly name: string;
  readonly bucket: TokenBucket;
}

@Injectable()
export class RateLimiter implements OnApplicationBootstrap, BeforeApplicationShutdown {
  private readonly logger = new Logger('RateLimiter');
  private readonly buckets = new LRUCache<string, TokenBucket>({ max: MAX_BUCKETS });
  /** Names of buckets with something to tell, oldest first. */
  private readonly untold = new Set<string>();
  private timer: NodeJS.Timeout | undefined;
  private stopped = false;
  private alone = false;

  constructor(
    private readonly shared: SharedBuckets,
    private readonly config: Config,
    private readonly clock: Clock,
  ) {}

  onApplicationBootstrap(): void {
    this.schedule();
  }

  beforeApplicationShutdown(): void {
    this.stopped = true;
    clearTimeout(this.timer);
  }

  /**
   * Counts a request, unless the tenant or the API key has had its share.
   * @param urgent may overdraw: who floods the service can still end sessions, as many again as come at once
   */
  admit(caller: TenantPrincipal, tenant: Tenant, { urgent }: { urgent: boolean }): Admission {
    const { ofTenant, ofApiKey } = this.limitsOf(caller, tenant);
    if (!ofTenant && !ofApiKey) return UNLIMITED;
    const held: Held[] = [];
    if (ofTenant) held.push(this.hold('tenant', caller.tenantId, ofTenant));
    if (ofApiKey) held.push(this.hold('api_key', nameOf(caller), ofApiKey));
    const nowMs = this.clock.monotonicMs();
    let retryAfterSeconds: number | null = null;
    for (const { name, bucket } of held) {
      const least = urgent ? 1 - bucket.limit.burst : 1;
      this.untold.add(name);
      if (bucket.admits(least, nowMs)) continue;
      retryAfterSeconds = Math.max(retryAfterSeconds ?? 0, bucket.secondsUntil(least));
    }
    if (retryAfterSeconds === null) for (const { bucket } of held) bucket.take(1);
    return { retryAfterSeconds, headers: headersOf(held) };
  }

  /** For a request that turns out to be as much work as several. It is not refused; the next ones may be. */
  charge(caller: TenantPrincipal, requests: number): void {
    for (const name of [caller.tenantId, nameOf(caller)]) {
      this.buckets.get(name)?.take(requests);
      this.untold.add(name);
    }
  }

  /** One round of telling and hearing. */
  async reconcile(): Promise<void> {
    const telling = this.take(BUCKETS_PER_SYNC);
    if (telling.length === 0) return;
    try {
      // The levels are those of this moment, however long the answer takes: what is gained meanwhile comes on top.
      const askedAtMs = this.clock.monotonicMs();
      const levels = await this.shared.spend(telling, this.clock.nowMs());
      for (const [at, { held, asked }] of telling.entries()) {
        const level = levels[at];
        if (level) held.hear(level, asked, askedAtMs);
      }
      this.alone = false;
    } catch (error) {
      // What was told and not answered is forgotten: nobody is to pay for an outage afterwards.
      for (const { held } of telling) held.hearNothing();
      this.report(error);
    }
  }

  private schedule(): void {
    if (this.stopped) return;
    const round = (): void => void this.reconcile().finally(() => this.schedule());
    this.timer = setTimeout(round, SYNC_INTERVAL_MS).unref();
  }

  private take(most: number) {
    const telling = [];
    for (const bucket of this.untold) {
      if (telling.length === most) break;
      this.untold.delete(bucket);
      const held = this.buckets.peek(bucket);
      if (held) telling.push({ bucket, held, limit: held.limit, ...held.tell() });
    }
    return telling;
  }

  /** Once for an outage. */
  private report(error: unknown): void {
    if (!(error instanceof AppError)) {
      this.logger.error({ event: 'rate_limits_failed', cause: (error as Error).stack });
    } else if (!this.alone) {
      this.logger.warn({ event: 'rate_limits_not_shared' });
    }
    this.alone = true;
  }

  private limitsOf({ rateLimitPerSecond }: TenantPrincipal, { overrides }: Tenant) {
    const { rateLimits } = this.config;
    const burstSeconds = overrides.rateLimitBurstSeconds ?? rateLimits.rateLimitBurstSeconds;
    const ofTenant = overrides.rateLimitPerSecond ?? rateLimits.rateLimitPerSecond;
    const ofApiKey =
      rateLimitPerSecond ?? overrides.apiKeyRateLimitPerSecond ?? rateLimits.apiKeyRateLimitPerSecond;
    return { ofTenant: rateLimit(ofTenant, burstSeconds), ofApiKey: rateLimit(ofApiKey, burstSeconds) };
  }

  /** A limit that was changed begins with a full bucket. */
  private hold(policy: Policy, name: string, limit: RateLimit): Held {
    let bucket = this.buckets.get(name);
    if (bucket?.limit.perSecond !== limit.perSecond || bucket.limit.burst !== limit.burst) {
      bucket = new TokenBucket(limit, this.clock.monotonicMs());
      this.buckets.set(name, bucket);
    }
    return { policy, name, bucket };
  }
}

function nameOf({ tenantId, keyId }: TenantPrincipal): string {
  return `${tenantId}/${keyId}`;
}

/** `q` requests in any `w` seconds; `r` of them are left, and all of them again after `t` seconds without any. */
function headersOf(held: readonly Held[]): Admission['headers'] {
  let policies = '';
  let states = '';
  for (const { policy, bucket } of held) {
    const { burst, perSecond } = bucket.limit;
    const comma = policies === '' ? '' : ', ';
    policies += `${comma}"${policy}";q=${burst};w=${burst / perSecond}`;
    states += `${comma}"${policy}";r=${bucket.remaining};t=${bucket.secondsUntil(burst)}`;
  }
  return { 'ratelimit-policy': policies, ratelimit: states };
}
