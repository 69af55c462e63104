/**
 * Environment -> one frozen, typed tree, read and checked once at boot. The only reader of process.env.
 * Errors name the variable and the rule, never the value.
 */
import { createHash, createSecretKey, KeyObject } from 'node:crypto';
import { existsSync } from 'node:fs';
import { Reader, RECIPES, type Environment } from './environment.js';
import { readAudit, type AuditConfig } from './audit-settings.js';
import { BootError } from './errors.js';
import { parseOrigins, parseTrustProxy } from './network-settings.js';
import { readRateLimits, type RateLimitDefaults } from './rate-limit-settings.js';
import { parseStoreUrl, type StoreUrl } from './store-url.js';
import { parseOtlpHeaders, parseSampledShare, TRACE_SAMPLERS, type TraceSampler } from './trace-settings.js';

export type { Environment };

/** One of the keys that seal tenants' keys at rest. A KeyObject, because it cannot be printed by accident. */
export interface MasterKey {
  readonly id: string;
  readonly secret: KeyObject;
}

/** Text that cannot be printed by accident. */
export class Secret {
  readonly #text: string;

  constructor(text: string) {
    this.#text = text;
  }

  reveal(): string {
    return this.#text;
  }

  toJSON(): string {
    return '[secret]';
  }
}

/** Vault's Transit engine. */
export interface VaultConfig {
  readonly address: string;
  readonly token: Secret;
  readonly mount: string;
  readonly key: string;
}

/** Who wraps tenants' data keys: the master keys here, or a key that never leaves Vault. */
export type KeyProviderConfig = { readonly kind: 'local' } | ({ readonly kind: 'vault' } & VaultConfig);

/** Where spans go, and which. */
export interface TraceConfig {
  /** Root of the OTLP/HTTP receiver, without a trailing slash. */
  readonly endpoint: string;
  /** Headers of each export, as OTEL_EXPORTER_OTLP_HEADERS writes them: they carry credentials. */
  readonly headers: Secret;
  readonly serviceName: string;
  readonly sampler: TraceSampler;
  readonly sampledShare: number;
}

/** What a tenant may override for itself; the service's values are the defaults. */
export interface TokenDefaults {
  readonly accessTokenTtlSeconds: number;
  readonly refreshTokenTtlSeconds: number;
  readonly sessionMaxLifetimeSeconds: number;
  readonly refreshGraceSeconds: number;
  readonly maxSessionsPerUser: number;
}

/** The service's configuration; the class is its injection token. */
export class Config {
  readonly environment!: 'production' | 'development' | 'test';
  readonly host!: string;
  readonly port!: number;
  /** Root of every issuer, without a trailing slash. */
  readonly publicUrl!: string;
  readonly store!: StoreUrl;
  /** SHA-256 of the platform key: the key itself is not kept. */
  readonly adminApiKeyDigest!: Buffer;
  /** The first seals, all open. */
  readonly masterKeys!: readonly MasterKey[];
  readonly keyProvider!: KeyProviderConfig;
  /** After how many days a tenant's key is replaced by itself. */
  readonly keyRotationDays!: number;
  readonly tokens!: TokenDefaults;
  readonly rateLimits!: RateLimitDefaults;
  /** Of one source address; 0: no limit. */
  readonly failedAuthPerSecond!: number;
  /** Whose X-Forwarded-For is believed: addresses, networks, or names of them; null: nobody's. */
  readonly trustProxy!: readonly string[] | null;
  /** Web pages of these origins may read what is public; none by default. */
  readonly corsOrigins!: readonly string[];
  /** Older than this, the replica's word is not enough. */
  readonly revocationReplicaMaxAgeMs!: number;
  /** Bounds the replica's memory; beyond it the store is asked. */
  readonly revocationReplicaMaxEntries!: number;
  /** Streams of revocations that a process has open at once, in all and for one tenant. */
  readonly revocationStreamsMax!: number;
  readonly revocationStreamsMaxPerTenant!: number;
  /** Bounds the memory of tokens whose signature is known to be good; 0 computes each one anew. */
  readonly verifiedTokenCacheMb!: number;
  readonly redisCommandTimeoutMs!: number;
  /** How many replicas must have a revocation before it is acknowledged. */
  readonly redisWaitReplicas!: number;
  /** How long the instance goes on serving, not ready, before it stops listening. */
  readonly shutdownDrainSeconds!: number;
  readonly shutdownTimeoutSeconds!: number;
  /** Processes that share the port. */
  readonly workers!: number;
  readonly bodyLimitBytes!: number;
  readonly logLevel!: LogLevel;
  /** Whether an instance that can validate from memory stays ready while the store is out. */
  readonly readyWithoutStore!: boolean;
  /** null: no traces. */
  readonly traces!: TraceConfig | null;
  /** SHA-256 of what a scraper must send; null: metrics are for everybody. */
  readonly metricsTokenDigest!: Buffer | null;
  /** How many tenants have metrics of their own. */
  readonly metricsMaxTenants!: number;
  readonly audit!: AuditConfig;

