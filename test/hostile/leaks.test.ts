/**
 * Secrets are given to the built service in every way there is, and searched for wherever it speaks or writes. A new
 * place where something could come to light is one more entry of PLACES.
 */
import { afterAll, beforeAll, describe, expect, test } from '@jest/globals';
import { randomBytes } from 'node:crypto';
import { mkdtempSync, readdirSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Redis } from 'ioredis';
import type { Environment } from '../../src/config.js';
import { OtlpReceiver } from '../support/otlp-receiver.js';
import { eventually } from '../support/eventually.js';
import { RedisServer } from '../support/redis-server.js';
import { buildOnce, ServiceProcess } from '../support/service-process.js';
import { TestService, type TestTenant, type Tokens } from '../support/test-service.js';
import { hits, newSecret, ofApiKey, ofPrivateKey, ofToken, type Canary } from './canaries.js';
import { keysOf } from './token-kit.js';

const TENANT = 'leaky';

/** What one run of the service has said and left. */
interface Traces {
  /** stdout and stderr of every process, those that crashed and those that did not boot among them. */
  readonly output: string[];
  readonly metrics: string[];
  /** Heads and bodies of all refusals. */
  readonly refusals: string[];
  readonly open: string[];
  /** Spans, as they were sent. */
  readonly spans: string[];
  /** Everything in the store, read as bytes. */
  readonly atRest: Buffer[];
}

type Kind = 'secret' | 'personal';

/** Where nothing of a kind may be found. */
const PLACES: readonly { name: string; kinds: readonly Kind[]; of: (traces: Traces) => Buffer | string }[] = [
  { name: 'logs and crashes', kinds: ['secret', 'personal'], of: ({ output }) => output.join('\n') },
  { name: 'metrics', kinds: ['secret', 'personal'], of: ({ metrics }) => metrics.join('\n') },
  { name: 'refusals', kinds: ['secret', 'personal'], of: ({ refusals }) => refusals.join('\n') },
  { name: 'public answers', kinds: ['secret', 'personal'], of: ({ open }) => open.join('\n') },
  { name: 'traces', kinds: ['secret', 'personal'], of: ({ spans }) => spans.join('\n') },
  { name: 'the store', kinds: ['secret'], of: ({ atRest }) => Buffer.concat(atRest) },
];

interface Subject {
  readonly env: Environment;
  readonly secrets: Canary[];
  readonly personal: Canary[];
  readonly traces: Traces;
}

/** One service that lives, suffers and dies, and what was learned of it. */
class Ordeal {
  readonly secrets: Canary[] = [];
  readonly personal: Canary[] = [];
  traces: Traces = { output: [], metrics: [], refusals: [], open: [], spans: [], atRest: [] };
  readonly env: Environment;
  private readonly services: ServiceProcess[] = [];
  private url = '';

  constructor(store: Environment, receiver: OtlpReceiver) {
    const metrics = newSecret('metrics-token');
    const collector = newSecret('collector');
    this.traces = { ...this.traces, spans: receiver.bodies };
    this.secrets.push({ name: 'metrics token', value: metrics }, { name: 'OTLP header', value: collector });
    const admin = newSecret('platform-key');
    const master = randomBytes(32);
    this.env = {
      ...store,
      NODE_ENV: 'production',
      LOG_LEVEL: 'trace',
      ADMIN_API_KEY: admin,
      METRICS_TOKEN: metrics,
      OTEL_EXPORTER_OTLP_ENDPOINT: receiver.url,
      OTEL_EXPORTER_OTLP_HEADERS: `authorization=${collector}`,
      MASTER_KEYS: `m1:${master.toString('base64')}`,
    };
    this.secrets.push({ name: 'platform key', value: admin }, { name: 'master key', value: master });
  }

  get apiKey(): string {
    return String(this.env['ADMIN_API_KEY']);
  }

  async boot(more: Environment = {}, directory?: string): Promise<ServiceProcess | null> {
    try {
      const service = await ServiceProcess.start({ ...this.env, ...more }, directory);
      this.url = service.url;
      this.services.push(service);
      return service;
    } catch (error) {
      this.traces.output.push((error as Error).message);
      return null;
    }
  }

