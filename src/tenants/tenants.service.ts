/** What may be done with tenants. Knows no keys and no sessions: what those need, they register. */
import { Injectable } from '@nestjs/common';
import { Clock } from '../clock.js';
import { Config } from '../config.js';
import { AppError } from '../errors.js';
import { SCOPES } from '../http/access.js';
import { Happenings } from '../http/happenings.js';
import { ReadCache } from '../read-cache.js';
import { issueApiKey } from './api-key.js';
import { TenantChanges } from './tenant-changes.js';
import {
  changeTenant,
  differences,
  settingsOf,
  TenantStore,
  type Tenant,
  type TenantChange,
  type TenantProvisioner,
  type TenantSettings,
} from './tenant.js';

const MAX_CACHED_TENANTS = 10_000;
/** Of changes to one tenant at once, each attempt lets one through: this many can meet and none fails. */
const MAX_UPDATE_ATTEMPTS = 64;

@Injectable()
export class TenantsService {
  private readonly provisioners: TenantProvisioner[] = [];
  private readonly cache: ReadCache<Tenant>;

  constructor(
    private readonly store: TenantStore,
    private readonly changes: TenantChanges,
    private readonly happenings: Happenings,
    private readonly config: Config,
    private readonly clock: Clock,
  ) {
    this.cache = new ReadCache({
      maxEntries: MAX_CACHED_TENANTS,
      isCurrent: () => changes.isCurrent(),
      load: (tenantId) => this.store.find(tenantId),
    });
    changes.subscribe({
      changed: (event) => {
        if (event.kind === 'tenant_changed') this.cache.invalidate(event.tenantId);
      },
      missedChanges: () => this.cache.invalidateAll(),
    });
  }

  addProvisioner(provisioner: TenantProvisioner): void {
    this.provisioners.push(provisioner);
  }

  /**
   * @returns the tenant and the text of its first API key, which has every scope and is not kept
   * @throws AppError tenant_exists
   */
  async create(
    tenantId: string,
    { name, settings }: TenantChange,
  ): Promise<{ tenant: Tenant; apiKey: string }> {
    if (await this.store.find(tenantId)) throw new AppError('tenant_exists');
    const nowMs = this.clock.nowMs();
    const blank: Tenant = {
      tenantId,
      name: tenantId,
      status: 'active',
      overrides: {},
      createdAtMs: nowMs,
      updatedAtMs: nowMs,
      version: 0,
    };
    const tenant = changeTenant(blank, { settings, ...(name === undefined ? {} : { name }) }, nowMs);
    for (const provisioner of this.provisioners) {
      await provisioner.provision(tenantId, this.settings(tenant));
    }
    const first = issueApiKey(tenantId, {
      name: 'first',
      scopes: SCOPES,
      createdAtMs: nowMs,
      expiresAtMs: null,
    });
    if ((await this.store.insert(tenant, first.apiKey)) === 'exists') throw new AppError('tenant_exists');
    const { keyId } = first.apiKey;
    this.happenings.tell({ kind: 'tenant_created', tenantId, name: tenant.name, keyId });
    return { tenant, apiKey: first.text };
  }

  /** From memory, as far as changes are heard of. @throws AppError tenant_not_found */
  async get(tenantId: string): Promise<Tenant> {
    return (await this.cache.get(tenantId)) ?? missing();
  }

  /** What `get` would answer without asking the store; undefined when it would ask. */
  peek(tenantId: string): Tenant | undefined {
    return this.cache.peek(tenantId);
  }

  async list(page: { after: string; limit: number }): Promise<Tenant[]> {
    return this.store.list(page);
  }

  settings(tenant: Tenant): TenantSettings {
    return settingsOf(tenant, { ...this.config.tokens, ...this.config.rateLimits });
  }

  /** @throws AppError tenant_not_found, or store_unavailable when other changes keep coming first */
  async change(tenantId: string, change: TenantChange): Promise<Tenant> {
    for (let attempt = 0; attempt < MAX_UPDATE_ATTEMPTS; attempt++) {
      const before = (await this.store.find(tenantId)) ?? missing();
      const after = changeTenant(before, change, this.clock.nowMs());
      const outcome = await this.store.update(after);
      if (outcome === 'missing') return missing();
      if (outcome === 'conflict') continue;
      this.happenings.tell(...differences(before, after));
      await this.changes.announce({ kind: 'tenant_changed', tenantId });
      return after;
    }
    throw new AppError('store_unavailable', {
      description: 'This tenant is being changed elsewhere; try again.',
    });
  }

  /** Its keys go first: from then on nothing it issued is accepted, even if this is cut short. */
  async delete(tenantId: string): Promise<void> {
    for (const provisioner of this.provisioners) await provisioner.deprovision(tenantId);
    const existed = await this.store.delete(tenantId);
    // Also when there was nothing: an earlier attempt may have been cut short before the others heard of it.
    await this.changes.announce({ kind: 'tenant_changed', tenantId });
    if (!existed) missing();
    this.happenings.tell({ kind: 'tenant_deleted', tenantId });
  }
}

function missing(): never {
  throw new AppError('tenant_not_found');
}
