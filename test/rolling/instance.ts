/** One place behind the proxy: always the same port, one process after the other. */
import { spawn, type ChildProcess } from 'node:child_process';
import { resolve } from 'node:path';
import type { Environment } from '../../src/config.js';
import { eventually } from '../support/eventually.js';
import { testEnvironment } from '../support/test-service.js';

export class Instance {
  private process: ChildProcess | undefined;

  constructor(
    readonly port: number,
    private readonly env: Environment,
  ) {}

  /** @param dist the build that runs */
  async start(dist: string): Promise<void> {
    const env = {
      PATH: process.env['PATH'],
      ...testEnvironment(),
      ...this.env,
      HOST: '127.0.0.1',
      PORT: String(this.port),
    };
    const command = ['--pdeathsig', 'KILL', process.execPath, resolve(dist, 'main.js')];
    this.process = spawn('setpriv', command, { env, stdio: 'ignore' });
    await eventually(async () => (await fetch(`http://127.0.0.1:${this.port}/health/ready`)).ok);
  }

  /** SIGTERM. @returns the exit status */
  async leave(): Promise<number | null> {
    return this.end('SIGTERM');
  }

  async kill(): Promise<void> {
    await this.end('SIGKILL');
  }

  private async end(signal: NodeJS.Signals): Promise<number | null> {
    const child = this.process;
    if (!child || child.exitCode !== null || child.signalCode !== null) return null;
    const gone = new Promise<number | null>((done) => child.once('exit', done));
    child.kill(signal);
    return gone;
  }
}
