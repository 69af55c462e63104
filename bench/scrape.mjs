// What does a scrape cost with many tenants, in bytes and in time that nothing else happens?
// One service with SQLite in memory, on this machine: npm run bench:scrape [tenants]
import { monitorEventLoopDelay } from 'node:perf_hooks';
import { createApp } from '../dist/app.setup.js';
import { parseConfig } from '../dist/config.js';
import { TenantsService } from '../dist/tenants/tenants.service.js';
import { SessionMetrics } from '../dist/http/metrics/session.metrics.js';
import { RequestEnds } from '../dist/http/request-ends.js';

const TENANTS = Number(process.argv[2] ?? 1000);
const SCRAPES = 20;
const CHECKS = ['replica', 'store'];
const RESULTS = ['valid', 'token_expired', 'token_revoked', 'invalid_token'];

const config = parseConfig({
  STORE_URL: 'sqlite::memory:',
  ADMIN_API_KEY: 'platform-key-of-this-benchmark',
  MASTER_KEYS: `m1:${Buffer.alloc(32, 1).toString('base64')}`,
  METRICS_MAX_TENANTS: String(TENANTS),
});
const app = await createApp(config, { log: false });
await app.listen(0, '127.0.0.1');
const url = `${await app.getUrl()}/metrics`;

// Every tenant uses everything: the worst that can be.
const tenants = app.get(TenantsService, { strict: false });
const metrics = app.get(SessionMetrics);
const requests = app.get(RequestEnds);
for (let n = 0; n < TENANTS; n++) {
  const tenantId = `tenant-${n}`;
  await tenants.create(tenantId, { settings: {} });
  const principal = { kind: 'tenant', tenantId };
  for (const check of CHECKS) {
    for (const result of RESULTS) {
      const request = { principal, validated: { check, result } };
      for (const listener of requests.listeners)
        listener({ request, route: '/sessions/validate', method: 'POST', status: 200, seconds: 0.001 });
    }
  }
  for (const reason of ['user_logout', 'password_change', 'session_limit'])
    metrics.count({ kind: 'session_ended', tenantId, reason, again: false });
  for (const outcome of ['rotated', 'repeated'])
    metrics.count({ kind: 'session_refreshed', tenantId, outcome });
}

const times = [];
let text = '';
const delay = monitorEventLoopDelay({ resolution: 1 });
for (let n = 0; n < SCRAPES; n++) {
  if (n === 2) delay.enable(); // the first are cold
  const cpu = process.cpuUsage();
  const began = performance.now();
  text = await (await fetch(url)).text();
  const { user, system } = process.cpuUsage(cpu);
  if (n >= 2) times.push({ ms: performance.now() - began, cpuMs: (user + system) / 1000 });
}
const median = (name) => {
  const sorted = times.map((time) => time[name]).toSorted((a, b) => a - b);
  return sorted[Math.floor(sorted.length / 2)].toFixed(0);
};
const series = text.split('\n').filter((line) => line && !line.startsWith('#')).length;
process.stdout.write(
  `${TENANTS} tenants: ${series} lines, ${(text.length / 1e6).toFixed(2)} MB\n` +
    `a scrape: ${median('ms')} ms, ${median('cpuMs')} ms of processor time (client included)\n` +
    `longest time that nothing else happened: ${(delay.max / 1e6).toFixed(0)} ms, p99 ${(delay.percentile(99) / 1e6).toFixed(0)} ms\n`,
);
await app.close();
