/** API keys: issued, recognised and revoked, each inside its tenant. */
import { Injectable } from '@nestjs/common';
import { Clock } from '../clock.js';
import { AppError } from '../errors.js';
import { Happenings } from '../http/happenings.js';
import type { Principal } from '../http/principal.js';
import { ReadCache } from '../read-cache.js';
import { StoreBudget } from '../store-budget.js';
import {
  API_KEY_ID,
  ApiKeyStore,
  issueApiKey,
  matches,
  type ApiKey,
  type PresentedApiKey,
} from './api-key.js';
import { TenantChanges } from './tenant-changes.js';
import { TenantsService } from './tenants.service.js';

const MAX_CACHED_API_KEYS = 50_000;

@Injectable()
export class ApiKeysService {
  private readonly cache: ReadCache<ApiKey>;

  constructor(
    private readonly store: ApiKeyStore,
    private readonly tenants: TenantsService,
    private readonly changes: TenantChanges,
    private readonly happenings: Happenings,
    private readonly clock: Clock,
  ) {
    this.cache = new ReadCache({
      maxEntries: MAX_CACHED_API_KEYS,
      isCurrent: () => changes.isCurrent(),
      load: (path) => {
        const [tenantId = '', keyId = ''] = path.split('/');
        return this.store.find(tenantId, keyId);
      },
    });
    changes.subscribe({
      changed: (event) => {
        if (event.kind === 'api_key_changed') this.cache.invalidate(`${event.tenantId}/${event.keyId}`);
        // Perhaps deleted, and its keys with it.
        if (event.kind === 'tenant_changed') this.cache.invalidatePrefix(`${event.tenantId}/`);
      },
      missedChanges: () => this.cache.invalidateAll(),
    });
  }

  /**
   * A refusal always takes a look into the store, as for a key that does not exist: time must not tell an expired
   * key, or a wrong secret for a key that is in memory, from one that was made up.
   * @returns the kept key when the presented one is it and alive, else null
   */
  async authenticate(presented: PresentedApiKey): Promise<ApiKey | null> {
    const path = `${presented.tenantId}/${presented.keyId}`;
    const kept = await this.cache.get(path);
    if (matches(kept, presented, this.clock.nowMs())) return kept;
    if (!kept) return null;
    const again = await StoreBudget.wait(() => this.cache.reload(path));
    return matches(again, presented, this.clock.nowMs()) ? again : null;
  }

  /** The same without asking the store. @returns undefined when it would have to be asked, or would refuse */
  recall(presented: PresentedApiKey): ApiKey | undefined {
    const kept = this.cache.peek(`${presented.tenantId}/${presented.keyId}`);
    return kept && matches(kept, presented, this.clock.nowMs()) ? kept : undefined;
  }

  /** The key as it is kept now, for a caller that was recognised by it before. @returns null when it was revoked */
  find(tenantId: string, keyId: string): Promise<ApiKey | null> {
    return this.cache.get(`${tenantId}/${keyId}`);
  }

  /**
   * @returns the key and, this once, its text
   * @throws AppError tenant_not_found; insufficient_scope when the caller would grant what it does not have
   */
  async issue(
    caller: Principal,
    tenantId: string,
    grant: Pick<ApiKey, 'name' | 'scopes' | 'expiresAtMs' | 'rateLimitPerSecond'>,
  ): Promise<{ apiKey: ApiKey; text: string }> {
    await this.tenants.get(tenantId);
    if (caller.kind === 'tenant' && grant.scopes.some((scope) => !caller.scopes.includes(scope))) {
      throw new AppError('insufficient_scope', {
        description: 'An API key can only grant scopes that it has itself.',
      });
    }
    if (caller.kind === 'tenant' && grant.rateLimitPerSecond !== undefined) {
      throw new AppError('insufficient_scope', {
        description: 'Only the platform key can give an API key a rate limit of its own.',
      });
    }
    const issued = issueApiKey(tenantId, { ...grant, createdAtMs: this.clock.nowMs() });
    if (!(await this.store.insert(tenantId, issued.apiKey))) throw new AppError('tenant_not_found');
    const { keyId, name, scopes, expiresAtMs } = issued.apiKey;
    this.happenings.tell({ kind: 'api_key_issued', tenantId, keyId, name, scopes, expiresAtMs });
    return issued;
  }

  async list(tenantId: string): Promise<ApiKey[]> {
    await this.tenants.get(tenantId);
    return this.store.list(tenantId);
  }

  /** @throws AppError not_found */
  async revoke(tenantId: string, keyId: string): Promise<void> {
    await this.tenants.get(tenantId);
    const existed = await this.store.delete(tenantId, keyId);
    // Also when there was nothing: an earlier attempt may have been cut short before the others heard of it.
    if (API_KEY_ID.test(keyId)) await this.changes.announce({ kind: 'api_key_changed', tenantId, keyId });
    if (!existed) throw new AppError('not_found', { description: 'There is no such API key.' });
    this.happenings.tell({ kind: 'api_key_revoked', tenantId, keyId });
  }
}