  async end(): Promise<void> {
    await Promise.all(this.services.map((service) => service.stop()));
  }

  /** What is refused is kept; what succeeds carries secrets by right. */
  async call(
    method: string,
    path: string,
    { apiKey, body, headers }: { apiKey?: string; body?: unknown; headers?: Record<string, string> } = {},
  ): Promise<{ status: number; text: string }> {
    const answer = await fetch(this.url + path, {
      method,
      headers: {
        'content-type': 'application/json',
        ...(apiKey === undefined ? {} : { 'x-api-key': apiKey }),
        ...headers,
      },
      ...(body === undefined ? {} : { body: typeof body === 'string' ? body : JSON.stringify(body) }),
    });
    const text = await answer.text();
    if (answer.status >= 400) this.traces.refusals.push(JSON.stringify([...answer.headers]), text);
    return { status: answer.status, text };
  }

  async json<T>(...call: Parameters<Ordeal['call']>): Promise<T> {
    const { status, text } = await this.call(...call);
    if (status >= 300) throw new Error(`${call[0]} ${call[1]} answered ${status}: ${text}`);
    return JSON.parse(text) as T;
  }

  /** A tenant with a session, all of it known; then everything again, wrongly. */
  async live(): Promise<TestTenant> {
    const { api_key: first } = await this.json<{ api_key: string }>('POST', '/tenants', {
      apiKey: this.apiKey,
      body: { tenant_id: TENANT },
    });
    const second = await this.json<{ api_key: string; key_id: string }>(
      'POST',
      `/tenants/${TENANT}/api-keys`,
      {
        apiKey: first,
        body: { name: 'second', scopes: ['sessions:validate'] },
      },
    );
    this.secrets.push(...ofApiKey('API key', first), ...ofApiKey('second API key', second.api_key));
    const user = newSecret('user');
    const metadata = { note: newSecret('metadata') };
    this.personal.push({ name: 'user id', value: user }, { name: 'metadata', value: metadata.note });
    const session = await this.json<Tokens>('POST', '/sessions', {
      apiKey: first,
      body: { tenant_id: TENANT, user_id: user, scope: 'read', metadata },
    });
    const next = await this.json<Tokens>('POST', '/sessions/refresh', {
      apiKey: first,
      body: { refresh_token: session.refresh_token },
    });
    for (const [name, tokens] of Object.entries({ session, next })) {
      this.secrets.push(...ofToken(`${name}: access token`, tokens.access_token));
      this.secrets.push(...ofToken(`${name}: refresh token`, tokens.refresh_token));
    }
    const list = `/sessions?tenant_id=${TENANT}&user_id=${user}`;
    await this.json('GET', list, { apiKey: first });
    await this.json('POST', '/sessions/validate', {
      apiKey: first,
      body: { access_token: next.access_token },
    });
    await this.misuse({ tenantId: TENANT, apiKey: first }, next, user);
    await this.call('DELETE', `/tenants/${TENANT}/api-keys/${second.key_id}`, { apiKey: first });
    await this.call('GET', '/sessions/x', { apiKey: second.api_key });
    const comment = newSecret('comment');
    this.personal.push({ name: 'comment', value: comment });
    const ending = { token: session.access_token, reason: 'admin', comment };
    await this.call('POST', '/sessions/revoke', { apiKey: first, body: ending });
    for (const token of [next.refresh_token, session.refresh_token]) {
      await this.call('POST', '/sessions/refresh', { apiKey: first, body: { refresh_token: token } });
    }
    await this.call('POST', '/sessions/validate', {
      apiKey: first,
      body: { access_token: next.access_token },
    });
    const batch = { tokens: [next.access_token, `${next.refresh_token}x`], reason: 'admin' };
    await this.call('POST', '/sessions/revoke-batch', { apiKey: first, body: batch });
    await this.call('POST', `/tenants/${TENANT}/keys/rotate?now=true`, { apiKey: first });
    const last = await this.json<Tokens>('POST', '/sessions', {
      apiKey: first,
      body: { tenant_id: TENANT, user_id: user, scope: 'read', metadata },
    });
    this.secrets.push(...ofToken('last: access token', last.access_token));
    this.secrets.push(...ofToken('last: refresh token', last.refresh_token));
    return { tenantId: TENANT, apiKey: first };
  }

