/**
 * Changes to key rings: made, rotated, killed, moved to a new epoch. Each change is a pure function of the ring,
 * kept by compare-and-set and told through the feed, so that any instance may do it and no two undo each other.
 */
import { Injectable } from '@nestjs/common';
import { Clock } from '../clock.js';
import { AppError } from '../errors.js';
import type { Happening } from '../happening.js';
import { Happenings } from '../http/happenings.js';
import type { TenantProvisioner, TenantSettings } from '../tenants/tenant.js';
import { TenantChanges } from '../tenants/tenant-changes.js';
import { TenantsService } from '../tenants/tenants.service.js';
import { Envelope, type DataKey } from './envelope.js';
import { KeyFactory } from './key-factory.js';
import {
  activateNext,
  emptyRing,
  isFull,
  killKey,
  KeyRingStore,
  needsSuccessor,
  nextEpoch,
  nextKey,
  publishNext,
  PUBLISH_LEAD_MS,
  stateIn,
  type FreshKeys,
  type KeyRing,
} from './key-ring.js';
import { KeyProvider, UnreadableKeyError } from './key-provider.js';

/** Of changes to one ring at once, each attempt lets one through: this many can meet and none fails. */
const MAX_REPLACE_ATTEMPTS = 64;

/** New tenants take turns with those that there are as if they were one; no tenant has this id. */
const CREATIONS = '';

/** From when the next key shall sign, or that the published one shall now; null: all is well. */
type Publication = { readonly activatesAtMs: number } | 'activate' | null;

/** A ring as it shall be, and what has happened when it is. */
interface RingChange {
  readonly ring: KeyRing;
  readonly done: Happening | null;
}

@Injectable()
export class KeyLifecycleService implements TenantProvisioner {
  /** Epochs that have not begun, because their keys are still being made. */
  private readonly nextEpochs = new Map<string, Promise<number>>();

  constructor(
    private readonly store: KeyRingStore,
    private readonly factory: KeyFactory,
    private readonly envelope: Envelope,
    private readonly provider: KeyProvider,
    private readonly tenants: TenantsService,
    private readonly changes: TenantChanges,
    private readonly happenings: Happenings,
    private readonly clock: Clock,
  ) {
    tenants.addProvisioner(this);
  }

  /** Nobody holds the ring of a tenant that is not there yet: it is not announced. */
  async provision(tenantId: string, settings: TenantSettings): Promise<void> {
    await this.compareAndSet(tenantId, async (ring) => {
      if (ring.signingKeys.length === 0) {
        const fresh = await this.makeKeys(ring, settings.rsaModulusBits, CREATIONS);
        return nextEpoch(ring, fresh, this.clock.nowMs());
      }
      // Made by a creation that was cut short; a tenant whose keys cannot be read must not come to be.
      await this.dataKeyOf(ring);
      return null;
    });
  }

  /** The deletion of the tenant is announced, and its keys with it. */
  async deprovision(tenantId: string): Promise<void> {
    await this.compareAndSet(tenantId, async (ring) =>
      ring.signingKeys.length === 0
        ? null // there was no such tenant, or its deletion was cut short
        : nextEpoch(ring, null, this.clock.nowMs()),
    );
  }

  /**
   * Revokes everything that the tenant's keys signed so far. Who asks for it while the keys of the next epoch are
   * being made shares that epoch: it begins later, and nobody's keys are made in vain.
   * @returns the new epoch
   */
  async advanceEpoch(tenantId: string): Promise<number> {
    const sooner = this.nextEpochs.get(tenantId);
    if (sooner) return sooner;
    const close = (): void =>
      void (this.nextEpochs.get(tenantId) === next && this.nextEpochs.delete(tenantId));
    const next = this.toNextEpoch(tenantId, close).finally(close);
    this.nextEpochs.set(tenantId, next);
    return next;
  }

  /** @param close is called before the epoch may have begun */
  private async toNextEpoch(tenantId: string, close: () => void): Promise<number> {
    const fresh = this.freshOnce(tenantId);
    // Who asked for it tells of it: it ends sessions first of all.
    const ring = await this.replace(tenantId, async (before) => {
      const keys = await fresh(before);
      close();
      return { ring: nextEpoch(before, keys, this.clock.nowMs()), done: null };
    });
    return ring.epoch;
  }

  /**
   * Publishes the next key, unless one is published already, and lets it sign when no cache can be without it.
   * @param now lets it sign at once
   * @throws AppError rate_limited when the ring is full of keys that still verify
   */
  async rotate(tenantId: string, { now }: { now: boolean }): Promise<KeyRing> {
    return this.publish(tenantId, (ring, nowMs) => {
      if (nextKey(ring.signingKeys, ring.epoch, nowMs)) return now ? 'activate' : null;
      return { activatesAtMs: now ? nowMs : nowMs + PUBLISH_LEAD_MS };
    });
  }

