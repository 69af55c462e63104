// Where the time of a validation goes, by a CPU profile of the built service under load: a table of its layers.
//   npm run bench:profile             each token seen before: what a busy instance does
//   npm run bench:profile -- --cold   no token is remembered: each costs an RSA verification
// Shares are of the busy time of the event loop's thread; microseconds are the process's, a request, profiler included.
import { startService } from './contenders/service.mjs';
import { closedLoop } from './load/closed-loop.mjs';
import { requestBytes } from './load/request.mjs';
import { repeating } from './load/traffic.mjs';
import { cpuSeconds, pinGenerator } from './machine.mjs';
import { Profiler } from './measure/profiler.mjs';
import { sharesOf } from './report/profile-layers.mjs';
import { freePort, Servers } from './servers.mjs';

const SECONDS = 8;
const WARM_UP_SECONDS = 4;
const CONNECTIONS = 64;
const SESSIONS = 1000;

const cold = process.argv.includes('--cold');
const servers = new Servers();
try {
  const redis = await servers.redis();
  const inspectPort = await freePort();
  const env = {
    NODE_OPTIONS: `--inspect=127.0.0.1:${inspectPort}`,
    ...(cold ? { VERIFIED_TOKEN_CACHE_MB: '0' } : {}),
  };
  const contender = await startService(servers, 'redis', redis.url, {}, env);
  const sessions = await contender.createSessions(SESSIONS);
  const traffic = repeating(
    sessions.map(({ access_token: token }) => requestBytes(contender.validation(token, 'replica'))),
  );
  const { port, pid } = contender.server;
  const load = { port, connections: CONNECTIONS, traffic, warmUpSeconds: 0 };
  pinGenerator();
  const profiler = await Profiler.connect(inspectPort);
  await closedLoop({ ...load, seconds: WARM_UP_SECONDS });
  await profiler.start();
  const run = await closedLoop({ ...load, seconds: SECONDS, clock: () => ({ server: cpuSeconds(pid) }) });
  const profile = await profiler.stop();
  if (run.errors > 0) throw new Error(`${run.errors} requests failed: ${run.sample}`);
  const micros = (run.clock.server / run.answered) * 1e6;
  process.stdout.write(`${run.answered} validations, ${micros.toFixed(1)} µs of processor time each\n\n`);
  process.stdout.write('| layer | share | µs a request |\n| --- | --- | --- |\n');
  for (const { layer, share } of sharesOf(profile)) {
    if (share < 0.002) continue;
    process.stdout.write(`| ${layer} | ${(share * 100).toFixed(1)} % | ${(share * micros).toFixed(1)} |\n`);
  }
} finally {
  await servers.stopAll();
}