  /** Every secret in every wrong place of a request. */
  private async misuse({ apiKey }: TestTenant, { access_token: token }: Tokens, user: string): Promise<void> {
    for (const secret of [token, apiKey, this.apiKey, user]) {
      const quoted = JSON.stringify(secret);
      const calls: [string, string, unknown?][] = [
        ['GET', `/sessions/${secret}`],
        ['DELETE', `/sessions/${secret}`],
        ['GET', `/${secret}`],
        ['GET', `/tenants/${secret}/jwks`],
        ['DELETE', `/tenants/${TENANT}/keys/${secret}`],
        ['GET', `/sessions?tenant_id=${secret}&user_id=a`],
        ['GET', `/sessions?tenant_id=${TENANT}&user_id=${secret}%00`],
        ['GET', `/sessions?${secret}=${secret}`],
        ['GET', `/%ff${secret}`],
        ['POST', '/sessions/validate', { access_token: `${secret}.` }],
        ['POST', '/sessions/validate', { [secret]: secret }],
        ['POST', '/sessions/validate', { access_token: [secret] }],
        ['POST', '/sessions/validate', { access_token: secret, revocation_check: secret }],
        ['POST', '/sessions/refresh', { refresh_token: secret.slice(0, -1) }],
        ['POST', '/sessions/revoke', { token: secret, reason: secret }],
        ['POST', '/sessions', { tenant_id: TENANT, user_id: `${secret}\n`, scope: secret }],
        [
          'POST',
          '/sessions',
          { tenant_id: TENANT, user_id: 'a', scope: '', metadata: { [secret]: { a: secret } } },
        ],
        ['POST', '/sessions', `{"tenant_id":${quoted}`],
        ['POST', '/sessions', `{${quoted}:1,${quoted}:2}`],
        ['POST', '/sessions', secret],
        ['POST', '/tenants', { tenant_id: `${secret}_` }],
        ['POST', `/tenants/${TENANT}/api-keys`, { name: `${secret}\n`, scopes: [secret] }],
      ];
      for (const [method, path, body] of calls) {
        for (const caller of [apiKey, this.apiKey, `${secret}x`]) {
          await this.call(method, path, { apiKey: caller, ...(body === undefined ? {} : { body }) });
        }
      }
      const headers = {
        authorization: `Bearer ${secret}`,
        cookie: `a=${secret}`,
        'x-request-id': `${secret} x`,
      };
      await this.call('GET', '/tenants', { headers });
      await this.call('POST', '/sessions', { apiKey, body: '{}', headers: { 'content-type': secret } });
    }
  }

  /** What anybody may read. */
  async watch(): Promise<void> {
    const headers = { authorization: `Bearer ${this.env['METRICS_TOKEN']}` };
    const scraped = await this.call('GET', '/metrics', { headers });
    expect(scraped.status).toBe(200);
    this.traces.metrics.push(scraped.text);
    await this.call('GET', '/metrics', { headers: { authorization: `${headers.authorization}x` } });
    for (const path of ['/health', '/health/ready', '/docs/openapi.json', `/tenants/${TENANT}/jwks`]) {
      this.traces.open.push((await this.call('GET', path)).text);
    }
  }

  /** The keys of the tenant, as only the holder of the master key sees them. */
  async learnKeys(): Promise<void> {
    const service = await TestService.start(this.env);
    const { privateKey, refreshSecret } = await keysOf(service, { tenantId: TENANT, apiKey: '' });
    await service.stop();
    this.secrets.push(...ofPrivateKey('private key', privateKey));
    this.secrets.push({ name: 'refresh secret', value: refreshSecret });
  }

