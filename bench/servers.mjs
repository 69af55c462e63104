// The processes of a run: each on loopback, on a free port, on its core, and ended by its process id.
import { spawn, spawnSync } from 'node:child_process';
import { mkdtempSync, rmSync } from 'node:fs';
import { connect, createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { setTimeout as pause } from 'node:timers/promises';
import { pinned } from './machine.mjs';

export const ADMIN_API_KEY = 'platform-key-of-this-benchmark';
export const PUBLIC_URL = 'http://localhost:3000';
/** An instance reads every live revocation before it is ready. */
const START_DEADLINE_MS = 180_000;
/** After a stop: to notice how late it is, and to read what waits. */
const WAKE_MS = 300;
/** As the image starts it. */
const V8_FLAGS = ['--max-semi-space-size=16', '--v8-pool-size=1'];
/** Nobody outlives the benchmark, not even when it is killed. */
const LEASH = spawnSync('setpriv', ['--version'], { stdio: 'ignore' }).status === 0;

export async function freePort() {
  const server = createServer();
  await new Promise((resolve) => server.listen(0, '127.0.0.1', resolve));
  const { port } = server.address();
  await new Promise((resolve) => server.close(resolve));
  return port;
}

function serviceSettings(storeUrl) {
  return {
    NODE_ENV: 'production',
    PUBLIC_URL,
    STORE_URL: storeUrl,
    ADMIN_API_KEY,
    MASTER_KEYS: `m1:${Buffer.alloc(32, 1).toString('base64')}`,
  };
}

export class Servers {
  #children = [];
  #pins;
  #alone;
  /** Databases, and nothing else. */
  directory = mkdtempSync(join(tmpdir(), 'bench-'));

  /** @param options.pins whether each process has a core of its own */
  constructor({ pins = true } = {}) {
    this.#pins = pins;
  }

  /** @returns the process; what it says on stderr is kept for `complaint` */
  launch(role, command, args, { env = {}, stdout = 'ignore' } = {}) {
    const leashed = LEASH ? ['setpriv', ['--pdeathsig', 'KILL', command, ...args]] : [command, args];
    const child = spawn(...(this.#pins ? pinned(role, ...leashed) : leashed), {
      cwd: this.directory,
      env: { PATH: process.env.PATH, ...env },
      stdio: ['ignore', stdout, 'pipe'],
    });
    child.complaint = '';
    child.stderr.on('data', (text) => (child.complaint = (child.complaint + text).slice(-2000)));
    child.role = role;
    this.#children.push(child);
    return child;
  }

  async redis(args = []) {
    const port = await freePort();
    const child = this.launch('redis', 'redis-server', [
      '--port',
      String(port),
      '--bind',
      '127.0.0.1',
      '--save',
      '',
      '--appendonly',
      'no',
      '--maxmemory-policy',
      'noeviction',
      '--dir',
      this.directory,
      ...args,
    ]);
    await this.#until(child, async () => (await command(port, 'PING')) === '+PONG');
    return { port, pid: child.pid, url: `redis://127.0.0.1:${port}`, stop: () => this.stop(child) };
  }

  /** The built service, in production mode and as the image starts it, every setting at its default but where it listens and stores. */
  async service(storeUrl, env = {}) {
    const port = await freePort();
    const main = new URL('../dist/main.js', import.meta.url).pathname;
    const settings = { ...serviceSettings(storeUrl), HOST: '127.0.0.1', PORT: String(port), ...env };
    const child = this.launch('server', process.execPath, [...V8_FLAGS, main], { env: settings });
    await this.#until(child, async () => (await fetch(`http://127.0.0.1:${port}/health/ready`)).ok);
    return { port, pid: child.pid, stop: () => this.stop(child) };
  }

  /** The service in a process that makes tenants quickly. */
  tenantMaker(storeUrl) {
    const patient = { REDIS_COMMAND_TIMEOUT_MS: '30000' }; // it loads; nobody waits for it
    return this.#announced('growth/tenant-maker', { ...serviceSettings(storeUrl), ...patient });
  }

  /** A program of `peers/`. */
  peer(name, env = {}) {
    return this.#announced(`peers/${name}`, { NODE_ENV: 'production', ...env });
  }

  /** Its first line of output is JSON with at least its `port`. */
  async #announced(name, env) {
    const program = new URL(`./${name}.mjs`, import.meta.url).pathname;
    const child = this.launch('server', process.execPath, [program], { env, stdout: 'pipe' });
    const lines = createInterface({ input: child.stdout });
    let first;
    lines.once('line', (line) => (first = JSON.parse(line)));
    await this.#until(child, () => first !== undefined);
    return { ...first, pid: child.pid, stop: () => this.stop(child) };
  }

  /** A program of `peers/` that measures by itself and ends. @returns the JSON that it printed */
  async run(name, args, env = {}) {
    const program = new URL(`./peers/${name}.mjs`, import.meta.url).pathname;
    const child = this.launch('server', process.execPath, [program, ...args.map(String)], {
      env,
      stdout: 'pipe',
    });
    let text = '';
    child.stdout.on('data', (chunk) => (text += chunk));
    const code = await new Promise((resolve) => child.once('close', resolve));
    if (code !== 0) throw new Error(`${name} failed: ${child.complaint}`);
    return JSON.parse(text);
  }

  /**
   * The only server that runs from now on, until another one does; the others are stopped as they are. An idle process
   * is not quiet: some seconds after its work it collects its garbage, with all of V8's threads, on the core that they share.
   * @param pid null: none of them
   * @returns whether it was stopped until now
   */
  async letRun(pid) {
    if (this.#alone === pid) return false;
    this.#alone = pid;
    const running = this.#children.filter(
      ({ role, exitCode, signalCode }) => role === 'server' && exitCode === null && signalCode === null,
    );
    if (pid !== null && !running.some((child) => child.pid === pid)) throw new Error(`no server ${pid} runs`);
    for (const child of running) child.kill(child.pid === pid ? 'SIGCONT' : 'SIGSTOP');
    await pause(WAKE_MS);
    return true;
  }

  async stop(child) {
    if (child.exitCode !== null || child.signalCode !== null) return;
    const gone = new Promise((resolve) => child.once('exit', resolve));
    child.kill('SIGKILL');
    await gone;
  }

  async stopAll() {
    await Promise.all(this.#children.map((child) => this.stop(child)));
    rmSync(this.directory, { recursive: true, force: true });
  }

  async #until(child, isReady) {
    const deadline = performance.now() + START_DEADLINE_MS;
    for (;;) {
      if (child.exitCode !== null) throw new Error(`a server ended: ${child.complaint}`);
      if (await Promise.resolve(isReady()).catch(() => false)) return;
      if (performance.now() > deadline) throw new Error(`a server did not start: ${child.complaint}`);
      await pause(30);
    }
  }
}

/** One command to Redis. @returns the first line of its answer, or for INFO the whole text */
export function command(port, ...words) {
  return new Promise((resolve, reject) => {
    const socket = connect(port, '127.0.0.1');
    let text = '';
    socket.on('error', reject);
    socket.on('data', (chunk) => {
      text += chunk;
      if (!text.endsWith('\r\n')) return;
      socket.destroy();
      resolve(text.startsWith('$') ? text : text.trimEnd());
    });
    socket.write(
      `*${words.length}\r\n${words.map((word) => `$${Buffer.byteLength(word)}\r\n${word}\r\n`).join('')}`,
    );
  });
}
