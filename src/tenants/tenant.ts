/** The tenant: a brand, its settings and its status; and the port through which tenants are kept. */
import type { TokenDefaults } from '../config.js';
import type { Happening, SettingChange } from '../happening.js';
import type { RateLimitDefaults } from '../rate-limit-settings.js';
import type { ApiKey } from './api-key.js';

/** DNS-label-like, so that it fits paths, key names and issuers unescaped. */
export const TENANT_ID = /^[a-z0-9][a-z0-9-]{0,62}$/;

export const TENANT_STATUSES = ['active', 'suspended'] as const;
export type TenantStatus = (typeof TENANT_STATUSES)[number];

/** What validation does when neither replica nor store can say whether a token was revoked. */
export const OUTAGE_POLICIES = ['serve', 'refuse'] as const;
export type OutagePolicy = (typeof OUTAGE_POLICIES)[number];

export const RSA_MODULUS_BITS = [2048, 3072, 4096] as const;
export type RsaModulusBits = (typeof RSA_MODULUS_BITS)[number];

export interface TenantSettings extends TokenDefaults, RateLimitDefaults {
  /** The `aud` of access tokens. */
  readonly audience: string;
  readonly onStoreOutage: OutagePolicy;
  /** Of the signing keys made from now on. */
  readonly rsaModulusBits: RsaModulusBits;
}

export interface Tenant {
  readonly tenantId: string;
  readonly name: string;
  readonly status: TenantStatus;
  /** Only what the tenant chose for itself; the rest follows the service's defaults. */
  readonly overrides: Partial<TenantSettings>;
  readonly createdAtMs: number;
  readonly updatedAtMs: number;
  /** Grows with each change; compared before a write, so that two changes at once do not undo each other. */
  readonly version: number;
}

/** A change to a tenant: null puts a setting back to the service's default. */
export interface TenantChange {
  readonly name?: string;
  readonly status?: TenantStatus;
  readonly settings: { readonly [K in keyof TenantSettings]?: TenantSettings[K] | null };
}

/** The settings that apply to a tenant. */
export function settingsOf(
  tenant: Pick<Tenant, 'tenantId' | 'overrides'>,
  defaults: TokenDefaults & RateLimitDefaults,
): TenantSettings {
  return {
    ...defaults,
    audience: tenant.tenantId,
    onStoreOutage: 'serve',
    rsaModulusBits: 2048,
    ...tenant.overrides,
  };
}

/** @returns the tenant after the change, one version later */
export function changeTenant(tenant: Tenant, change: TenantChange, nowMs: number): Tenant {
  const merged = { ...tenant.overrides, ...withoutUndefined(change.settings) };
  const overrides = Object.fromEntries(Object.entries(merged).filter(([, value]) => value !== null));
  return {
    ...tenant,
    name: change.name ?? tenant.name,
    status: change.status ?? tenant.status,
    overrides,
    updatedAtMs: nowMs,
    version: tenant.version + 1,
  };
}

/** What somebody did who made one of the other; nothing when they say the same. */
export function differences(before: Tenant, after: Tenant): Happening[] {
  const { tenantId } = after;
  const changes = changedSettings(before, after);
  const happenings: Happening[] = changes.length > 0 ? [{ kind: 'tenant_changed', tenantId, changes }] : [];
  if (before.status !== after.status) {
    happenings.push({
      kind: after.status === 'suspended' ? 'tenant_suspended' : 'tenant_activated',
      tenantId,
    });
  }
  return happenings;
}

function changedSettings(before: Tenant, after: Tenant): SettingChange[] {
  const settings = new Set([...Object.keys(before.overrides), ...Object.keys(after.overrides)]);
  const read = ({ overrides }: Tenant, setting: string) => overrides[setting as keyof TenantSettings] ?? null;
  return [
    { setting: 'name', from: before.name, to: after.name },
    ...[...settings].map((setting) => ({ setting, from: read(before, setting), to: read(after, setting) })),
  ].filter(({ from, to }) => from !== to);
}

function withoutUndefined<T extends object>(object: T): Partial<T> {
  return Object.fromEntries(Object.entries(object).filter(([, value]) => value !== undefined)) as Partial<T>;
}

/** Where tenants are kept. Every method throws AppError store_unavailable when the store does not answer. */
export abstract class TenantStore {
  /** Keeps a new tenant and its first API key, both or neither. */
  abstract insert(tenant: Tenant, apiKey: ApiKey): Promise<'created' | 'exists'>;
  abstract find(tenantId: string): Promise<Tenant | null>;
  /** In the order of their ids, those after `after` (exclusive). */
  abstract list(page: { after: string; limit: number }): Promise<Tenant[]>;
  /** Replaces the tenant if it is still at version `tenant.version - 1`. */
  abstract update(tenant: Tenant): Promise<'updated' | 'conflict' | 'missing'>;
  /** Removes the tenant and its API keys. @returns whether there was one */
  abstract delete(tenantId: string): Promise<boolean>;
}

/**
 * Something that a new tenant needs and a deleted one gives up. Layers above register themselves with the
 * tenants service; it does not know them. Both steps are idempotent: a retry completes what a crash cut short.
 */
export interface TenantProvisioner {
  /** Runs before the tenant becomes visible. */
  provision(tenantId: string, settings: TenantSettings): Promise<void>;
  /** Runs before the tenant disappears. */
  deprovision(tenantId: string): Promise<void>;
}
