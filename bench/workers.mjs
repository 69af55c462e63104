// What a second process on the same port is worth: `WORKERS` 1 and 2, validations by the replica, in turn; warm, and
// with a signature to verify for each, which costs the server more and the generator the same.
//   npm run bench:workers
// Nothing is pinned: two workers need two cores, and the generator takes its share of the same two, at a lower priority
// and without spinning. So the ratio says little of a machine with more cores; the processor time of a request does.
import { setPriority } from 'node:os';
import { readdirSync, readFileSync } from 'node:fs';
import { startService } from './contenders/service.mjs';
import { closedLoop } from './load/closed-loop.mjs';
import { median } from './load/latencies.mjs';
import { requestBytes } from './load/request.mjs';
import { repeating } from './load/traffic.mjs';
import { cpuSeconds } from './machine.mjs';
import { Servers } from './servers.mjs';

const ROUNDS = 5;
const LOAD = { connections: 64, warmUpSeconds: 0.5, spins: false };
const SECONDS = 2;
const SESSIONS = 1000;
const KINDS = { warm: {}, 'each verified': { VERIFIED_TOKEN_CACHE_MB: '0' } };
const GENERATOR_PRIORITY = 5;

const servers = new Servers({ pins: false });
try {
  const cases = [];
  const wanted = Object.entries(KINDS).flatMap(([kind, env]) =>
    [1, 2].map((workers) => ({ kind, env, workers })),
  );
  for (const { kind, env, workers } of wanted) {
    const redis = await servers.redis();
    const settings = { ...env, WORKERS: String(workers) };
    const service = await startService(servers, 'redis', redis.url, {}, settings);
    const sessions = await service.createSessions(SESSIONS);
    const traffic = repeating(
      sessions.map(({ access_token: token }) => requestBytes(service.validation(token, 'replica'))),
    );
    cases.push({ kind, workers, traffic, ...service.server, perSecond: [], micros: [] });
  }
  setPriority(GENERATOR_PRIORITY);
  for (const { port, traffic } of cases) await closedLoop({ ...LOAD, port, traffic, seconds: SECONDS });
  for (let round = 0; round < ROUNDS; round++) {
    for (const one of cases) {
      const clock = () => ({ server: secondsOfAll(one.pid) });
      const run = await closedLoop({
        ...LOAD,
        port: one.port,
        traffic: one.traffic,
        seconds: SECONDS,
        clock,
      });
      if (run.errors > 0) throw new Error(`${run.errors} requests failed: ${run.sample}`);
      one.perSecond.push(run.perSecond);
      one.micros.push((run.clock.server / run.answered) * 1e6);
    }
  }
  process.stdout.write('| validations | WORKERS | a second | of one | µs of processor time each |\n');
  process.stdout.write('| --- | --: | --: | --: | --: |\n');
  for (const { kind, workers, perSecond, micros } of cases) {
    const one = cases.find((other) => other.kind === kind && other.workers === 1);
    const ofOne = median(perSecond.map((value, round) => value / one.perSecond[round]));
    const figures = [
      kind,
      workers,
      Math.round(median(perSecond)),
      `${ofOne.toFixed(2)} times`,
      median(micros).toFixed(0),
    ];
    process.stdout.write(`| ${figures.join(' | ')} |\n`);
  }
} finally {
  await servers.stopAll();
}

/** Of a process and those that it started. */
function secondsOfAll(pid) {
  const children = readdirSync('/proc').filter((name) => /^\d+$/.test(name) && parentOf(name) === pid);
  return [pid, ...children.map(Number)].reduce((sum, one) => sum + cpuSeconds(one), 0);
}

function parentOf(pid) {
  try {
    const [, parent] = /^PPid:\s+(\d+)$/m.exec(readFileSync(`/proc/${pid}/status`, 'latin1'));
    return Number(parent);
  } catch {
    return null; // it has ended meanwhile
  }
}
