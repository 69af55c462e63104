/** Debian's HAProxy in front of some instances, configured as docs/upgrading.md tells operators to. */
import { spawn, type ChildProcess } from 'node:child_process';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { eventually } from '../support/eventually.js';
import { freePort } from '../support/redis-server.js';

/** Readiness is asked four times a second, and believed the second time: known within a second, drain or no drain. */
const configuration = (port: number, statusPort: number, backends: readonly number[]): string => `
global
  maxconn 2000
defaults
  mode http
  timeout connect 5s
  timeout client 180s
  timeout server 180s
  timeout check 5s
  # A connection that could not be made carried no request: another instance gets it.
  retries 3
  retry-on conn-failure
  option redispatch 1
frontend callers
  bind 127.0.0.1:${port}
  default_backend sessions
backend sessions
  balance roundrobin
  option httpchk GET /health/ready
  default-server check inter 250ms fall 2 rise 2
${backends.map((backend, n) => `  server instance-${n} 127.0.0.1:${backend}`).join('\n')}
listen status
  bind 127.0.0.1:${statusPort}
  stats enable
  stats uri /
`;

export class Haproxy {
  private constructor(
    readonly url: string,
    private readonly statusUrl: string,
    private readonly process: ChildProcess,
    private readonly directory: string,
  ) {}

  static async start(backends: readonly number[]): Promise<Haproxy> {
    const [port, statusPort] = [await freePort(), await freePort()];
    const directory = mkdtempSync(join(tmpdir(), 'haproxy-test-'));
    const file = join(directory, 'haproxy.cfg');
    writeFileSync(file, configuration(port, statusPort, backends));
    const process = spawn('setpriv', ['--pdeathsig', 'KILL', 'haproxy', '-db', '-f', file], {
      stdio: 'ignore',
    });
    const url = (of: number) => `http://127.0.0.1:${of}`;
    const proxy = new Haproxy(url(port), url(statusPort), process, directory);
    await proxy.untilInRotation(backends.length);
    return proxy;
  }

  /** So many instances get traffic. */
  async untilInRotation(instances: number): Promise<void> {
    await eventually(async () => (await this.inRotation()) === instances);
  }

  async stop(): Promise<void> {
    const gone = new Promise((done) => this.process.once('exit', done));
    this.process.kill('SIGKILL');
    await gone;
    rmSync(this.directory, { recursive: true, force: true });
  }

  private async inRotation(): Promise<number> {
    const table = await (await fetch(`${this.statusUrl}/;csv`)).text();
    return table.split('\n').filter((line) => /^sessions,instance-\d+,.*,UP,/.test(line)).length;
  }
}
