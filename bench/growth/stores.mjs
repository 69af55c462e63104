// What a session and a revocation take in each store, and whether asking for one takes longer when there are many.
// The service's own adapters write and read them; no request and no signature is involved.
import { mkdtempSync, rmSync, statSync } from 'node:fs';
import { join } from 'node:path';
import { SystemClock } from '../../dist/clock.js';
import { openRedisStores } from '../../dist/storage/redis/redis-stores.js';
import { openSqliteStores } from '../../dist/storage/sqlite/sqlite-stores.js';
import { parseStoreUrl } from '../../dist/store-url.js';
import { median } from '../load/latencies.mjs';
import { many } from '../load/request.mjs';
import { command } from '../servers.mjs';
import { aSession } from './session-records.mjs';

const TENANT = 'growth';
const MAX_SESSIONS_PER_USER = 100;
/** Writes under way at once. */
const WIDTH = 2000;
const LOOK_UPS = 2000;
const ANNOUNCED_TOGETHER = 500;
/** A loader writes faster than a service would, and may wait longer. */
const COMMAND_TIMEOUT_MS = 30_000;
const clock = new SystemClock();

async function onRedis(servers) {
  const redis = await servers.redis();
  const options = { clock, commandTimeoutMs: COMMAND_TIMEOUT_MS, waitReplicas: 0 };
  const stores = await openRedisStores(parseStoreUrl(redis.url), options);
  const bytes = async () =>
    Number(/^used_memory:(\d+)/m.exec(await command(redis.port, 'INFO', 'memory'))[1]);
  return { name: 'Redis', stores, bytes, close: () => redis.stop() };
}

/** The store holds its file alone, and what is new may stand in its log: so it is closed to be measured. */
async function onSqlite(servers) {
  const directory = mkdtempSync(join(servers.directory, 'growth-'));
  const path = join(directory, 'sessions.db');
  const store = { name: 'SQLite', stores: openSqliteStores(path, clock) };
  store.bytes = async () => {
    await store.stores.close();
    const { size } = statSync(path);
    store.stores = openSqliteStores(path, clock);
    return size;
  };
  store.close = async () => rmSync(directory, { recursive: true });
  return store;
}

/** @returns [{ store, sessions, sessionBytes, checkMs, revocations, revocationBytes }] */
export async function measureStores(servers, { sessions: counts, storeRevocations }, say) {
  const rows = [];
  for (const open of [onRedis, onSqlite]) {
    const store = await open(servers);
    try {
      const empty = await store.bytes();
      const known = [];
      for (const count of counts) {
        say(`${store.name}: ${count} sessions`);
        await many(
          count - known.length,
          async (at) => {
            const session = aSession(TENANT, clock.nowMs());
            await store.stores.sessions.create(session, MAX_SESSIONS_PER_USER);
            known[count - 1 - at] = session.sessionId;
          },
          WIDTH,
        );
        const sessionBytes = ((await store.bytes()) - empty) / count;
        rows.push({ store: store.name, sessions: count, sessionBytes, checkMs: await checkMs(store, known) });
      }
      say(`${store.name}: ${storeRevocations} revocations`);
      rows.at(-1).revocations = storeRevocations;
      rows.at(-1).revocationBytes = await revocationBytes(store, known.slice(0, storeRevocations));
    } finally {
      await store.stores.close();
      await store.close();
    }
  }
  return rows;
}

/** One after the other: what the store check of a validation waits for. */
async function checkMs({ stores }, known) {
  const times = [];
  for (let at = 0; at < LOOK_UPS; at++) {
    const sessionId = known[Math.floor(Math.random() * known.length)];
    const token = { tenantId: TENANT, sessionId, tokenId: sessionId, nowMs: clock.nowMs() };
    const startedAt = performance.now();
    const state = await stores.sessions.check(token);
    times.push(performance.now() - startedAt);
    if (state !== 'live') throw new Error(`a session that was stored is ${state}`);
  }
  return median(times);
}

/** Of sessions that never were, so that no record goes in exchange: what blocks, and what the feed says. */
async function revocationBytes(store, ids) {
  const before = await store.bytes();
  const { stores } = store;
  const expiresAtMs = clock.nowMs() + 960_000;
  const strangers = ids.map(() => aSession(TENANT, clock.nowMs()).sessionId);
  await many(
    strangers.length,
    (at) =>
      stores.sessions.revokeToken({ tenantId: TENANT, tokenId: strangers[at], expiresAtMs }, clock.nowMs()),
    WIDTH,
  );
  await announce(stores.changes, strangers, expiresAtMs);
  return ((await store.bytes()) - before) / strangers.length;
}

export async function announce(feed, ids, expiresAtMs) {
  for (let at = 0; at < ids.length; at += ANNOUNCED_TOGETHER) {
    const batch = ids.slice(at, at + ANNOUNCED_TOGETHER);
    await feed.announce(batch.map((id) => ({ kind: 'session_revoked', tenantId: TENANT, id, expiresAtMs })));
  }
}

/** Fills a Redis with revocations for instances to read. */
export async function fillFeed(redisUrl, count) {
  const options = { clock, commandTimeoutMs: COMMAND_TIMEOUT_MS, waitReplicas: 0 };
  const stores = await openRedisStores(parseStoreUrl(redisUrl), options);
  const ids = Array.from({ length: count }, () => aSession(TENANT, clock.nowMs()).sessionId);
  await announce(stores.changes, ids, clock.nowMs() + 3_600_000);
  await stores.close();
}