  /** Boots that fail, each for the sake of a secret. */
  async failToBoot(directory: string): Promise<void> {
    const wrong = randomBytes(32).toString('base64');
    this.secrets.push({ name: 'wrong master key', value: Buffer.from(wrong, 'base64') });
    const word = newSecret('setting');
    this.secrets.push({ name: 'malformed setting', value: word });
    for (const more of [
      { MASTER_KEYS: `m1:${wrong}` },
      { MASTER_KEYS: `${word}:${wrong}` },
      { MASTER_KEYS: word },
      { ADMIN_API_KEY: `${word} with spaces` },
      { STORE_URL: `redis://user:${word}@:99999` },
      { STORE_URL: `mysql://user:${word}@localhost/x` },
      { PUBLIC_URL: `https://user:${word}@x.example` },
      { PORT: word, LOG_LEVEL: word },
      { KEY_PROVIDER: 'vault', VAULT_TOKEN: `${word}é`, VAULT_TRANSIT_KEY: 'k', VAULT_ADDR: `x://${word}` },
      { KEY_PROVIDER: 'vault', VAULT_TOKEN: word, VAULT_TRANSIT_KEY: 'k', VAULT_ADDR: 'http://127.0.0.1:1' },
    ]) {
      const service = await this.boot(more, directory);
      if (!service) continue;
      this.traces.output.push(await service.dieOf('SIGTERM'));
    }
  }
}

/** Throws in the middle of everything, as a fault of ours would. */
const CRASH_ON_SIGUSR2 = `data:text/javascript,${encodeURIComponent(
  "process.on('SIGUSR2', () => { throw Object.assign(new Error('crash'), { cause: new Error('cause') }) })",
)}`;

function expectNoLeak({ secrets, personal, traces }: Subject): void {
  for (const { name, kinds, of } of PLACES) {
    const canaries = [
      ...(kinds.includes('secret') ? secrets : []),
      ...(kinds.includes('personal') ? personal : []),
    ];
    const place = of(traces);
    expect({ name, isEmpty: place.length === 0, hits: hits(place, canaries) }).toEqual({
      name,
      isEmpty: false,
      hits: [],
    });
  }
}

async function readAll(client: Redis): Promise<Buffer> {
  const parts: unknown[] = [];
  for (const key of await client.keys('*')) {
    const type = await client.type(key);
    const command = {
      hash: 'hgetallBuffer',
      zset: 'zrangeBuffer',
      stream: 'xrangeBuffer',
      string: 'getBuffer',
    }[type];
    const args = { zset: [0, -1], stream: ['-', '+'] }[type] ?? [];
    if (!command) throw new Error(`nothing is known of keys of type ${type}`);
    const read = (client as unknown as Record<string, (...all: unknown[]) => Promise<unknown>>)[command];
    parts.push(key, await read?.call(client, key, ...args));
  }
  return flatten(parts);
}

function flatten(value: unknown): Buffer {
  if (Buffer.isBuffer(value)) return Buffer.concat([value, Buffer.from('\n')]);
  if (typeof value === 'string') return Buffer.from(`${value}\n`);
  if (Array.isArray(value)) return Buffer.concat(value.map(flatten));
  return Buffer.concat(
    Object.entries(value ?? {})
      .flat()
      .map(flatten),
  );
}

let receiver: OtlpReceiver;

beforeAll(async () => {
  buildOnce();
  receiver = await OtlpReceiver.start();
}, 120_000);

afterAll(() => receiver.stop());

test('the search finds what there is, in any spelling', () => {
  const secret = newSecret('x');
  const canary = [{ name: 'x', value: secret }];
  for (const text of [
    secret,
    Buffer.from(secret).toString('base64'),
    Buffer.from(`1${secret}`).toString('base64'),
    Buffer.from(`12${secret}`).toString('base64url'),
    Buffer.from(secret).toString('hex'),
    JSON.stringify({ secret: Buffer.from(secret) }),
  ]) {
    expect({ text, hits: hits(`before ${text} after`, canary) }).toEqual({ text, hits: ['x'] });
  }
  expect(hits('nothing', canary)).toEqual([]);
});

