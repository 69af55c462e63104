/** What metrics say of keys, from what a ring says without being opened; kept, and read again when a ring changes. */
import { Injectable } from '@nestjs/common';
import { Clock } from '../clock.js';
import { Config } from '../config.js';
import { ReadCache } from '../read-cache.js';
import { TenantChanges } from '../tenants/tenant-changes.js';
import { activeKey, KeyRingStore, type SigningKey } from './key-ring.js';

const DAY_SECONDS = 86_400;
const MAX_TENANTS_IN_TROUBLE = 100;

export interface KeyAge {
  readonly epoch: number;
  /** For how long the key that signs has been signing; null while none does. */
  readonly ageSeconds: number | null;
  /** How much longer than it should have; 0 when all is well. */
  readonly overdueSeconds: number;
}

interface RingTimes {
  readonly epoch: number;
  readonly signingKeys: readonly Omit<SigningKey, 'publicKey' | 'sealedPrivateKey'>[];
}

@Injectable()
export class KeyAges {
  private readonly cache: ReadCache<RingTimes>;
  /** Tenants whose rotation failed here; there may be more tenants than have metrics of their own. */
  private readonly troubled = new Set<string>();

  constructor(
    private readonly store: KeyRingStore,
    private readonly config: Config,
    private readonly clock: Clock,
    changes: TenantChanges,
  ) {
    this.cache = new ReadCache({
      maxEntries: Math.max(1, config.metricsMaxTenants + MAX_TENANTS_IN_TROUBLE),
      isCurrent: () => changes.isCurrent(),
      load: (tenantId) => this.load(tenantId),
    });
    changes.subscribe({
      changed: (event) => {
        if (event.kind !== 'api_key_changed') this.cache.invalidate(event.tenantId);
      },
      missedChanges: () => this.cache.invalidateAll(),
    });
  }

  /** @returns null for a tenant that has no keys, because it is not there (any more) */
  async of(tenantId: string): Promise<KeyAge | null> {
    const ring = await this.cache.get(tenantId);
    if (!ring) return null;
    const nowMs = this.clock.nowMs();
    const active = activeKey(ring.signingKeys, ring.epoch, nowMs);
    if (!active) return { epoch: ring.epoch, ageSeconds: null, overdueSeconds: 0 };
    const ageSeconds = (nowMs - active.activatesAtMs) / 1000;
    const overdueSeconds = Math.max(0, ageSeconds - this.config.keyRotationDays * DAY_SECONDS);
    return { epoch: ring.epoch, ageSeconds, overdueSeconds };
  }

  rotationFailed(tenantId: string): void {
    if (this.troubled.size < MAX_TENANTS_IN_TROUBLE) this.troubled.add(tenantId);
  }

  /** Of the tenants whose rotation failed, those that are in trouble still. @returns how much overdue at most */
  async overdueOfTroubled(): Promise<number> {
    let most = 0;
    for (const tenantId of this.troubled) {
      const overdueSeconds = (await this.of(tenantId))?.overdueSeconds ?? 0;
      if (overdueSeconds === 0) this.troubled.delete(tenantId);
      most = Math.max(most, overdueSeconds);
    }
    return most;
  }

  /** Without what was sealed: this needs no key provider. */
  private async load(tenantId: string): Promise<RingTimes | null> {
    const ring = await this.store.find(tenantId);
    if (!ring || ring.signingKeys.length === 0) return null;
    const signingKeys = ring.signingKeys.map(
      ({ kid, epoch, activatesAtMs, retiresAtMs, expiresAtMs, revokedAtMs }) => {
        return { kid, epoch, activatesAtMs, retiresAtMs, expiresAtMs, revokedAtMs };
      },
    );
    return { epoch: ring.epoch, signingKeys };
  }
}
