// Builds what the image holds in an empty folder, and runs it as the image would: as user 65532, on a file system
// that cannot be written to, under the Node that npm put first. The exit status is the verdict.
//   npm run check:container
import { spawn, spawnSync } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import { existsSync, mkdtempSync, readdirSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { follow } from './dockerfile.mjs';
import { neededByRoot } from './lock-file.mjs';

const REPOSITORY = resolve(import.meta.dirname, '../..');
const SESSION_TEST = join(REPOSITORY, 'helm/multi-tenant-session-service/files/session-test.mjs');
const BOOT_DEADLINE_MS = 60_000;
const LEAVE_DEADLINE_MS = 20_000;

let failed = 0;
function check(what, holds, detail = '') {
  if (!holds) failed++;
  process.stdout.write(`${holds ? 'ok    ' : 'FAILED'}  ${what}${detail ? `: ${detail}` : ''}\n`);
}

/** Packages of the lock file that production needs, against those in the tree. */
function checkPackages(app) {
  const { packages } = JSON.parse(readFileSync(join(REPOSITORY, 'package-lock.json'), 'utf8'));
  const wanted = neededByRoot(packages);
  const missing = [...wanted].filter((path) => !existsSync(join(app, path)));
  const installed = JSON.parse(readFileSync(join(app, 'node_modules/.package-lock.json'), 'utf8')).packages;
  const extra = Object.keys(installed).filter((path) => !wanted.has(path));
  check('production packages are there', missing.length === 0, missing.join(', '));
  check('no other package is', extra.length === 0, extra.join(', '));
  check(
    'only what runs is there',
    readdirSync(app).toSorted().join(' ') === 'LICENSE dist node_modules package.json',
  );
  const size = spawnSync('du', ['-sm', app], { encoding: 'utf8' }).stdout.split('\t')[0];
  process.stdout.write(`        ${Object.keys(installed).length} packages, ${size} MB\n`);
}

/** As root a namespace with everything read-only and another user; else just a process. */
function confined() {
  const probe = spawnSync('unshare', ['--mount', 'true']);
  if (probe.status !== 0) {
    process.stdout.write('note    not root: the file system stays writable and the user the same\n');
    return [];
  }
  const user = ['--reuid=65532', '--regid=65532', '--clear-groups', '--no-new-privs'];
  const enter = 'mount -o remount,bind,ro / && exec setpriv --pdeathsig KILL "$@"';
  return ['unshare', '--mount', '--propagation', 'private', 'sh', '-c', enter, 'sh', ...user];
}

function boot(stage, env) {
  const app = stage.path('.');
  const [command, ...args] = JSON.parse(stage.described.find(({ name }) => name === 'CMD').rest);
  const line = [...confined(), process.execPath, command, ...args];
  return spawn(line[0], line.slice(1), { cwd: app, env, stdio: ['ignore', 'pipe', 'pipe'] });
}

function portOf(child, output) {
  return new Promise((done, fail) => {
    const late = setTimeout(() => fail(new Error('it does not listen')), BOOT_DEADLINE_MS);
    const hear = (bytes) => {
      output.text += bytes;
      const port = /listening on port (\d+)/.exec(output.text)?.[1];
      if (!port) return;
      clearTimeout(late);
      done(port);
    };
    child.stdout.on('data', hear);
    child.stderr.on('data', hear);
    child.once('exit', (code) => fail(new Error(`it left with ${code}: ${output.text.slice(-2000)}`)));
  });
}

function run(command, args, env) {
  return new Promise((done) => {
    const child = spawn(command, args, { env, stdio: ['ignore', 'pipe', 'pipe'] });
    let output = '';
    child.stdout.on('data', (bytes) => (output += bytes));
    child.stderr.on('data', (bytes) => (output += bytes));
    child.once('exit', (code) => done({ code, output }));
  });
}

/** `ENV` of the Dockerfile, and what an operator adds. */
function environment(stage, adminApiKey) {
  const built = stage.described
    .filter(({ name }) => name === 'ENV')
    .flatMap(({ rest }) => rest.split(' '))
    .map((pair) => pair.split('='));
  return {
    ...Object.fromEntries(built),
    HOST: '127.0.0.1',
    PORT: '0',
    STORE_URL: 'sqlite::memory:',
    ADMIN_API_KEY: adminApiKey,
    MASTER_KEYS: `m1:${randomBytes(32).toString('base64')}`,
  };
}

/** The image's own command, with this machine's Node. */
function healthCommand(stage) {
  const { rest } = stage.described.find(({ name }) => name === 'HEALTHCHECK');
  const [, ...args] = JSON.parse(/CMD (\[.*\])$/.exec(rest)[1]);
  return args;
}

async function checkRun(stage) {
  const adminApiKey = randomBytes(24).toString('hex');
  const env = environment(stage, adminApiKey);
  const output = { text: '' };
  const child = boot(stage, env);
  try {
    const port = await portOf(child, output);
    check('it boots as another user on a file system that is read-only', true);
    const health = await run(process.execPath, healthCommand(stage), { PORT: port });
    check('the health check of the image passes', health.code === 0, health.output);
    const nowhere = await run(process.execPath, healthCommand(stage), { PORT: '1' });
    check('and fails where nothing listens', nowhere.code === 1);
    const session = await run(process.execPath, [SESSION_TEST], {
      SERVICE_URL: `http://127.0.0.1:${port}`,
      ADMIN_API_KEY: adminApiKey,
    });
    check('a session lives and dies', session.code === 0, session.code === 0 ? '' : session.output);
    const left = new Promise((done) => child.once('exit', (code) => done(code)));
    child.kill('SIGTERM');
    const late = setTimeout(() => child.kill('SIGKILL'), LEAVE_DEADLINE_MS);
    check('it leaves in good order at SIGTERM', (await left) === 0);
    clearTimeout(late);
  } finally {
    child.kill('SIGKILL');
  }
}

async function checkRefusal(stage) {
  const { code, output } = await new Promise((done) => {
    const child = boot(stage, { NODE_ENV: 'production', PORT: '0' });
    let text = '';
    child.stderr.on('data', (bytes) => (text += bytes));
    child.once('exit', (exit) => done({ code: exit, output: text }));
  });
  check(
    'without secrets it refuses to start and says what is missing',
    code === 1 && /ADMIN_API_KEY/.test(output),
  );
}

const folder = mkdtempSync(join(tmpdir(), 'image-'));
spawnSync('chmod', ['755', folder]);
try {
  const stage = follow(REPOSITORY, folder);
  checkPackages(stage.path('.'));
  await checkRun(stage);
  await checkRefusal(stage);
} catch (error) {
  check('the image’s tree is built and runs', false, error.message);
} finally {
  rmSync(folder, { recursive: true, force: true });
}
process.exit(failed === 0 ? 0 : 1);
