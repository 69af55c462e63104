/** An example, started by its one command, and the service that it may be given. */
import { spawn, type ChildProcess } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import { resolve } from 'node:path';
import { eventually } from '../support/eventually.js';
import { freePort } from '../support/redis-server.js';
import { ServiceProcess } from '../support/service-process.js';
import { ADMIN_API_KEY } from '../support/test-service.js';

export class Example {
  private said = '';

  private constructor(private readonly child: ChildProcess) {
    for (const stream of [child.stdout, child.stderr]) {
      stream?.on('data', (bytes: Buffer) => (this.said += bytes.toString()));
    }
  }

  /** @param env which service it is given; none: it starts its own */
  static async start(name: string, env: Readonly<Record<string, string>> = {}): Promise<Example> {
    const command = ['--pdeathsig', 'TERM', process.execPath, resolve('examples/run.mjs'), name];
    const child = spawn('setpriv', command, {
      stdio: ['ignore', 'pipe', 'pipe'],
      env: { PATH: process.env['PATH'], PORT: String(await freePort()), ...env },
    });
    const example = new Example(child);
    await eventually(() => example.address !== undefined || child.exitCode !== null);
    if (!example.address) throw new Error(`${name} has left: ${example.said}`);
    // nginx says so a moment before it listens.
    await eventually(() => fetch(example.url).then(() => true));
    return example;
  }

  get url(): string {
    return this.address ?? '';
  }

  private get address(): string | undefined {
    return /the example is at (http:\S+)/.exec(this.said)?.[1];
  }

  /** As Ctrl-C does. @returns its exit code */
  async stop(): Promise<number | null> {
    const gone = new Promise<number | null>((done) => this.child.once('exit', (code) => done(code)));
    this.child.kill('SIGTERM');
    return gone;
  }
}

/** A service with a tenant for examples, which can go away and come back with all it knew. */
export class GivenService {
  private constructor(
    private process: ServiceProcess,
    private readonly env: Readonly<Record<string, string>>,
    readonly tenantId: string,
    readonly apiKey: string,
  ) {}

  static async start(): Promise<GivenService> {
    const port = String(await freePort());
    const env = { PORT: port, PUBLIC_URL: `http://127.0.0.1:${port}`, STORE_URL: 'sqlite:./sessions.db' };
    const process = await ServiceProcess.start(env);
    const tenantId = `shop-${randomBytes(4).toString('hex')}`;
    const answer = await asPlatform(process.url, 'POST', '/tenants', { tenant_id: tenantId });
    const { api_key: apiKey } = (await answer.json()) as { api_key: string };
    return new GivenService(process, env, tenantId, apiKey);
  }

  get url(): string {
    return this.process.url;
  }

  /** For an example's environment. */
  get settings(): Record<string, string> {
    return { SESSION_SERVICE_URL: this.url, SESSION_API_KEY: this.apiKey };
  }

  async call(path: string, body: Readonly<Record<string, unknown>>): Promise<Record<string, string>> {
    const answer = await fetch(this.url + path, {
      method: 'POST',
      headers: { 'x-api-key': this.apiKey, 'content-type': 'application/json' },
      body: JSON.stringify(body),
    });
    return JSON.parse((await answer.text()) || '{}') as Record<string, string>;
  }

  /** Of the tokens from now on; null: the service's own. */
  async setTokenLife(seconds: number | null): Promise<void> {
    const change = { access_token_ttl_seconds: seconds };
    await asPlatform(this.url, 'PATCH', `/tenants/${this.tenantId}`, change);
  }

  /** @returns an access token */
  async login(scope: string): Promise<string> {
    const login = { tenant_id: this.tenantId, user_id: 'alice', scope };
    return (await this.call('/sessions', login))['access_token'] ?? '';
  }

  async goAway(): Promise<void> {
    await this.process.terminate();
  }

  async comeBack(): Promise<void> {
    this.process = await ServiceProcess.start(this.env, this.process.directory);
  }

  async stop(): Promise<void> {
    await this.process.stop();
  }
}

function asPlatform(url: string, method: string, path: string, body: object): Promise<Response> {
  const headers = { 'x-api-key': ADMIN_API_KEY, 'content-type': 'application/json' };
  return fetch(url + path, { method, headers, body: JSON.stringify(body) });
}
