/** Opens the store that STORE_URL names and offers its adapters under the features' ports. */
import { Global, Inject, Module, type OnApplicationShutdown } from '@nestjs/common';
import { AuditStore } from '../audit/audit.js';
import { StoreBackup } from '../backup/store-backup.js';
import { Clock } from '../clock.js';
import { Config } from '../config.js';
import { StoreProbe } from '../health/store-probe.js';
import { KeyRingStore } from '../keys/key-ring.js';
import { ChangeFeed } from '../revocations/change-feed.js';
import { Leases } from '../keys/leases.js';
import { SessionStore } from '../sessions/session.js';
import { ApiKeyStore } from '../tenants/api-key.js';
import { StoreOperations } from '../store-operations.js';
import { SharedBuckets } from '../tenants/rate-limit.js';
import { TenantStore } from '../tenants/tenant.js';
import { Tracing } from '../tracing.js';
import { openRedisStores } from './redis/redis-stores.js';
import { openSqliteStores } from './sqlite/sqlite-stores.js';
import type { Stores } from './stores.js';

const STORES = Symbol('stores');

const port = <T>(provide: abstract new () => T, pick: (stores: Stores) => T) => ({
  provide,
  useFactory: pick,
  inject: [STORES],
});

/** What requests ask of the store: a span each, named after the port and its verb. */
const tracedPort = <T extends object>(
  provide: abstract new () => T,
  group: string,
  pick: (stores: Stores) => T,
) => ({
  provide,
  useFactory: (stores: Stores, tracing: Tracing): T =>
    tracing.around(group, pick(stores), { 'db.system.name': stores.probe.kind }),
  inject: [STORES, Tracing],
});

@Global()
@Module({
  providers: [
    {
      provide: STORES,
      inject: [Config, Clock, StoreOperations],
      useFactory: (config: Config, clock: Clock, operations: StoreOperations): Stores | Promise<Stores> =>
        config.store.kind === 'sqlite'
          ? openSqliteStores(config.store.path, clock)
          : openRedisStores(config.store, {
              clock,
              commandTimeoutMs: config.redisCommandTimeoutMs,
              waitReplicas: config.redisWaitReplicas,
              operations,
            }),
    },
    tracedPort(TenantStore, 'tenants', (stores) => stores.tenants),
    tracedPort(ApiKeyStore, 'api_keys', (stores) => stores.apiKeys),
    tracedPort(KeyRingStore, 'key_rings', (stores) => stores.keyRings),
    tracedPort(SessionStore, 'sessions', (stores) => stores.sessions),
    tracedPort(AuditStore, 'audit', (stores) => stores.audit),
    tracedPort(ChangeFeed, 'changes', (stores) => stores.changes),
    port(Leases, (stores) => stores.leases),
    port(SharedBuckets, (stores) => stores.buckets),
    port(StoreProbe, (stores) => stores.probe),
    port(StoreBackup, (stores) => stores.backup),
  ],
  exports: [
    TenantStore,
    ApiKeyStore,
    KeyRingStore,
    SessionStore,
    AuditStore,
    ChangeFeed,
    Leases,
    SharedBuckets,
    StoreProbe,
    StoreBackup,
  ],
})
export class StorageModule implements OnApplicationShutdown {
  constructor(@Inject(STORES) private readonly stores: Stores) {}

  /** After the last request has been answered. */
  async onApplicationShutdown(): Promise<void> {
    await this.stores.close();
  }
}
