/**
 * Finds out what a tenant's readers must hear of beside revocations: which keys verify, whether the tenant is there
 * and active, whether the API keys that let the readers in still do.
 */
import type { Clock } from '../clock.js';
import { AppError } from '../errors.js';
import type { KeyRingsService } from '../keys/key-rings.service.js';
import type { OpenKeyRing } from '../keys/open-key-ring.js';
import type { ApiKeysService } from '../tenants/api-keys.service.js';
import type { TenantsService } from '../tenants/tenants.service.js';
import type { FeedFollower } from './feed-follower.js';
import type { TenantFeed } from './tenant-feed.js';

export interface Sources {
  readonly follower: FeedFollower;
  readonly tenants: TenantsService;
  readonly keyRings: KeyRingsService;
  readonly apiKeys: ApiKeysService;
  readonly clock: Clock;
}

export class TenantReview {
  private running: Promise<void> | null = null;
  private again = false;
  private changes = 0;
  /** Up to when everything is known, while something was heard of and not found out yet; else null. */
  private knownUntilMs: number | null = null;

  constructor(
    private readonly feed: TenantFeed,
    private ring: OpenKeyRing,
    private readonly sources: Sources,
  ) {}

  /** Something of the tenant may have changed since the last completed read of the change feed was issued. */
  heardOfChange(): void {
    this.changes++;
    this.knownUntilMs ??= performance.now() - this.sources.follower.ageMs();
  }

  /** Age of what the readers have been told, in ms: a change that was heard of is not known before it is found out. */
  ageMs(): number {
    const replicaMs = this.sources.follower.ageMs();
    if (this.knownUntilMs === null) return replicaMs;
    return Math.max(replicaMs, Math.round(performance.now() - this.knownUntilMs));
  }

  /** From memory as a rule. One at a time, so that what was found out earlier is never told later. */
  run(): Promise<void> {
    this.again = this.running !== null;
    this.running ??= this.runUntilDone().finally(() => (this.running = null));
    return this.running;
  }

  /** What time alone changes: keys that are gone, API keys that have expired. */
  byTheClock(): void {
    const nowMs = this.sources.clock.nowMs();
    this.feed.setKids(this.ring.publishedKids(nowMs), this.sources.follower.positionId);
    for (const reader of this.feed.readers) {
      const expiresAtMs = reader.key?.expiresAtMs ?? null;
      if (expiresAtMs !== null && nowMs >= expiresAtMs) reader.end('api_key_ended');
    }
  }

  private async runUntilDone(): Promise<void> {
    do {
      this.again = false;
      await this.runOnce();
    } while (this.again);
  }

  private async runOnce(): Promise<void> {
    const { changes } = this;
    const { tenantId } = this.feed;
    const { tenants, keyRings } = this.sources;
    try {
      const tenant = await tenants.get(tenantId);
      if (tenant.status === 'suspended') return this.feed.endAll('tenant_suspended');
      this.ring = await keyRings.get(tenantId);
      await this.reviewApiKeys();
      // While the store does not answer, what was kept is served, which may be what has changed.
      const isFresh = tenants.peek(tenantId) !== undefined && keyRings.peek(tenantId) !== undefined;
      if (isFresh && changes === this.changes) this.knownUntilMs = null;
    } catch (error) {
      if (!(error instanceof AppError)) throw error;
      // Of any other error nothing follows: it is found out next time.
      if (error.code === 'tenant_not_found') return this.feed.endAll('tenant_deleted');
    }
    this.byTheClock();
  }

  private async reviewApiKeys(): Promise<void> {
    const keyIds = new Set([...this.feed.readers].flatMap(({ key }) => key?.keyId ?? []));
    for (const keyId of keyIds) {
      if (await this.sources.apiKeys.find(this.feed.tenantId, keyId)) continue;
      for (const reader of this.feed.readers) if (reader.key?.keyId === keyId) reader.end('api_key_ended');
    }
  }
}
