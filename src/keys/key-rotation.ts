/**
 * Automatic rotation: now and then some instance goes through the tenants and publishes the next key of those
 * whose key has nearly served its time. A lease in the store keeps the others from doing the same work; were two
 * at it all the same, the rings' compare-and-set would keep it right.
 */
import { randomInt } from 'node:crypto';
import {
  Injectable,
  Logger,
  type BeforeApplicationShutdown,
  type OnApplicationBootstrap,
} from '@nestjs/common';
import { Clock } from '../clock.js';
import { Config } from '../config.js';
import { AppError } from '../errors.js';
import { SafeError } from '../logging/safe-error.js';
import { TenantChanges } from '../tenants/tenant-changes.js';
import { TenantsService } from '../tenants/tenants.service.js';
import { KeyAges } from './key-ages.js';
import { KeyLifecycleService } from './key-lifecycle.service.js';
import { KeyRingStore, nextKey, rotationDue } from './key-ring.js';
import { Leases } from './leases.js';

const PASS_INTERVAL_MS = 3_600_000;
const LEASE_MS = PASS_INTERVAL_MS / 2;
const FIRST_PASS_WITHIN_MS = 60_000;
const PAGE = 200;
const DAY_MS = 86_400_000;

@Injectable()
export class KeyRotation implements OnApplicationBootstrap, BeforeApplicationShutdown {
  private readonly logger = new Logger('KeyRotation');
  private timer: NodeJS.Timeout | undefined;
  private stopped = false;

  constructor(
    private readonly tenants: TenantsService,
    private readonly rings: KeyRingStore,
    private readonly lifecycle: KeyLifecycleService,
    private readonly leases: Leases,
    private readonly changes: TenantChanges,
    private readonly ages: KeyAges,
    private readonly config: Config,
    private readonly clock: Clock,
  ) {}

  /** Instances that were started together do not all knock at once. */
  onApplicationBootstrap(): void {
    this.schedule(randomInt(FIRST_PASS_WITHIN_MS));
  }

  beforeApplicationShutdown(): void {
    this.stopped = true;
    clearTimeout(this.timer);
  }

  /** One pass, if no other instance is at it. @returns the tenants whose next key was published */
  async pass(): Promise<string[]> {
    if (!(await this.leases.acquire('key-rotation', LEASE_MS))) return [];
    const rotated: string[] = [];
    let after = '';
    for (;;) {
      const tenants = await this.tenants.list({ after, limit: PAGE });
      for (const { tenantId } of tenants) {
        if (this.stopped) return rotated;
        if (await this.rotateIfDue(tenantId)) rotated.push(tenantId);
      }
      after = tenants.at(-1)?.tenantId ?? '';
      if (tenants.length < PAGE) return rotated;
    }
  }

  /** One tenant's trouble is logged, and does not keep the others from their turn. */
  private async rotateIfDue(tenantId: string): Promise<boolean> {
    const due = { rotationMs: this.config.keyRotationDays * DAY_MS };
    try {
      const ring = await this.rings.find(tenantId);
      const nowMs = this.clock.nowMs();
      // Told again until it signs: an earlier pass may have been cut short before anybody heard of the key.
      if (ring && nextKey(ring.signingKeys, ring.epoch, nowMs)) {
        await this.changes.announce({ kind: 'keys_changed', tenantId });
      }
      if (!ring || !rotationDue(ring, { ...due, nowMs })) return false;
      await this.lifecycle.publish(tenantId, (fresh, nowMs) => rotationDue(fresh, { ...due, nowMs }));
      return true;
    } catch (error) {
      if (!(error instanceof AppError)) throw error;
      this.ages.rotationFailed(tenantId);
      this.logger.warn({ event: 'key_rotation_failed', tenant_id: tenantId, cause: SafeError.of(error) });
      return false;
    }
  }

  private schedule(inMs: number): void {
    this.timer = setTimeout(() => {
      this.pass()
        .catch((error: unknown) => {
          this.logger.warn({ event: 'key_rotation_pass_failed', cause: SafeError.of(error) });
        })
        .finally(() => {
          if (!this.stopped) this.schedule(PASS_INTERVAL_MS);
        });
    }, inMs).unref();
  }
}
