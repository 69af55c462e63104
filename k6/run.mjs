// Runs k6 scripts against a service that it starts on loopback, on a core of its own where there are two; k6, which takes
// more than a core, takes what the service leaves.
//   npm run k6 -- validate           one script; RATE, DURATION and the like go through (see the script's head)
//   npm run k6 -- all                every script but the soak, afresh; RATE is that of the validations
//   npm run k6:check                 every script, a few requests each, without a verdict on time
// STORE=sqlite tests that store (Redis otherwise). BASE_URL, API_KEY and TENANT test a service that runs already.
// Writes what k6 measured to bench/results/k6.json, script by script, unless it only checks.
import { spawn } from 'node:child_process';
import { existsSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { call } from '../bench/load/request.mjs';
import { describeMachine } from '../bench/machine.mjs';
import { ADMIN_API_KEY, Servers } from '../bench/servers.mjs';
import { findK6 } from './find-k6.mjs';
import { summaryOf } from './summary.mjs';

const FOLDER = import.meta.dirname;
const RESULTS = join(FOLDER, '..', 'bench', 'results', 'k6.json');
const SCRIPTS = ['smoke', 'create', 'validate', 'refresh', 'mixed', 'revoke-storm', 'soak'];
const TENANT = 'load';
/** What scripts read from the environment. k6 itself must not be configured by it. */
const PASSED_ON = /^(RATE|DURATION|SESSIONS|LIVE_SESSIONS|BATCHES|GROWTH_MIB|REVOCATION_CHECK|[A-Z]+_RATE)$/;

/** The service must not wait for its own load generator. */
const K6_NICENESS = 5;

/** Where time is no verdict, a slow machine is no outage. */
const PATIENT = { REDIS_COMMAND_TIMEOUT_MS: '10000' };

/** Longer than any run, and room for what a storm ends: only what is tested may stand in its way. */
const TENANT_SETTINGS = { tenant_id: TENANT, access_token_ttl_seconds: 7200 };

async function startTarget(servers, checkOnly) {
  const { BASE_URL, API_KEY, STORE = 'redis' } = process.env;
  if (BASE_URL) return { BASE_URL, API_KEY, TENANT: process.env.TENANT ?? TENANT };
  const store =
    STORE === 'sqlite' ? `sqlite:${join(servers.directory, 'sessions.db')}` : (await servers.redis()).url;
  const { port } = await servers.service(store, checkOnly ? PATIENT : {});
  const headers = { 'x-api-key': ADMIN_API_KEY };
  const { api_key: apiKey } = await call(port, { path: '/tenants', headers, body: TENANT_SETTINGS });
  return { BASE_URL: `http://127.0.0.1:${port}`, API_KEY: apiKey, TENANT };
}

/** @returns { passed, summary }; k6 exits with 99 when a threshold was crossed */
async function runScript(k6, script, env, checkOnly) {
  const directory = mkdtempSync(join(tmpdir(), 'k6-'));
  const summary = join(directory, 'summary.json');
  const args = [
    'run',
    '--no-usage-report',
    '--quiet',
    '--summary-export',
    summary,
    join(FOLDER, `${script}.js`),
  ];
  const all = checkOnly ? ['--log-output=stderr', ...args] : args;
  const child = spawn('nice', ['-n', String(K6_NICENESS), k6, ...all], {
    env,
    stdio: ['ignore', checkOnly ? 'pipe' : 'inherit', 'inherit'],
  });
  let said = '';
  child.stdout?.on('data', (text) => (said += text));
  const code = await new Promise((resolve) => child.once('close', resolve));
  if (code !== 0) process.stdout.write(said);
  const measured = existsSync(summary) ? summaryOf(JSON.parse(readFileSync(summary, 'utf8'))) : null;
  rmSync(directory, { recursive: true });
  return { passed: code === 0, measured };
}

function keep(name, script, entry, fresh) {
  const before = existsSync(RESULTS) && !fresh ? JSON.parse(readFileSync(RESULTS, 'utf8')).scripts : {};
  mkdirSync(join(RESULTS, '..'), { recursive: true });
  const result = { machine: describeMachine(), scripts: { ...before, [name]: { script, ...entry } } };
  writeFileSync(RESULTS, `${JSON.stringify(result, null, 2)}\n`);
}

/** @returns [{ script, settings }] */
function runsOf(args, given) {
  if (args[0] === '--check') return SCRIPTS.map((script) => ({ script, settings: {} }));
  if (args[0] !== 'all') return args.map((script) => ({ script, settings: given }));
  const { RATE, ...others } = given;
  const rate = RATE === undefined ? {} : { RATE };
  return [
    { script: 'smoke', settings: {} },
    { script: 'create', settings: others },
    ...['skip', 'replica', 'store'].map((check) => ({
      script: 'validate',
      settings: { ...others, ...rate, REVOCATION_CHECK: check },
    })),
    ...['refresh', 'mixed', 'revoke-storm'].map((script) => ({ script, settings: others })),
  ];
}

/** The script with those of its settings that were chosen. */
function nameOf({ script, settings }) {
  const source = readFileSync(join(FOLDER, `${script}.js`), 'utf8');
  const read = Object.entries(settings).filter(([key]) => source.includes(key));
  return [...read.map(([key, value]) => `${key}=${value}`), script].join(' ');
}

const args = process.argv.slice(2);
const checkOnly = args[0] === '--check';
const given = Object.fromEntries(Object.entries(process.env).filter(([name]) => PASSED_ON.test(name)));
const runs = runsOf(args, given);
if (runs.length === 0 || runs.some(({ script }) => !SCRIPTS.includes(script))) {
  process.stderr.write(`Name scripts: ${SCRIPTS.join(', ')}, or all\n`);
  process.exit(2);
}

const k6 = await findK6();
const servers = new Servers();
let failures = 0;
try {
  const target = await startTarget(servers, checkOnly);
  const common = { PATH: process.env.PATH, HOME: servers.directory, ...target, CHECK: checkOnly ? '1' : '0' };
  for (const [at, { script, settings }] of runs.entries()) {
    const startedAt = performance.now();
    const { passed, measured } = await runScript(k6, script, { ...common, ...settings }, checkOnly);
    const seconds = ((performance.now() - startedAt) / 1000).toFixed(0);
    const name = nameOf({ script, settings });
    process.stdout.write(`${passed ? 'ok    ' : 'FAILED'} ${name} (${seconds} s)\n`);
    if (!passed) failures++;
    if (!checkOnly && measured) keep(name, script, { passed, ...measured }, args[0] === 'all' && at === 0);
  }
} finally {
  await servers.stopAll();
}
process.exitCode = failures > 0 ? 1 : 0;
