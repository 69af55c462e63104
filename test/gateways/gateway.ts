/** A real gateway, started with the very files that docs/gateways.md shows: only addresses and paths are replaced. */
import { spawn, type ChildProcess } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { eventually } from '../support/eventually.js';
import { freePort } from '../support/redis-server.js';

/** What is in front of, behind and beside a gateway. */
export interface Places {
  /** Where it listens. */
  readonly port: number;
  readonly servicePort: number;
  readonly applicationPort: number;
  readonly apiKey: string;
  /** For its files. */
  readonly directory: string;
}

export interface GatewayKind {
  readonly name: string;
  /** Writes its files. @returns the command that runs it in the foreground */
  readonly prepare: (places: Places) => readonly [command: string, ...args: string[]];
}

const FOLDER = resolve(import.meta.dirname, '../../deploy/gateways');

/** The documented file with each of these texts replaced; every one must be there, once. */
export function documented(file: string, replacements: Readonly<Record<string, string>>): string {
  let text = readFileSync(join(FOLDER, file), 'utf8');
  for (const [from, to] of Object.entries(replacements)) {
    if (text.split(from).length !== 2) throw new Error(`${file} should have once: ${from}`);
    text = text.replace(from, () => to);
  }
  return text;
}

export const fileIn = ({ directory }: Places, name: string, text: string): string => {
  const file = join(directory, name);
  writeFileSync(file, text);
  return file;
};

export class Gateway {
  private said = '';

  private constructor(
    readonly url: string,
    private readonly directory: string,
    private readonly process: ChildProcess,
  ) {
    for (const stream of [process.stdout, process.stderr]) {
      stream?.on('data', (bytes: Buffer) => (this.said += bytes.toString()));
    }
  }

  static async start(kind: GatewayKind, places: Omit<Places, 'port' | 'directory'>): Promise<Gateway> {
    for (let attempt = 1; ; attempt++) {
      const directory = mkdtempSync(join(tmpdir(), 'gateway-test-'));
      const port = await freePort();
      const command = kind.prepare({ ...places, port, directory });
      const child = spawn('setpriv', ['--pdeathsig', 'KILL', ...command], {
        stdio: ['ignore', 'pipe', 'pipe'],
      });
      const gateway = new Gateway(`http://127.0.0.1:${port}`, directory, child);
      if (await gateway.answers()) return gateway;
      await gateway.stop();
      // Another suite may have taken the port that was free a moment ago.
      if (attempt === 5) throw new Error(`${kind.name} does not start: ${gateway.said}`);
    }
  }

  async stop(): Promise<void> {
    if (this.isRunning) {
      const gone = new Promise((done) => this.process.once('exit', done));
      this.process.kill('SIGKILL');
      await gone;
    }
    rmSync(this.directory, { recursive: true, force: true });
  }

  private get isRunning(): boolean {
    return this.process.exitCode === null && this.process.signalCode === null;
  }

  /** @returns false when it has left instead */
  private async answers(): Promise<boolean> {
    return eventually(
      async () => {
        if (!this.isRunning) return 'left';
        // Without a token, nothing gets through to anybody.
        const { status } = await fetch(this.url);
        return status === 401 || status === 503 ? 'answers' : 'is not it';
      },
      (state) => state === 'left' || state === 'answers',
    ).then((state) => state === 'answers');
  }
}
