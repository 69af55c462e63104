// What one instance holds in memory against the tenants that it serves and the revocations that it knows, and how long
// it takes to read those before it is ready. A fresh instance for each figure; RSS, because that is what a limit counts.
import { setTimeout as pause } from 'node:timers/promises';
import { closedLoop } from '../load/closed-loop.mjs';
import { call, many, requestBytes } from '../load/request.mjs';
import { once } from '../load/traffic.mjs';
import { residentBytes } from '../machine.mjs';
import { ADMIN_API_KEY } from '../servers.mjs';
import { fillFeed } from './stores.mjs';

/** The same for every figure: what requests leave behind must not look like tenants. */
const REQUESTS = 20_000;
const WIDTH = 32;
/** After the last request, for the collector. */
const SETTLE_MS = 3000;

/** @returns [{ tenants, rssBytes }] */
export async function measureTenants(servers, counts, say) {
  const rows = [];
  for (const count of counts) {
    say(`an instance serving ${count} tenants`);
    const redis = await servers.redis();
    const maker = await servers.tenantMaker(redis.url);
    const apiKeys = await many(count, (at) => makeTenant(maker.port, `t-${at}`), WIDTH);
    await maker.stop();
    const instance = await servers.service(redis.url);
    await useTenants(instance.port, apiKeys);
    await pause(SETTLE_MS);
    rows.push({ tenants: count, rssBytes: residentBytes(instance.pid) });
    await instance.stop();
    await redis.stop();
  }
  return rows;
}

async function makeTenant(port, tenantId) {
  const headers = { 'x-api-key': ADMIN_API_KEY };
  const { api_key: apiKey } = await call(port, { path: '/tenants', headers, body: { tenant_id: tenantId } });
  return apiKey;
}

/** Each tenant signs and verifies at least once, so that its keys are loaded. */
async function useTenants(port, apiKeys) {
  const tokens = await many(
    Math.max(apiKeys.length, 1000),
    async (at) => {
      const tenant = at % apiKeys.length;
      const headers = { 'x-api-key': apiKeys[tenant] };
      const body = { tenant_id: `t-${tenant}`, user_id: `user-${at}`, scope: 'read' };
      const session = await call(port, { path: '/sessions', headers, body });
      return { headers, body: { access_token: session.access_token } };
    },
    WIDTH,
  );
  const validations = Array.from({ length: REQUESTS - tokens.length }, (_, at) =>
    requestBytes({ path: '/sessions/validate', ...tokens[at % tokens.length] }),
  );
  const traffic = once(validations, validations.length);
  const run = await closedLoop({ port, connections: WIDTH, traffic, warmUpSeconds: 0, seconds: 300 });
  if (run.answered !== validations.length) throw new Error(`the instance did not answer all: ${run.sample}`);
}

/** @returns [{ revocations, rssBytes, tableBytes, readySeconds }]; the table is what they need, the rest was reading */
export async function measureRevocations(servers, counts, say) {
  const rows = [];
  for (const count of counts) {
    say(`an instance knowing ${count} revocations`);
    const redis = await servers.redis();
    await fillFeed(redis.url, count);
    const startedAt = performance.now();
    const instance = await servers.service(redis.url);
    const readySeconds = (performance.now() - startedAt) / 1000;
    await pause(SETTLE_MS);
    const tableBytes = await metric(instance.port, 'revocation_replica_bytes');
    rows.push({ revocations: count, rssBytes: residentBytes(instance.pid), tableBytes, readySeconds });
    await instance.stop();
    await redis.stop();
  }
  return rows;
}

async function metric(port, name) {
  const text = await (await fetch(`http://127.0.0.1:${port}/metrics`)).text();
  return Number(new RegExp(`^${name}(?:\\{\\})? (\\S+)`, 'm').exec(text)?.[1]);
}