  /**
   * Publishes the next key when `decide` says so, from when it shall sign.
   * @param decide gets the ring as it is in the store
   */
  async publish(tenantId: string, decide: (ring: KeyRing, nowMs: number) => Publication): Promise<KeyRing> {
    const fresh = this.freshOnce(tenantId);
    return this.replace(tenantId, async (ring) => {
      const wanted = decide(ring, this.clock.nowMs());
      if (wanted === null) return null;
      if (wanted === 'activate') return activated(ring, this.clock.nowMs());
      if (isFull(ring, this.clock.nowMs())) {
        throw new AppError('rate_limited', {
          description:
            'Too many keys of this tenant still verify; rotate again when older ones have expired.',
        });
      }
      const keys = await fresh(ring);
      // Making the keys took time, and caches get theirs from now on.
      const nowMs = this.clock.nowMs();
      const decision = decide(ring, nowMs);
      if (typeof decision !== 'object' || !decision) return null;
      const { kid } = keys.signingKey;
      return {
        ring: publishNext(ring, keys, { ...decision, nowMs }),
        done: { kind: 'signing_key_published', tenantId, kid, activatesAtMs: decision.activatesAtMs },
      };
    });
  }

  /** @throws AppError not_found */
  async kill(tenantId: string, kid: string): Promise<void> {
    const fresh = this.freshOnce(tenantId);
    await this.replace(tenantId, async (ring) => {
      const nowMs = this.clock.nowMs();
      if (stateIn(ring, kid, nowMs) === 'gone') {
        throw new AppError('not_found', { description: 'There is no such key.' });
      }
      // A key with others beside it dies at once: nothing is made for it, and no key provider asked.
      const killed = needsSuccessor(ring, kid, nowMs)
        ? killKey(ring, kid, await fresh(ring), this.clock.nowMs())
        : killKey(ring, kid, null, nowMs);
      return killed && { ring: killed, done: { kind: 'signing_key_killed', tenantId, kid } };
    });
  }

  /**
   * Wraps the ring's data key under the newest master key.
   * @returns the key it is under now, and whether it moved; null for a tenant that has no keys (any more)
   */
  async reseal(tenantId: string): Promise<{ keyId: string; moved: boolean } | null> {
    let moved = false;
    // What the keys are has not changed: nobody needs to hear of it.
    const ring = await this.compareAndSet(tenantId, async (before) => {
      moved = false;
      if (before.wrappedDataKey === '') return null;
      const wrappedDataKey = await this.provider.rewrap(before.wrappedDataKey, tenantId);
      if (wrappedDataKey === null) return null;
      moved = true;
      return { ...before, wrappedDataKey, version: before.version + 1 };
    });
    if (!ring.wrappedDataKey) return null;
    const keyId = this.provider.keyIdOf(ring.wrappedDataKey);
    if (moved) this.happenings.tell({ kind: 'keys_resealed', tenantId, masterKeyId: keyId });
    return { keyId, moved };
  }

  /** Keys are made at most once, however often the compare-and-set has to be repeated. */
  private freshOnce(tenantId: string): (ring: KeyRing) => Promise<FreshKeys> {
    let made: { under: string; keys: FreshKeys } | null = null;
    return async (ring) => {
      if (made?.under === ring.wrappedDataKey) return made.keys;
      const { rsaModulusBits } = this.tenants.settings(await this.tenants.get(tenantId));
      made = { under: ring.wrappedDataKey, keys: await this.makeKeys(ring, rsaModulusBits, tenantId) };
      return made.keys;
    };
  }

  private async makeKeys(ring: KeyRing, modulusBits: number, who: string): Promise<FreshKeys> {
    return this.factory.make(await this.dataKeyOf(ring), modulusBits, who);
  }

  /** A new one only for a ring that has sealed nothing yet. */
  private async dataKeyOf({ tenantId, wrappedDataKey, ...ring }: KeyRing): Promise<DataKey> {
    if (wrappedDataKey) return this.envelope.openDataKey(wrappedDataKey, tenantId);
    if (ring.signingKeys.length > 0 || ring.refreshSecrets.length > 0) {
      throw new UnreadableKeyError(new Error('a ring has keys but no data key'));
    }
    return this.envelope.newDataKey(tenantId);
  }

  /** @param change returns null when the ring is fine as it is. @returns the ring afterwards */
  private async replace(
    tenantId: string,
    change: (ring: KeyRing) => Promise<RingChange | null>,
  ): Promise<KeyRing> {
    let done: Happening | null = null;
    const ring = await this.compareAndSet(tenantId, async (before) => {
      // Only its creation gives a tenant its first keys: one that is being deleted gets none.
      if (before.signingKeys.length === 0) throw new AppError('tenant_not_found');
      const changed = await change(before);
      done = changed?.done ?? null;
      return changed?.ring ?? null;
    });
    if (done) this.happenings.tell(done);
    // Also when nothing changed: an earlier attempt may have been cut short before the others heard of it.
    await this.changes.announce({ kind: 'keys_changed', tenantId });
    return ring;
  }

  private async compareAndSet(
    tenantId: string,
    change: (ring: KeyRing) => Promise<KeyRing | null>,
  ): Promise<KeyRing> {
    for (let attempt = 0; attempt < MAX_REPLACE_ATTEMPTS; attempt++) {
      const before = (await this.store.find(tenantId)) ?? emptyRing(tenantId);
      const after = await change(before);
      if (after && (await this.store.replace(after)) === 'conflict') continue;
      return after ?? before;
    }
    throw new AppError('store_unavailable', {
      description: "This tenant's keys are being changed elsewhere; try again.",
    });
  }
}

function activated(ring: KeyRing, nowMs: number): RingChange | null {
  const { tenantId, epoch, signingKeys } = ring;
  const next = nextKey(signingKeys, epoch, nowMs);
  const after = activateNext(ring, nowMs);
  if (!next || !after) return null;
  return { ring: after, done: { kind: 'signing_key_activated', tenantId, kid: next.kid } };
}
