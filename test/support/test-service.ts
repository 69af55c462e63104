/** The whole service on a free port, for tests that speak HTTP to it. */
import { randomBytes } from 'node:crypto';
import type { NestFastifyApplication } from '@nestjs/platform-fastify';
import { createApp } from '../../src/app.setup.js';
import { parseConfig, type Environment } from '../../src/config.js';
import type { Log } from '../../src/logging/log.js';
import type { Tracing } from '../../src/tracing.js';
import { RedisServer } from './redis-server.js';
import { TurnableClock } from './turnable-clock.js';

export const ADMIN_API_KEY = 'platform-key-of-the-tests-only';

export interface HttpAnswer<T = Record<string, unknown>> {
  readonly status: number;
  readonly headers: Headers;
  readonly body: T;
}

export interface Tokens {
  session_id: string;
  access_token: string;
  refresh_token: string;
  token_type: string;
  expires_in: number;
  refresh_expires_in: number;
}

export interface TestTenant {
  readonly tenantId: string;
  readonly apiKey: string;
}

export class TestService {
  private constructor(
    readonly app: NestFastifyApplication,
    readonly clock: TurnableClock,
    readonly url: string,
  ) {}

  /** @param log says nothing unless a test listens */
  static async start(
    env: Environment = {},
    clock = new TurnableClock(),
    tracing?: Tracing,
    log: Log | false = false,
  ): Promise<TestService> {
    const config = parseConfig({ ...testEnvironment(), ...env });
    const app = await createApp(config, { clock, log, ...(tracing ? { tracing } : {}) });
    await app.listen(0, '127.0.0.1');
    return new TestService(app, clock, await app.getUrl());
  }

  async stop(): Promise<void> {
    this.app.getHttpServer().closeAllConnections();
    await this.app.close();
  }

  /** Sends JSON unless `body` is text or bytes already. */
  async call<T = Record<string, unknown>>(
    method: string,
    path: string,
    {
      apiKey,
      body,
      headers = {},
    }: { apiKey?: string; body?: unknown; headers?: Record<string, string> } = {},
  ): Promise<HttpAnswer<T>> {
    const raw = typeof body === 'string' || body instanceof Uint8Array;
    const answer = await fetch(this.url + path, {
      method,
      headers: {
        ...(apiKey === undefined ? {} : { 'x-api-key': apiKey }),
        ...(body === undefined ? {} : { 'content-type': 'application/json' }),
        ...headers,
      },
      ...(body === undefined ? {} : { body: (raw ? body : JSON.stringify(body)) as string }),
    });
    const text = await answer.text();
    const isJson = answer.headers.get('content-type')?.startsWith('application/json') ?? false;
    const parsed: unknown = isJson && text ? JSON.parse(text) : text || undefined;
    return { status: answer.status, headers: answer.headers, body: parsed as T };
  }

  asPlatform<T = Record<string, unknown>>(
    method: string,
    path: string,
    body?: unknown,
  ): Promise<HttpAnswer<T>> {
    return this.call<T>(method, path, { apiKey: ADMIN_API_KEY, body });
  }

  /** A tenant with an id of its own, and an API key of it with every scope. */
  async tenant(settings: Record<string, unknown> = {}): Promise<TestTenant> {
    const tenantId = `t-${randomBytes(6).toString('hex')}`;
    const { status, body } = await this.asPlatform('POST', '/tenants', { tenant_id: tenantId, ...settings });
    if (status !== 201) throw new Error(`creating a tenant answered ${status}: ${JSON.stringify(body)}`);
    return { tenantId, apiKey: String(body['api_key']) };
  }

  async createSession(tenant: TestTenant, more: Record<string, unknown> = {}): Promise<Tokens> {
    const wanted = { tenant_id: tenant.tenantId, user_id: 'alice', scope: 'read', ...more };
    const { status, body } = await this.post<Tokens>(tenant, '/sessions', wanted);
    if (status !== 201) throw new Error(`creating a session answered ${status}: ${JSON.stringify(body)}`);
    return body;
  }

  post<T = Record<string, unknown>>(tenant: TestTenant, path: string, body: unknown): Promise<HttpAnswer<T>> {
    return this.call<T>('POST', path, { apiKey: tenant.apiKey, body });
  }

  validate(tenant: TestTenant, accessToken: string, check?: string): Promise<HttpAnswer> {
    const choice = check === undefined ? {} : { revocation_check: check };
    return this.post(tenant, '/sessions/validate', { access_token: accessToken, ...choice });
  }

  refresh(tenant: TestTenant, refreshToken: string): Promise<HttpAnswer<Tokens & Record<string, unknown>>> {
    return this.post(tenant, '/sessions/refresh', { refresh_token: refreshToken });
  }

  revoke(tenant: TestTenant, token: string, more: Record<string, unknown> = {}): Promise<HttpAnswer> {
    return this.post(tenant, '/sessions/revoke', { token, reason: 'user_logout', ...more });
  }
}

/**
 * For suites about a store that does not answer in time: the bounds of production, twice as wide, so that a healthy
 * store and a busy machine seldom reach them.
 */
export const SOON_OUT = { REDIS_COMMAND_TIMEOUT_MS: '1000', REVOCATION_REPLICA_MAX_AGE_MS: '1000' } as const;

/**
 * With `SOON_OUT` a request waits 1.8 s for the store. Without any bound it would wait for ever. What lies between is
 * for machines that stand still for seconds.
 */
export const IN_TIME_MS = 30_000;

/** Slow machines are no outage here. */
export function testEnvironment(): Environment {
  return {
    NODE_ENV: 'test',
    PORT: '0',
    PUBLIC_URL: 'http://localhost:3000',
    STORE_URL: 'sqlite::memory:',
    ADMIN_API_KEY,
    // One address makes all the requests of a test, also the many that are refused.
    RATE_LIMIT_FAILED_AUTH_PER_SECOND: '0',
    MASTER_KEYS: `m1:${Buffer.alloc(32, 7).toString('base64')}`,
    REDIS_COMMAND_TIMEOUT_MS: '10000',
    REVOCATION_REPLICA_MAX_AGE_MS: '60000',
  };
}

/** Both stores, for suites that must say the same of each. `prepare` gives the environment and how to end it. */
export const STORES: readonly {
  name: string;
  prepare: () => Promise<{ env: Environment; dispose: () => Promise<void> }>;
}[] = [
  {
    name: 'SQLite',
    prepare: async () => ({ env: { STORE_URL: 'sqlite::memory:' }, dispose: async () => undefined }),
  },
  {
    name: 'Redis',
    prepare: async () => {
      const redis = await RedisServer.start();
      return { env: { STORE_URL: redis.url }, dispose: () => redis.stop() };
    },
  },
];
