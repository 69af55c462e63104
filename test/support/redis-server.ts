/** Real Redis servers for tests: on loopback, on free ports, ended by their process ids. */
import { spawn, type ChildProcess } from 'node:child_process';
import { mkdtempSync, rmSync } from 'node:fs';
import { createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Redis } from 'ioredis';

/** A port that nobody listened on a moment ago. */
export async function freePort(): Promise<number> {
  const server = createServer();
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const address = server.address();
  await new Promise((resolve) => server.close(resolve));
  if (typeof address !== 'object' || !address) throw new Error('no port');
  return address.port;
}

export class RedisServer {
  private constructor(
    readonly port: number,
    private readonly directory: string,
    private readonly args: readonly string[],
    private process: ChildProcess,
  ) {}

  static async start(args: readonly string[] = [], port?: number): Promise<RedisServer> {
    const directory = mkdtempSync(join(tmpdir(), 'redis-test-'));
    for (;;) {
      const chosen = port ?? (await freePort());
      const server = new RedisServer(chosen, directory, args, launch(chosen, directory, args));
      if (await server.isReady()) return server;
      // Another suite may have taken the port that was free a moment ago.
      await server.end('SIGKILL');
      if (port !== undefined) throw new Error(`no Redis could be started on port ${port}`);
    }
  }

  get url(): string {
    return `redis://127.0.0.1:${this.port}`;
  }

  get pid(): number {
    return this.process.pid ?? 0;
  }

  /** A plain client, for looking at what the service stored. The caller disconnects it. */
  client(): Redis {
    return new Redis(this.port, '127.0.0.1');
  }

  signal(signal: NodeJS.Signals): void {
    process.kill(this.pid, signal);
  }

  /** Dies at once and forgets everything that was not on disk. */
  async kill(): Promise<void> {
    await this.end('SIGKILL');
  }

  /** The same port and directory, a new process. */
  async restart(): Promise<void> {
    this.process = launch(this.port, this.directory, this.args);
    if (!(await this.isReady())) throw new Error(`no Redis could be started again on port ${this.port}`);
  }

  async stop(): Promise<void> {
    await this.end('SIGKILL');
    rmSync(this.directory, { recursive: true, force: true });
  }

  private get isRunning(): boolean {
    return this.process.exitCode === null && this.process.signalCode === null;
  }

  private async end(signal: NodeJS.Signals): Promise<void> {
    if (!this.isRunning) return;
    const gone = new Promise((resolve) => this.process.once('exit', resolve));
    this.process.kill(signal);
    await gone;
  }

  /** @returns whether it answers; false when it has left, or another one answers */
  private async isReady(): Promise<boolean> {
    const client = new Redis({
      port: this.port,
      host: '127.0.0.1',
      retryStrategy: () => 20,
      maxRetriesPerRequest: null,
      ...passwordOf(this.args),
    });
    client.on('error', () => undefined);
    const left = new Promise<false>((resolve) => this.process.once('exit', () => resolve(false)));
    try {
      const info = await Promise.race([client.info('server'), left]);
      return info !== false && info.includes(`process_id:${this.pid}\r`);
    } finally {
      client.disconnect();
    }
  }
}

function passwordOf(args: readonly string[]): { password?: string } {
  const password = args[args.indexOf('--requirepass') + 1];
  return args.includes('--requirepass') && password ? { password } : {};
}

/** setpriv ends the server with us, even when we are killed. */
function launch(port: number, directory: string, args: readonly string[]): ChildProcess {
  const redis = ['redis-server', '--port', String(port), '--bind', '127.0.0.1', '--dir', directory];
  const settings = ['--save', '', '--appendonly', 'no', '--daemonize', 'no'];
  const child = spawn('setpriv', ['--pdeathsig', 'KILL', ...redis, ...settings, ...args], {
    stdio: 'ignore',
  });
  return child;
}
