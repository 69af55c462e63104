// What does the SDK's verifier save beside asking the service, and how soon does it hear of a revocation?
// One service with SQLite beside it on this machine: npm run bench:sdk [seconds of each measurement]
import { SessionClient, SessionVerifier } from '../sdk/dist/esm/index.js';
import { RevocationReplica } from '../sdk/dist/esm/revocation-replica.js';
import { median } from './load/latencies.mjs';
import { call } from './load/request.mjs';
import { ADMIN_API_KEY, PUBLIC_URL, Servers } from './servers.mjs';

const SECONDS = Number(process.argv[2] ?? 2);
const ROUNDS = 3;
const TOKENS = 500;
const AT_ONCE = 32;
const REVOCATIONS = 200;

/** @returns calls a second, and this process' processor time for each in microseconds */
async function rate(work, inFlight) {
  const until = performance.now() + SECONDS * 1000;
  const cpu = process.cpuUsage();
  const started = performance.now();
  let calls = 0;
  const loop = async () => {
    while (performance.now() < until) await work(calls++);
  };
  await Promise.all(Array.from({ length: inFlight }, loop));
  const { user, system } = process.cpuUsage(cpu);
  return { perSecond: calls / ((performance.now() - started) / 1000), cpuMicros: (user + system) / calls };
}

async function throughput(client, options) {
  const issued = await Promise.all(
    Array.from({ length: TOKENS }, (_, at) => client.create({ userId: `user-${at}`, scope: 'read write' })),
  );
  const token = (at) => issued[at % TOKENS].accessToken;
  const cached = new SessionVerifier(options);
  const cold = new SessionVerifier({ ...options, tokenCacheMb: 0 });
  await Promise.all([cached.ready(), cold.ready()]);
  for (let at = 0; at < TOKENS; at++) await cached.verify(token(at));
  const kinds = {
    'verifier, token seen before': [(at) => cached.verify(token(at)), 1],
    'verifier, every token new': [(at) => cold.verify(token(at)), AT_ONCE],
    'asking the service': [(at) => client.validate(token(at)), AT_ONCE],
  };
  const seen = Object.fromEntries(Object.keys(kinds).map((kind) => [kind, []]));
  for (let round = 0; round < ROUNDS; round++) {
    for (const [kind, [work, inFlight]] of Object.entries(kinds)) seen[kind].push(await rate(work, inFlight));
  }
  cached.close();
  cold.close();
  const lines = Object.entries(seen).map(([kind, rates]) => ({
    kind,
    perSecond: median(rates.map(({ perSecond }) => perSecond)),
    cpuMicros: median(rates.map(({ cpuMicros }) => cpuMicros)),
  }));
  const asking = lines.at(-1).perSecond;
  return lines.map(
    ({ kind, perSecond, cpuMicros }) =>
      `  ${kind.padEnd(29)}${Math.round(perSecond).toLocaleString('en').padStart(10)}/s` +
      `${(perSecond / asking).toFixed(1).padStart(9)} x${cpuMicros.toFixed(1).padStart(10)} us of processor time here`,
  );
}

async function propagation(client, options) {
  const verifier = new SessionVerifier(options);
  await verifier.ready();
  const delays = [];
  for (let at = 0; at < REVOCATIONS; at++) {
    const { accessToken } = await client.create({ userId: `user-${at}` });
    await verifier.verify(accessToken);
    let isRefused = false;
    const seen = (async () => {
      while (!isRefused) {
        isRefused = await verifier.verify(accessToken).then(
          () => false,
          () => true,
        );
        await new Promise(setImmediate);
      }
      return performance.now();
    })();
    const sentAt = performance.now();
    await client.revoke(accessToken, { reason: 'user_logout' });
    const answeredAt = performance.now();
    delays.push({ fromCall: (await seen) - sentAt, fromAnswer: Math.max(0, (await seen) - answeredAt) });
  }
  verifier.close();
  const quantiles = (name) => {
    const sorted = delays.map((delay) => delay[name]).toSorted((a, b) => a - b);
    const at = (q) => sorted[Math.min(sorted.length - 1, Math.floor(sorted.length * q))].toFixed(1);
    return `p50 ${at(0.5)}   p90 ${at(0.9)}   p99 ${at(0.99)}   max ${at(1)}`;
  };
  return [
    `  from the call:        ${quantiles('fromCall')}`,
    `  from its answer on:   ${quantiles('fromAnswer')}`,
  ];
}

function memory() {
  const entries = 200_000;
  globalThis.gc?.();
  const before = process.memoryUsage().heapUsed;
  const replica = new RevocationReplica(entries);
  for (let at = 0; at < entries; at++) {
    // As it comes out of JSON: a text of its own.
    const id = Buffer.from(`T1NASbYbtW2jp0d6z${String(at).padStart(9, '0')}`).toString();
    replica.add({ id, expiresAtSeconds: 1_800_000_000 + (at % 900) });
  }
  globalThis.gc?.();
  const bytes = (process.memoryUsage().heapUsed - before) / replica.size;
  return [`  ${bytes.toFixed(0)} bytes, of ${replica.size.toLocaleString('en')}`];
}

const servers = new Servers({ pins: false });
try {
  const { port } = await servers.service('sqlite::memory:');
  const url = `http://127.0.0.1:${port}`;
  const { api_key: apiKey } = await call(port, {
    path: '/tenants',
    headers: { 'x-api-key': ADMIN_API_KEY },
    body: { tenant_id: 'acme' },
  });
  const client = new SessionClient({ url, apiKey });
  const options = { url, apiKey, issuer: `${PUBLIC_URL}/tenants/acme`, maxStalenessMs: 60_000 };
  const report = [
    `Verifications, ${TOKENS} tokens, medians of ${ROUNDS} rounds of ${SECONDS} s:`,
    ...(await throughput(client, options)),
    `From a revocation to its refusal, ms, of ${REVOCATIONS}:`,
    ...(await propagation(client, options)),
    'Memory of a revocation in a verifier:',
    ...memory(),
  ];
  process.stdout.write(`${report.join('\n')}\n`);
} finally {
  await servers.stopAll();
}