  constructor(values: Config) {
    Object.assign(this, values);
    Object.values(this).forEach(freezeTree);
    Object.freeze(this);
  }
}

/** Objects and arrays all the way down; bytes and keys cannot be changed into others anyway. */
function freezeTree(value: unknown): void {
  if (typeof value !== 'object' || value === null || Buffer.isBuffer(value) || value instanceof KeyObject)
    return;
  Object.values(value).forEach(freezeTree);
  Object.freeze(value);
}

export const LOG_LEVELS = ['fatal', 'error', 'warn', 'info', 'debug', 'trace'] as const;
export type LogLevel = (typeof LOG_LEVELS)[number];

/** Bounds that tenants' own settings share with the service's defaults: [minimum, maximum]. */
export const TOKEN_BOUNDS = {
  accessTokenTtlSeconds: [1, 86_400],
  refreshTokenTtlSeconds: [1, 31_536_000],
  sessionMaxLifetimeSeconds: [1, 157_680_000],
  refreshGraceSeconds: [0, 60],
  maxSessionsPerUser: [1, 1_000],
} as const satisfies Record<keyof TokenDefaults, readonly [number, number]>;

/** Several rules may be broken at once; the operator hears of all of them. */
export class ConfigError extends BootError {
  constructor(problems: readonly string[]) {
    super(problems.join('\n'));
  }
}

/** The process's environment, with `.env` of the working directory beneath it outside production. */
export function readEnvironment(): Environment {
  if (process.env['NODE_ENV'] !== 'production' && existsSync('.env')) process.loadEnvFile('.env');
  return { ...process.env };
}

/** @throws ConfigError naming each variable that is missing or breaks its rule */
export function parseConfig(env: Environment): Config {
  const problems: string[] = [];
  const read = new Reader(env, problems);
  const port = read.integer('PORT', 3000, [0, 65_535]);
  const usesVault = read.choice('KEY_PROVIDER', 'local', ['local', 'vault'] as const) === 'vault';
  const values: Config = {
    environment: read.choice('NODE_ENV', 'development', ['production', 'development', 'test'] as const),
    host: read.text('HOST', '0.0.0.0'),
    port,
    publicUrl: read.parsed('PUBLIC_URL', `http://localhost:${port}`, parsePublicUrl),
    store: read.parsed('STORE_URL', 'sqlite:./data/sessions.db', parseStoreUrl),
    adminApiKeyDigest: read.parsed('ADMIN_API_KEY', undefined, parseAdminApiKey),
    masterKeys: usesVault ? [] : read.parsed('MASTER_KEYS', undefined, parseMasterKeys),
    keyProvider: usesVault ? readVault(read) : { kind: 'local' },
    keyRotationDays: read.integer('KEY_ROTATION_DAYS', 90, [1, 3650]),
    tokens: {
      accessTokenTtlSeconds: read.integer(
        'ACCESS_TOKEN_TTL_SECONDS',
        900,
        TOKEN_BOUNDS.accessTokenTtlSeconds,
      ),
      refreshTokenTtlSeconds: read.integer(
        'REFRESH_TOKEN_TTL_SECONDS',
        2_592_000,
        TOKEN_BOUNDS.refreshTokenTtlSeconds,
      ),
      sessionMaxLifetimeSeconds: read.integer(
        'SESSION_MAX_LIFETIME_SECONDS',
        7_776_000,
        TOKEN_BOUNDS.sessionMaxLifetimeSeconds,
      ),
      refreshGraceSeconds: read.integer('REFRESH_GRACE_SECONDS', 10, TOKEN_BOUNDS.refreshGraceSeconds),
      maxSessionsPerUser: read.integer('MAX_SESSIONS_PER_USER', 100, TOKEN_BOUNDS.maxSessionsPerUser),
    },
    ...readRateLimits(read),
    trustProxy: read.optional('TRUST_PROXY', parseTrustProxy),
    corsOrigins: read.optional('CORS_ORIGINS', parseOrigins) ?? [],
    revocationReplicaMaxAgeMs: read.integer('REVOCATION_REPLICA_MAX_AGE_MS', 1000, [100, 60_000]),
    revocationReplicaMaxEntries: read.integer('REVOCATION_REPLICA_MAX_ENTRIES', 5_000_000, [1, 50_000_000]),
    revocationStreamsMax: read.integer('REVOCATION_STREAMS_MAX', 1000, [1, 100_000]),
    revocationStreamsMaxPerTenant: read.integer('REVOCATION_STREAMS_MAX_PER_TENANT', 200, [1, 100_000]),
    verifiedTokenCacheMb: read.integer('VERIFIED_TOKEN_CACHE_MB', 64, [0, 16_384]),
    redisWaitReplicas: read.integer('REDIS_WAIT_REPLICAS', 0, [0, 10]),
    redisCommandTimeoutMs: read.integer('REDIS_COMMAND_TIMEOUT_MS', 500, [10, 60_000]),
    shutdownDrainSeconds: read.integer('SHUTDOWN_DRAIN_SECONDS', 0, [0, 600]),
    workers: read.integer('WORKERS', 1, [1, 256]),
    shutdownTimeoutSeconds: read.integer('SHUTDOWN_TIMEOUT_SECONDS', 15, [1, 600]),
    bodyLimitBytes: read.integer('BODY_LIMIT_BYTES', 65_536, [1_024, 16_777_216]),
    logLevel: read.choice('LOG_LEVEL', 'info', LOG_LEVELS),
    readyWithoutStore: read.choice('READY_WITHOUT_STORE', 'true', ['true', 'false'] as const) === 'true',
    traces: readTraces(read),
    metricsTokenDigest: read.optional('METRICS_TOKEN', parseMetricsToken),
    metricsMaxTenants: read.integer('METRICS_MAX_TENANTS', 500, [0, 10_000]),
    audit: readAudit(read),
  };
  if (values.workers > 1 && values.store?.kind === 'sqlite') {
    problems.push('WORKERS must be 1 with a sqlite: STORE_URL: the embedded store belongs to one process.');
  }
  if (problems.length > 0) throw new ConfigError(problems);
  return new Config(values);
}

