/** What a bridge does first: what was revoked waits for no tenants. */
import { afterAll, beforeAll, expect, test } from '@jest/globals';
import { SystemClock } from '../../src/clock.js';
import { newRandomId, userTag } from '../../src/random-id.js';
import { openBridge } from '../../src/storage/redis/open-bridge.js';
import { openRedisStores } from '../../src/storage/redis/redis-stores.js';
import { parseStoreUrl, type StoreUrl } from '../../src/store-url.js';
import { eventually } from '../support/eventually.js';
import { RedisServer } from '../support/redis-server.js';
import { SlowLink } from '../regions/slow-link.js';

const TENANTS = 120;
const DELAY_MS = 80;
const urlOf = (text: string) => parseStoreUrl(text) as Extract<StoreUrl, { kind: 'redis' }>;

let home: RedisServer;
let away: RedisServer;
let link: SlowLink;

beforeAll(async () => {
  [home, away] = [await RedisServer.start(), await RedisServer.start()];
  link = await SlowLink.to(home.port, DELAY_MS);
});

afterAll(async () => {
  await link.stop();
  await Promise.all([home.stop(), away.stop()]);
});

test('a revocation waits for no tenants, however many there are to copy', async () => {
  const clock = new SystemClock();
  const [from, to] = [urlOf(link.url), urlOf(away.url)];
  const options = { clock, commandTimeoutMs: 3000, waitReplicas: 0 };
  const [here, there] = [await openRedisStores(urlOf(home.url), options), await openRedisStores(to, options)];
  const [atHome, atCopy] = [home.client(), away.client()];
  for (let n = 0; n < TENANTS; n++) {
    await atHome.hset(`tenant:{t-${n}}:key-ring`, { version: 1, document: '{"epoch":1}' });
    await atHome.hset(`tenant:{t-${n}}:record`, { version: 1, document: '{}' });
    await atHome.zadd('tenants', 0, `t-${n}`);
  }
  const revoke = async (): Promise<string> => {
    const id = newRandomId(userTag('t-1', 'bob'));
    const expiresAtMs = clock.nowMs() + 600_000;
    await here.changes.announce([{ kind: 'session_revoked', tenantId: 't-1', id, expiresAtMs }]);
    return id;
  };
  const arrives = (id: string) =>
    eventually(
      async () =>
        (await there.sessions.check({
          tenantId: 't-1',
          sessionId: id,
          tokenId: id,
          nowMs: clock.nowMs(),
        })) === 'revoked',
    );
  const first = await revoke();
  const leaving = new AbortController();
  const open = await openBridge({ from, to, copiesTenants: true }, clock, () => undefined);
  const running = open.bridge.run(leaving.signal);
  try {
    await arrives(first);
    expect(await atCopy.zcard('tenants')).toBeLessThan(TENANTS);
    await eventually(async () => (await atCopy.zcard('tenants')) === TENANTS);
  } finally {
    leaving.abort();
    await running;
    await open.close();
    await Promise.all([here.close(), there.close()]);
    atHome.disconnect();
    atCopy.disconnect();
  }
});
