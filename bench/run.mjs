// The benchmark: the service, its ceiling and its peers on the same work in the same run, on loopback.
//   npm run bench                 everything, 20 minutes; writes bench/results/latest.json
//   npm run bench -- --quick      a look, under 3 minutes; writes bench/results/quick.json
//   npm run bench -- --no-peers   without what is compared (and without installing it)
// Ends with 0 whatever the figures are, and with 1 when a request failed.
import { spawnSync } from 'node:child_process';
import { existsSync, mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { ceilingCases } from './contenders/ceiling.mjs';
import { peerCases } from './contenders/peers.mjs';
import { startService } from './contenders/service.mjs';
import { judge } from './goals.mjs';
import { describeMachine, pinGenerator } from './machine.mjs';
import { measureFloor } from './measure/floor.mjs';
import { measureLatency } from './measure/latency.mjs';
import { measureMixed } from './measure/mixed.mjs';
import { preflight } from './measure/preflight.mjs';
import { measureThroughput } from './measure/throughput.mjs';
import { planOf } from './plan.mjs';
import { textOf } from './report/text.mjs';
import { Servers } from './servers.mjs';

const FOLDER = import.meta.dirname;
const startedAt = performance.now();

function say(text) {
  const seconds = ((performance.now() - startedAt) / 1000).toFixed(0);
  process.stderr.write(`${seconds.padStart(4)} s  ${text}\n`);
}

/** Peers are no dependency of the service: they are installed here, when somebody wants to compare. */
function installPeers() {
  if (existsSync(join(FOLDER, 'node_modules', 'oidc-provider'))) return;
  say('installing the peers (bench/package-lock.json)');
  const args = ['ci', '--prefix', FOLDER, '--ignore-scripts', '--no-audit', '--no-fund'];
  const { status } = spawnSync('npm', args, { stdio: ['ignore', 'ignore', 'inherit'] });
  if (status !== 0) throw new Error('npm ci of the peers failed; --no-peers goes without them');
}

async function startContenders(servers, redis, plan) {
  say('starting and filling the service');
  const onRedis = await startService(servers, 'redis', redis.url, plan);
  const onSqlite = await startService(servers, 'sqlite', `sqlite:${servers.directory}/sessions.db`, plan);
  const ceiling = await ceilingCases(servers, redis.url, onRedis);
  const ours = [...(await onRedis.cases()), ...(await onSqlite.cases())];
  if (plan.peers) say('starting and filling the peers');
  const peers = plan.peers ? await peerCases(servers, redis.url, plan) : [];
  return [...ceiling, ...ours, ...peers];
}

async function run(plan) {
  const machine = describeMachine();
  const servers = new Servers();
  try {
    const redis = await servers.redis();
    const cases = await startContenders(servers, redis, plan);
    pinGenerator(); // after the others have started: they would inherit its priority
    await preflight(cases);
    const throughput = await measureThroughput(servers, cases, plan, redis.pid, say);
    const floor = await measureFloor(servers, cases, redis, plan, say);
    const latency = await measureLatency(servers, cases, throughput, plan, say);
    const mixed = await measureMixed(servers, cases, throughput, plan, say);
    const measured = { throughput, floor, latency, mixed };
    return { plan: plan.name, date: new Date().toISOString().slice(0, 10), machine, ...measured };
  } finally {
    await servers.stopAll();
  }
}

const plan = planOf(process.argv.slice(2));
if (plan.peers) installPeers();
const measured = await run(plan);
const result = { ...measured, seconds: Math.round((performance.now() - startedAt) / 1000) };
const report = { ...result, goals: judge(result) };
const file = join(FOLDER, 'results', `${plan.name === 'full' ? 'latest' : plan.name}.json`);
mkdirSync(join(FOLDER, 'results'), { recursive: true });
writeFileSync(file, `${JSON.stringify(report, null, 2)}\n`);
process.stdout.write(textOf(report));
say(`written to ${file}`);
const failed = [...report.throughput, ...report.latency, ...report.mixed].filter(({ errors }) => errors > 0);
for (const { id, title, errors, sample } of failed) say(`${errors} errors in ${id ?? title}: ${sample}`);
process.exitCode = failed.length > 0 ? 1 : 0;
