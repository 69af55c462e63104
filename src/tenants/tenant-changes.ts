/**
 * How changes to tenants, their keys and their API keys reach every instance: a port, because whoever carries them
 * carries revocations too and lives above. Caches here hold on to what they read until they hear otherwise.
 */
export type TenantEvent =
  | { readonly kind: 'tenant_changed'; readonly tenantId: string }
  | { readonly kind: 'keys_changed'; readonly tenantId: string }
  | { readonly kind: 'api_key_changed'; readonly tenantId: string; readonly keyId: string };

export interface TenantChangesListener {
  /** Forget what this speaks of. */
  changed(event: TenantEvent): void;
  /** Changes may have been missed: forget everything. */
  missedChanges(): void;
}

export abstract class TenantChanges {
  /**
   * Tells every instance, this one before it returns.
   * @throws AppError store_unavailable: some may not hear of it
   */
  abstract announce(event: TenantEvent): Promise<void>;
  abstract subscribe(listener: TenantChangesListener): void;
  /** Whether this instance has heard of everything up to a moment ago; while not, caches ask the store. */
  abstract isCurrent(): boolean;
}
