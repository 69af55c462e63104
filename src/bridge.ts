/**
 * `node dist/bridge.js`: carries revocations from one region into another, and tenants from their home region
 * (docs/multi-region.md). One process for each direction.
 *
 *   BRIDGE_FROM      Redis of the region whose feed is followed, in the form of STORE_URL
 *   BRIDGE_TO        Redis of the region that is told
 *   BRIDGE_TENANTS   true where tenants are at home in the first one
 */
import { SystemClock } from './clock.js';
import { readEnvironment } from './config.js';
import { createLog } from './logging/log.js';
import { openBridge } from './storage/redis/open-bridge.js';
import { parseStoreUrl, type StoreUrl } from './store-url.js';

type RedisUrl = Extract<StoreUrl, { kind: 'redis' }>;

function redisUrl(name: string, text: string | undefined): RedisUrl {
  const url = text ? parseStoreUrl(text) : null;
  if (url?.kind !== 'redis') throw new Error(`${name} must be the URL of a Redis, in the form of STORE_URL.`);
  return url;
}

async function main(): Promise<void> {
  const env = readEnvironment();
  const from = redisUrl('BRIDGE_FROM', env['BRIDGE_FROM']);
  const to = redisUrl('BRIDGE_TO', env['BRIDGE_TO']);
  const copiesTenants = env['BRIDGE_TENANTS'] === 'true';
  const log = createLog('info');
  const { bridge, close } = await openBridge({ from, to, copiesTenants }, new SystemClock(), (event, more) =>
    log.info({ event, ...more }),
  );
  const leaving = new AbortController();
  for (const signal of ['SIGTERM', 'SIGINT']) process.once(signal, () => leaving.abort());
  await bridge.run(leaving.signal);
  await close();
}

main().catch((error: unknown) => {
  process.stderr.write(`${(error as Error).message}\n`);
  process.exitCode = 1;
});
