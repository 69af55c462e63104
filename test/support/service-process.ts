/** The built service as a process of its own, for tests that kill it or count what it holds. */
import { spawn, spawnSync, type ChildProcess } from 'node:child_process';
import { mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import type { Environment } from '../../src/config.js';
import { testEnvironment } from './test-service.js';

const BOOT_DEADLINE_MS = 60_000;

/** One suite builds, the others wait for it; what is newer than its sources is not built again. */
export function buildOnce(): void {
  const stale =
    '[ ! -f dist/main.js ] || [ -n "$(find src nest-cli.json tsconfig*.json -newer dist/main.js -print -quit)" ]';
  const build = `if ${stale}; then ${process.execPath} node_modules/@nestjs/cli/bin/nest.js build; fi`;
  mkdirSync('data', { recursive: true });
  const { status, stdout, stderr } = spawnSync('flock', ['data/build.lock', 'sh', '-c', build], {
    encoding: 'utf8',
  });
  if (status !== 0) throw new Error(`the build failed: ${stdout}${stderr}`);
}

export class ServiceProcess {
  private port = 0;
  private output = '';

  private constructor(
    private readonly child: ChildProcess,
    readonly directory: string,
  ) {}

  /** @param directory the process works in; made when it is left out. */
  static async start(
    env: Environment,
    directory = mkdtempSync(join(tmpdir(), 'service-test-')),
  ): Promise<ServiceProcess> {
    const child = spawn('setpriv', ['--pdeathsig', 'KILL', process.execPath, resolve('dist/main.js')], {
      cwd: directory,
      env: { PATH: process.env['PATH'], ...testEnvironment(), HOST: '127.0.0.1', ...env },
      stdio: ['ignore', 'pipe', 'pipe'],
    });
    const service = new ServiceProcess(child, directory);
    await service.untilListening();
    return service;
  }

  get url(): string {
    return `http://127.0.0.1:${this.port}`;
  }

  /** Everything it has said so far. */
  get log(): string {
    return this.output;
  }

  /** Ids of the processes that it has started and that still run. */
  workers(): number[] {
    const { pid } = this.child;
    return readFileSync(`/proc/${pid}/task/${pid}/children`, 'utf8')
      .trim()
      .split(' ')
      .filter(Boolean)
      .map(Number);
  }

  get isRunning(): boolean {
    return this.child.exitCode === null && this.child.signalCode === null;
  }

  /** Files and sockets that it holds open now. */
  openHandles(): number {
    return readdirSync(`/proc/${this.child.pid}/fd`).length;
  }

  /** Asks it to leave. @returns its exit code; null when it had to be killed */
  async terminate(withinMs = 60_000): Promise<number | null> {
    const gone = new Promise<number | null>((done) => this.child.once('exit', (code) => done(code)));
    this.child.kill('SIGTERM');
    const late = setTimeout(() => this.child.kill('SIGKILL'), withinMs);
    const code = await gone;
    clearTimeout(late);
    return code;
  }

  async kill(): Promise<void> {
    if (!this.isRunning) return;
    const gone = new Promise((done) => this.child.once('exit', done));
    this.child.kill('SIGKILL');
    await gone;
  }

  /** Lets it die of a signal. @returns all that it has said, its last words too */
  async dieOf(signal: NodeJS.Signals): Promise<string> {
    const silent = new Promise((done) => this.child.once('close', done));
    this.child.kill(signal);
    await silent;
    return this.output;
  }

  /** Ends it and removes its directory. */
  async stop(): Promise<void> {
    await this.kill();
    rmSync(this.directory, { recursive: true, force: true });
  }

  private async untilListening(): Promise<void> {
    await new Promise<void>((listening, fail) => {
      const late = setTimeout(() => fail(new Error(`did not start: ${this.output}`)), BOOT_DEADLINE_MS);
      const hear = (bytes: Buffer): void => {
        this.output += bytes.toString();
        const port = /listening on port (\d+)/.exec(this.output)?.[1];
        if (this.port > 0 || !port) return;
        this.port = Number(port);
        clearTimeout(late);
        listening();
      };
      this.child.stdout?.on('data', hear);
      this.child.stderr?.on('data', hear);
      this.child.once('exit', () => {
        clearTimeout(late);
        fail(new Error(`left: ${this.output}`));
      });
    });
  }
}