describe('a service on SQLite', () => {
  const directory = mkdtempSync(join(tmpdir(), 'service-leaks-'));

  let ordeal: Ordeal;

  beforeAll(() => {
    ordeal = new Ordeal({ STORE_URL: `sqlite:${join(directory, 'sessions.db')}` }, receiver);
  });

  afterAll(async () => {
    await ordeal.end();
    rmSync(directory, { recursive: true, force: true });
  });

  test('gives no secret away while it lives, when it does not boot and when it dies', async () => {
    for (const [signal, more] of [
      ['SIGABRT', {}],
      ['SIGUSR2', { NODE_OPTIONS: `--import=${CRASH_ON_SIGUSR2}` }],
      ['SIGTERM', {}],
    ] as const) {
      const service = await ordeal.boot(more, directory);
      if (!service) throw new Error(`the service did not boot: ${ordeal.traces.output.at(-1)}`);
      if (signal === 'SIGABRT') await ordeal.live();
      await ordeal.watch();
      if (signal === 'SIGABRT') {
        // While it is written to: the log beside the database holds what the database does not yet.
        for (const name of readdirSync(directory))
          ordeal.traces.atRest.push(readFileSync(join(directory, name)));
      }
      ordeal.traces.output.push(await service.dieOf(signal));
    }
    await ordeal.failToBoot(directory);
    for (const name of readdirSync(directory)) ordeal.traces.atRest.push(readFileSync(join(directory, name)));
    await ordeal.learnKeys();

    const { traces, personal } = ordeal;
    // The ordeal was one: it was logged, refused, crashed and kept.
    const said = traces.output.join('\n');
    for (const what of ['"event":"request"', 'Error: crash', 'MASTER_KEYS does not open']) {
      expect({ what, isSaid: said.includes(what) }).toEqual({ what, isSaid: true });
    }
    expect(traces.refusals.length).toBeGreaterThan(400);
    expect(hits(Buffer.concat(traces.atRest), personal)).toContain('user id');
    // A crash leaves no core, heap or report behind.
    expect(readdirSync(directory).filter((name) => !name.startsWith('sessions.db'))).toEqual([]);
    expectNoLeak(ordeal);
  }, 120_000);
});

describe('a service on Redis', () => {
  const password = newSecret('redis-password');
  let redis: RedisServer;
  let ordeal: Ordeal;

  const urlWith = (word: string) => redis.url.replace('redis://', `redis://default:${word}@`);

  beforeAll(async () => {
    redis = await RedisServer.start(['--requirepass', password]);
    ordeal = new Ordeal({ STORE_URL: urlWith(password), REDIS_COMMAND_TIMEOUT_MS: '200' }, receiver);
  });

  afterAll(async () => {
    await ordeal.end();
    await redis.stop();
  });

  test('gives no secret away, through an outage and a wrong password either', async () => {
    const wrong = newSecret('wrong-password');
    ordeal.secrets.push({ name: 'password', value: password }, { name: 'wrong password', value: wrong });
    const service = await ordeal.boot();
    if (!service) throw new Error(`the service did not boot: ${ordeal.traces.output.at(-1)}`);
    const tenant = await ordeal.live();
    await ordeal.watch();
    const client = new Redis(redis.port, '127.0.0.1', { password });
    ordeal.traces.atRest.push(await readAll(client));
    client.disconnect();
    await ordeal.learnKeys();

    await redis.kill();
    const create = {
      apiKey: tenant.apiKey,
      body: { tenant_id: TENANT, user_id: String(ordeal.personal[0]?.value), scope: '' },
    };
    await eventually(async () => (await ordeal.call('POST', '/sessions', create)).status === 503);
    await ordeal.watch();
    await ordeal.call('GET', '/tenants', { apiKey: `${ordeal.apiKey}x` });
    ordeal.traces.output.push(await service.dieOf('SIGABRT'));
    await redis.restart();
    const refused = await ordeal.boot({ STORE_URL: urlWith(wrong) });
    if (refused) {
      await ordeal.call('GET', '/tenants', { apiKey: ordeal.apiKey });
      await ordeal.watch();
      ordeal.traces.output.push(await refused.dieOf('SIGTERM'));
    }

    expect(ordeal.traces.output.join('\n').includes('store_unavailable')).toBe(true);
    expect(ordeal.traces.refusals.join('\n')).toContain('store_unavailable');
    expect(hits(Buffer.concat(ordeal.traces.atRest), ordeal.personal)).toContain('user id');
    expectNoLeak(ordeal);
  }, 120_000);
});
