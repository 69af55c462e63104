/** What an adapter must bring: one implementation of each port, a probe, and a way to let go. */
import type { AuditStore } from '../audit/audit.js';
import type { StoreBackup } from '../backup/store-backup.js';
import type { ChangeFeed } from '../revocations/change-feed.js';
import type { StoreProbe } from '../health/store-probe.js';
import type { KeyRingStore } from '../keys/key-ring.js';
import type { Leases } from '../keys/leases.js';
import type { SessionStore } from '../sessions/session.js';
import type { ApiKeyStore } from '../tenants/api-key.js';
import type { SharedBuckets } from '../tenants/rate-limit.js';
import type { TenantStore } from '../tenants/tenant.js';

export interface Stores {
  readonly tenants: TenantStore;
  readonly apiKeys: ApiKeyStore;
  readonly keyRings: KeyRingStore;
  readonly sessions: SessionStore;
  readonly audit: AuditStore;
  readonly changes: ChangeFeed;
  readonly backup: StoreBackup;
  readonly leases: Leases;
  readonly buckets: SharedBuckets;
  readonly probe: StoreProbe;
  close(): Promise<void>;
}