function readVault(read: Reader): KeyProviderConfig {
  return {
    kind: 'vault',
    address: read.parsed('VAULT_ADDR', 'https://127.0.0.1:8200', parsePublicUrl),
    token: new Secret(read.headerText('VAULT_TOKEN', 'with KEY_PROVIDER=vault')),
    mount: read.text('VAULT_TRANSIT_MOUNT', 'transit'),
    key: read.required('VAULT_TRANSIT_KEY', 'with KEY_PROVIDER=vault'),
  };
}

function readTraces(read: Reader): TraceConfig | null {
  const traces = {
    endpoint: read.parsed('OTEL_EXPORTER_OTLP_ENDPOINT', '', (text) => text && parsePublicUrl(text)),
    headers: read.parsed(
      'OTEL_EXPORTER_OTLP_HEADERS',
      '',
      (text) => parseOtlpHeaders(text) && new Secret(text),
    ),
    serviceName: read.text('OTEL_SERVICE_NAME', 'session-service'),
    sampler: read.choice('OTEL_TRACES_SAMPLER', 'parentbased_always_on', TRACE_SAMPLERS),
    sampledShare: read.parsed('OTEL_TRACES_SAMPLER_ARG', '1', parseSampledShare),
  };
  return traces.endpoint ? traces : null;
}

function parsePublicUrl(text: string): string {
  const url = URL.canParse(text) ? new URL(text) : undefined;
  // The text itself becomes the issuer, so what URL would quietly repair is refused.
  if (!url || url.username || url.password || !/^https?:\/\/[^\s?#\\]+$/i.test(text)) {
    throw new Error('must be an http or https URL without credentials, query or fragment');
  }
  return text.replace(/\/+$/, '');
}

function parseMetricsToken(text: string): Buffer {
  if (!/^[\x21-\x7e]{16,512}$/.test(text)) {
    throw new Error('must be 16 to 512 printable ASCII characters without spaces');
  }
  return createHash('sha256').update(text).digest();
}

function parseAdminApiKey(text: string): Buffer {
  if (!/^[\x21-\x7e]{16,512}$/.test(text)) {
    throw new Error(
      `must be 16 to 512 printable ASCII characters without spaces (make one with: ${RECIPES['ADMIN_API_KEY']})`,
    );
  }
  return createHash('sha256').update(text).digest();
}

function parseMasterKeys(text: string): MasterKey[] {
  const keys = text.split(',').map((part) => {
    const match = /^([A-Za-z0-9_-]{1,32}):([A-Za-z0-9+/]{43}=)$/.exec(part.trim());
    const bytes = Buffer.from(match?.[2] ?? '', 'base64');
    if (!match?.[1] || bytes.length !== 32) {
      throw new Error(
        `must be a comma-separated list of id:base64 of 32 bytes (make one with: ${RECIPES['MASTER_KEYS']})`,
      );
    }
    return { id: match[1], secret: createSecretKey(bytes) };
  });
  if (new Set(keys.map((key) => key.id)).size !== keys.length) throw new Error('must not name an id twice');
  return keys;
}
