/** The service as it is shipped: built by the Nest CLI and run as a process of its own. */
import { spawn, type ChildProcess } from 'node:child_process';
import { resolve } from 'node:path';
import { eventually } from '../support/eventually.js';

/** Runs `node dist/main.js`, as `buildOnce` made it. Without a PORT it gets a free one. */
export function runBuilt(
  workingDirectory: string,
  env: Readonly<Record<string, string>> = {},
): ServiceProcess {
  return new ServiceProcess(
    spawn(process.execPath, [resolve('dist/main.js')], {
      cwd: workingDirectory,
      env: { ...plainEnvironment(), HOST: '127.0.0.1', PORT: '0', ...env },
      stdio: ['ignore', 'pipe', 'pipe'],
    }),
  );
}

/** Nothing of the tests' own settings. */
function plainEnvironment(): Record<string, string> {
  return { PATH: process.env['PATH'] ?? '', HOME: process.env['HOME'] ?? '' };
}

export class ServiceProcess {
  stdout = '';
  stderr = '';
  private readonly exit: Promise<number | null>;

  constructor(private readonly child: ChildProcess) {
    child.stdout?.on('data', (chunk: Buffer) => (this.stdout += chunk.toString()));
    child.stderr?.on('data', (chunk: Buffer) => (this.stderr += chunk.toString()));
    this.exit = new Promise((done) => child.once('close', (code) => done(code)));
  }

  get output(): string {
    return this.stdout + this.stderr;
  }

  /** @returns its address, as soon as it listens */
  async listening(): Promise<string> {
    const port = await this.printed(/listening on port (\d+)/);
    return `http://127.0.0.1:${port}`;
  }

  /** @returns the first group of the pattern, as soon as it stands in the output */
  async printed(pattern: RegExp): Promise<string> {
    await eventually(() => pattern.test(this.output) || this.child.exitCode !== null);
    const match = pattern.exec(this.output);
    if (!match) throw new Error(`the service has left:\n${this.output}`);
    return match[1] ?? '';
  }

  signal(signal: NodeJS.Signals): void {
    this.child.kill(signal);
  }

  /** @returns its exit code; null when a signal ended it */
  async exited(withinMs = 60_000): Promise<number | null> {
    const late = setTimeout(() => this.child.kill('SIGKILL'), withinMs);
    const code = await this.exit;
    clearTimeout(late);
    return code;
  }

  async stop(): Promise<number | null> {
    if (this.child.exitCode === null) this.signal('SIGTERM');
    return this.exited();
  }
}
