/** Connects a bridge to the Redis of two regions. */
import type { Clock } from '../../clock.js';
import type { StoreUrl } from '../../store-url.js';
import { RedisConnection } from './redis-connection.js';
import { openRedisStores } from './redis-stores.js';
import { RegionBridge } from './region-bridge.js';
import { RegionTenants } from './region-tenants.js';

type RedisUrl = Extract<StoreUrl, { kind: 'redis' }>;

/** Regions are far from each other; a slow answer is no outage. */
const COMMAND_TIMEOUT_MS = 3000;

export interface OpenBridge {
  readonly bridge: RegionBridge;
  close(): Promise<void>;
}

export async function openBridge(
  { from, to, copiesTenants }: { from: RedisUrl; to: RedisUrl; copiesTenants: boolean },
  clock: Clock,
  tell: ConstructorParameters<typeof RegionBridge>[2],
): Promise<OpenBridge> {
  const commandTimeoutMs = COMMAND_TIMEOUT_MS;
  const options = { clock, commandTimeoutMs, waitReplicas: 0 };
  const stores = await Promise.all([openRedisStores(from, options), openRedisStores(to, options)]);
  const connections = [from, to].map((url) => new RedisConnection(url, { commandTimeoutMs }));
  await Promise.all(connections.map((connection) => connection.open()));
  const [home, copy] = connections as [RedisConnection, RedisConnection];
  const tenants = copiesTenants ? new RegionTenants(home, copy) : null;
  return {
    bridge: new RegionBridge({ from: stores[0], to: stores[1], tenants }, clock, tell),
    close: async () => {
      for (const connection of connections) connection.close();
      await Promise.all(stores.map((store) => store.close()));
    },
  };
}
