/** Key rings in use: opened once, kept in a bounded cache, fetched again when another instance has a newer one. */
import { Injectable, type OnApplicationBootstrap } from '@nestjs/common';
import { LRUCache } from 'lru-cache';
import { Clock } from '../clock.js';
import { AppError, BootError } from '../errors.js';
import { ReadCache } from '../read-cache.js';
import { StoreBudget } from '../store-budget.js';
import { TenantChanges } from '../tenants/tenant-changes.js';
import { TenantsService } from '../tenants/tenants.service.js';
import { Envelope } from './envelope.js';
import { KeyRingStore, type KeyRing } from './key-ring.js';
import { UnreadableKeyError } from './key-provider.js';
import { OpenKeyRing } from './open-key-ring.js';

const MAX_OPEN_RINGS = 10_000;
const RINGS_TRIED_AT_BOOT = 20;
/** Bounds what invented kids cost the store, and how long a token with a brand-new kid waits for its key. */
const REFETCH_INTERVAL_MS = 100;

@Injectable()
export class KeyRingsService implements OnApplicationBootstrap {
  private readonly cache: ReadCache<OpenKeyRing>;
  private readonly refetching = new Map<string, Promise<OpenKeyRing>>();
  private readonly refetchedAtMs = new LRUCache<string, number>({ max: MAX_OPEN_RINGS });
  /** The ring last opened for a tenant, so that a re-read which finds no change parses no key again. */
  private readonly opened = new LRUCache<string, OpenKeyRing>({ max: MAX_OPEN_RINGS });

  private hasOpened = false;

  constructor(
    private readonly store: KeyRingStore,
    private readonly envelope: Envelope,
    private readonly tenants: TenantsService,
    changes: TenantChanges,
    private readonly clock: Clock,
  ) {
    this.cache = new ReadCache({
      maxEntries: MAX_OPEN_RINGS,
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

  /**
   * Tries the key provider on what it sealed before. A store that does not answer yet is not judged.
   * @throws BootError when it does not open that: the service would refuse every token, or seal under a wrong key
   */
  async onApplicationBootstrap(): Promise<void> {
    if ((await this.tryKeys()) === 'unreadable') throw new BootError(this.envelope.remedy);
  }

  /** Whether this instance has opened any tenant's keys: then it goes on without the store. */
  get haveOpened(): boolean {
    return this.hasOpened;
  }

  /** A sentence for the operator whose keys do not open. */
  get remedy(): string {
    return this.envelope.remedy;
  }

  /** @returns `unknown` when store or key provider did not say; `none` while there is no tenant */
  async tryKeys(): Promise<'opened' | 'none' | 'unreadable' | 'unknown'> {
    if (this.hasOpened) return 'opened';
    try {
      for (const { tenantId } of await this.tenants.list({ after: '', limit: RINGS_TRIED_AT_BOOT })) {
        const ring = await this.store.find(tenantId);
        if (ring?.wrappedDataKey) (await this.open(ring)).tryKeys(this.clock.nowMs());
      }
      return this.hasOpened ? 'opened' : 'none';
    } catch (error) {
      if (error instanceof UnreadableKeyError) return 'unreadable';
      if (!(error instanceof AppError)) throw error;
      return 'unknown';
    }
  }

  /** @throws AppError tenant_not_found */
  async get(tenantId: string): Promise<OpenKeyRing> {
    return present(await this.cache.get(tenantId));
  }

  /** What `get` would answer without asking the store; undefined when it would ask. */
  peek(tenantId: string): OpenKeyRing | undefined {
    return this.cache.peek(tenantId);
  }

  /**
   * The ring as the store has it now: for a kid that is not known here, because another instance made it a moment
   * ago. However many ask, the store is asked once in REFETCH_INTERVAL_MS a tenant.
   */
  refetch(tenantId: string): Promise<OpenKeyRing> {
    return StoreBudget.wait(() => this.refetchInTurn(tenantId));
  }

  private refetchInTurn(tenantId: string): Promise<OpenKeyRing> {
    const pending = this.refetching.get(tenantId);
    if (pending) return pending;
    const fetched = this.turnToRefetch(tenantId).then(async () => {
      this.refetchedAtMs.set(tenantId, performance.now());
      // Who asks from here on may know of a newer kid than this read will find.
      this.refetching.delete(tenantId);
      return present(await this.cache.reload(tenantId));
    });
    this.refetching.set(tenantId, fetched);
    return fetched;
  }

  private async turnToRefetch(tenantId: string): Promise<void> {
    const waitMs = (this.refetchedAtMs.get(tenantId) ?? 0) + REFETCH_INTERVAL_MS - performance.now();
    if (waitMs > 0) await new Promise((resolve) => setTimeout(resolve, waitMs));
  }

  /** For routes that name a tenant before anything else has looked it up. @throws AppError tenant_not_found */
  async getForKnownTenant(tenantId: string): Promise<OpenKeyRing> {
    await this.tenants.get(tenantId);
    return this.get(tenantId);
  }

  private async load(tenantId: string): Promise<OpenKeyRing | null> {
    const ring = await this.store.find(tenantId);
    if (!ring || ring.signingKeys.length === 0) return null;
    const known = this.opened.get(tenantId);
    if (known && isSameRing(known.ring, ring)) return known;
    const opened = await this.open(ring, known);
    this.opened.set(tenantId, opened);
    return opened;
  }

  /** Rings change far more often than their data keys: the key provider is not asked again for the same one. */
  private async open(ring: KeyRing, known?: OpenKeyRing): Promise<OpenKeyRing> {
    const dataKey =
      known?.dataKey.wrapped === ring.wrappedDataKey
        ? known.dataKey
        : await this.envelope.openDataKey(ring.wrappedDataKey, ring.tenantId);
    this.hasOpened = true;
    return new OpenKeyRing(ring, dataKey);
  }
}

/** Versions start again in a store that was emptied; kids never do. */
function isSameRing(one: KeyRing, other: KeyRing): boolean {
  return one.version === other.version && one.signingKeys.at(-1)?.kid === other.signingKeys.at(-1)?.kid;
}

function present(ring: OpenKeyRing | null): OpenKeyRing {
  if (!ring) throw new AppError('tenant_not_found');
  return ring;
}
