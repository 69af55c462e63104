import { describe, expect, test } from '@jest/globals';
import { createHash } from 'node:crypto';
import { inspect } from 'node:util';
import { ConfigError, LOG_LEVELS, parseConfig, type Config, type Environment } from '../../src/config.js';

const KEY_A = Buffer.alloc(32, 0xa5).toString('base64');
const KEY_B = Buffer.alloc(32, 0x5a).toString('base64');
const ADMIN = 'admin-key-of-the-tests';
const NEEDED: Environment = { ADMIN_API_KEY: ADMIN, MASTER_KEYS: `m1:${KEY_A}` };

const parse = (env: Environment = {}): Config => parseConfig({ ...NEEDED, ...env });

/** @returns the message with which the environment is refused */
function refusal(env: Environment): string {
  try {
    parse(env);
  } catch (error) {
    if (error instanceof ConfigError) return error.message;
    throw error;
  }
  throw new Error('the environment was accepted');
}

const INTEGERS: [name: string, minimum: number, maximum: number, read: (config: Config) => number][] = [
  ['PORT', 0, 65_535, (config) => config.port],
  ['ACCESS_TOKEN_TTL_SECONDS', 1, 86_400, (config) => config.tokens.accessTokenTtlSeconds],
  ['REFRESH_TOKEN_TTL_SECONDS', 1, 31_536_000, (config) => config.tokens.refreshTokenTtlSeconds],
  ['SESSION_MAX_LIFETIME_SECONDS', 1, 157_680_000, (config) => config.tokens.sessionMaxLifetimeSeconds],
  ['REFRESH_GRACE_SECONDS', 0, 60, (config) => config.tokens.refreshGraceSeconds],
  ['MAX_SESSIONS_PER_USER', 1, 1_000, (config) => config.tokens.maxSessionsPerUser],
  ['KEY_ROTATION_DAYS', 1, 3650, (config) => config.keyRotationDays],
  ['REVOCATION_REPLICA_MAX_AGE_MS', 100, 60_000, (config) => config.revocationReplicaMaxAgeMs],
  ['REVOCATION_REPLICA_MAX_ENTRIES', 1, 50_000_000, (config) => config.revocationReplicaMaxEntries],
  ['REVOCATION_STREAMS_MAX', 1, 100_000, (config) => config.revocationStreamsMax],
  ['REVOCATION_STREAMS_MAX_PER_TENANT', 1, 100_000, (config) => config.revocationStreamsMaxPerTenant],
  ['REDIS_WAIT_REPLICAS', 0, 10, (config) => config.redisWaitReplicas],
  ['REDIS_COMMAND_TIMEOUT_MS', 10, 60_000, (config) => config.redisCommandTimeoutMs],
  ['SHUTDOWN_TIMEOUT_SECONDS', 1, 600, (config) => config.shutdownTimeoutSeconds],
  ['SHUTDOWN_DRAIN_SECONDS', 0, 600, (config) => config.shutdownDrainSeconds],
  ['RATE_LIMIT_TENANT_PER_SECOND', 0, 1_000_000, (config) => config.rateLimits.rateLimitPerSecond],
  ['RATE_LIMIT_API_KEY_PER_SECOND', 0, 1_000_000, (config) => config.rateLimits.apiKeyRateLimitPerSecond],
  ['RATE_LIMIT_BURST_SECONDS', 1, 60, (config) => config.rateLimits.rateLimitBurstSeconds],
  ['RATE_LIMIT_FAILED_AUTH_PER_SECOND', 0, 1_000_000, (config) => config.failedAuthPerSecond],
  ['BODY_LIMIT_BYTES', 1_024, 16_777_216, (config) => config.bodyLimitBytes],
  ['METRICS_MAX_TENANTS', 0, 10_000, (config) => config.metricsMaxTenants],
];

describe('the configuration', () => {
  test('has the documented defaults', () => {
    const { adminApiKeyDigest, masterKeys, ...rest } = parse();
    expect({ ...rest }).toEqual({
      environment: 'development',
      host: '0.0.0.0',
      port: 3000,
      publicUrl: 'http://localhost:3000',
      store: { kind: 'sqlite', path: './data/sessions.db' },
      tokens: {
        accessTokenTtlSeconds: 900,
        refreshTokenTtlSeconds: 2_592_000,
        sessionMaxLifetimeSeconds: 7_776_000,
        refreshGraceSeconds: 10,
        maxSessionsPerUser: 100,
      },
      keyProvider: { kind: 'local' },
      keyRotationDays: 90,
      revocationReplicaMaxAgeMs: 1000,
      revocationReplicaMaxEntries: 5_000_000,
      revocationStreamsMax: 1000,
      revocationStreamsMaxPerTenant: 200,
      redisWaitReplicas: 0,
      redisCommandTimeoutMs: 500,
      shutdownDrainSeconds: 0,
      shutdownTimeoutSeconds: 15,
      bodyLimitBytes: 65_536,
      logLevel: 'info',
      metricsMaxTenants: 500,
      metricsTokenDigest: null,
      audit: {
        retentionDays: 90,
        maxEntriesPerTenant: 100_000,
        queueMaxEntries: 10_000,
        whenFull: 'refuse',
        checkpointSeconds: 60,
        checkpointEntries: 1000,
      },
      verifiedTokenCacheMb: 64,
      workers: 1,
      rateLimits: { rateLimitPerSecond: 0, apiKeyRateLimitPerSecond: 0, rateLimitBurstSeconds: 2 },
      failedAuthPerSecond: 10,
      trustProxy: null,
      corsOrigins: [],
      readyWithoutStore: true,
      traces: null,
    });
    expect(adminApiKeyDigest).toEqual(createHash('sha256').update(ADMIN).digest());
    expect(masterKeys.map(({ id }) => id)).toEqual(['m1']);
  });

  test('is frozen, down to its parts', () => {
    const config = parse({ STORE_URL: 'redis+cluster://h1,h2' });
    const { tokens, masterKeys, store } = config;
    const topology = store.kind === 'redis' && store.topology;
    for (const part of [config, tokens, masterKeys, masterKeys[0], store, topology]) {
      expect(Object.isFrozen(part)).toBe(true);
    }
    expect(topology && topology.mode === 'cluster' && Object.isFrozen(topology.nodes[0])).toBe(true);
  });

  test('keeps no secret that could be printed', () => {
    const config = parse({ STORE_URL: 'sqlite::memory:' });
    expect(JSON.stringify(config)).not.toContain(ADMIN);
    expect(JSON.stringify(config)).not.toContain(KEY_A);
  });

  test('takes an empty or blank variable for an absent one, and trims the others', () => {
    expect(parse({ PORT: '', HOST: '  ', LOG_LEVEL: ' ', STORE_URL: '' })).toEqual(parse());
    expect(parse({ PORT: ' 8080\n' }).port).toBe(8080);
  });

  test('roots the issuer at the port that is chosen', () => {
    expect(parse({ PORT: '8080' }).publicUrl).toBe('http://localhost:8080');
  });

  test('says everything that is wrong at once, a line each', () => {
    const lines = refusal({ PORT: 'x', LOG_LEVEL: 'x', STORE_URL: 'x', MASTER_KEYS: 'x' }).split('\n');
    expect(lines.map((line) => line.split(' ')[0])).toEqual([
      'PORT',
      'STORE_URL',
      'MASTER_KEYS',
      'LOG_LEVEL',
    ]);
  });

  describe.each(INTEGERS)('%s', (name, minimum, maximum, read) => {
    test('may be anything from its minimum to its maximum', () => {
      expect(read(parse({ [name]: String(minimum) }))).toBe(minimum);
      expect(read(parse({ [name]: String(maximum) }))).toBe(maximum);
    });

    test.each([
      String(minimum - 1),
      String(maximum + 1),
      '9999999999999999999',
      '-1',
      '+7',
      '7.5',
      '7e1',
      '0x20',
      '7 7',
      '7s',
      'NaN',
      'Infinity',
      '٧',
    ])('is refused as %s, naming the rule and not the value', (value) => {
      expect(refusal({ [name]: value })).toBe(
        `${name} must be a whole number from ${minimum} to ${maximum}.`,
      );
    });
  });

  describe('the choices', () => {
    test.each(['production', 'development', 'test'] as const)('NODE_ENV may be %s', (environment) => {
      expect(parse({ NODE_ENV: environment }).environment).toBe(environment);
    });

    test.each(LOG_LEVELS)('LOG_LEVEL may be %s', (level) => {
      expect(parse({ LOG_LEVEL: level }).logLevel).toBe(level);
    });

    test.each(['NODE_ENV', 'LOG_LEVEL', 'KEY_PROVIDER'])(
      '%s is refused when it is not on its list',
      (name) => {
        for (const value of ['PRODUCTION', 'verbose', 'toString']) {
          const message = refusal({ [name]: value });
          expect(message).toMatch(new RegExp(`^${name} must be one of `));
          expect(message).not.toContain(value);
        }
      },
    );
  });

  describe('PUBLIC_URL', () => {
    test.each([
      ['https://sessions.example.com', 'https://sessions.example.com'],
      ['https://example.com/auth//', 'https://example.com/auth'],
      ['http://[::1]:8080/', 'http://[::1]:8080'],
    ])('%s becomes %s', (text, url) => {
      expect(parse({ PUBLIC_URL: text }).publicUrl).toBe(url);
    });

    test.each([
      'example.com',
      'ftp://secret.example',
      'https://user:secret@example.com',
      'https://secret@example.com',
      'https://example.com/?secret=1',
      'https://example.com/#secret',
      'https://example.com?',
      'https://example.com/#',
      'https:secret.example',
      'https:/secret.example',
      'https://exa\tmple.com',
      'https:\\\\secret.example',
      'javascript:secret',
    ])('%j is refused', (value) => {
      expect(refusal({ PUBLIC_URL: value })).toBe(
        'PUBLIC_URL must be an http or https URL without credentials, query or fragment.',
      );
    });
  });

  test('STORE_URL is refused without repeating its password', () => {
    const message = refusal({ STORE_URL: 'redis://user:hunter2@host:port' });
    expect(message).toMatch(/^STORE_URL must /);
    expect(message).not.toContain('hunter2');
  });

  describe('ADMIN_API_KEY', () => {
    test('is required, and its absence says how to make one', () => {
      expect(refusal({ ADMIN_API_KEY: undefined })).toMatch(
        /^ADMIN_API_KEY is required \(make one with: openssl rand -hex 32\)\.$/,
      );
    });

    test.each(['x'.repeat(16), '!~'.repeat(8), 'x'.repeat(512)])('may be %s', (key) => {
      expect(parse({ ADMIN_API_KEY: key }).adminApiKeyDigest).toEqual(
        createHash('sha256').update(key).digest(),
      );
    });

    test.each([
      'x'.repeat(15),
      'x'.repeat(513),
      'sixteen chars ok',
      'schlüssel-der-plattform',
      'a\tb'.repeat(8),
    ])('%j is refused', (value) => {
      const message = refusal({ ADMIN_API_KEY: value });
      expect(message).toMatch(/^ADMIN_API_KEY must be 16 to 512 printable ASCII characters/);
      expect(message).not.toContain(value);
    });
  });

  describe('KEY_PROVIDER=vault', () => {
    const VAULT: Environment = {
      KEY_PROVIDER: 'vault',
      MASTER_KEYS: undefined,
      VAULT_TOKEN: 'hvs.a-secret-token',
      VAULT_TRANSIT_KEY: 'sessions',
    };

    test('needs no master keys, and has defaults for where Vault is', () => {
      const { keyProvider, masterKeys } = parse(VAULT);
      expect(masterKeys).toEqual([]);
      expect(keyProvider).toMatchObject({
        kind: 'vault',
        address: 'https://127.0.0.1:8200',
        mount: 'transit',
        key: 'sessions',
      });
    });

    test('takes address, mount and key from the environment', () => {
      const there = {
        VAULT_ADDR: 'https://vault.example/',
        VAULT_TRANSIT_MOUNT: 'kms',
        VAULT_TRANSIT_KEY: 'k',
      };
      expect(parse({ ...VAULT, ...there }).keyProvider).toMatchObject({
        address: 'https://vault.example',
        mount: 'kms',
        key: 'k',
      });
    });

    test.each(['VAULT_TOKEN', 'VAULT_TRANSIT_KEY'])('needs %s', (name) => {
      expect(refusal({ ...VAULT, [name]: undefined })).toBe(`${name} is required with KEY_PROVIDER=vault.`);
    });

    test.each(['hvs.two\nlines', 'hvs.a b', 'hvs.schlüssel'])(
      'needs a token that fits a header: %j',
      (token) => {
        const message = refusal({ ...VAULT, VAULT_TOKEN: token });
        expect(message).toBe('VAULT_TOKEN must be printable ASCII characters without spaces.');
      },
    );

    test('keeps a token that cannot be printed, only revealed', () => {
      const config = parse(VAULT);
      const { keyProvider } = config;
      const token = keyProvider.kind === 'vault' ? keyProvider.token : undefined;
      expect(token?.reveal()).toBe('hvs.a-secret-token');
      for (const printed of [JSON.stringify(config), inspect(config, { depth: 9, showHidden: true })]) {
        expect(printed).not.toContain('a-secret-token');
      }
    });
  });

  describe('MASTER_KEYS', () => {
    test('is required, and its absence says how to make one', () => {
      expect(refusal({ MASTER_KEYS: undefined })).toMatch(
        /^MASTER_KEYS is required \(make one with: echo "m1:\$\(openssl rand -base64 32\)"\)\.$/,
      );
    });

    test('keeps the order: the first seals', () => {
      const { masterKeys } = parse({ MASTER_KEYS: `new_2:${KEY_B}, old-1:${KEY_A}` });
      expect(masterKeys.map(({ id }) => id)).toEqual(['new_2', 'old-1']);
      expect(masterKeys.map(({ secret }) => secret.export().toString('base64'))).toEqual([KEY_B, KEY_A]);
    });

    test('does not name an id twice', () => {
      expect(refusal({ MASTER_KEYS: `m1:${KEY_A},m1:${KEY_B}` })).toBe(
        'MASTER_KEYS must not name an id twice.',
      );
    });

    test.each([
      KEY_A,
      `:${KEY_A}`,
      `m1=${KEY_A}`,
      `m 1:${KEY_A}`,
      `${'m'.repeat(33)}:${KEY_A}`,
      `m1:${Buffer.alloc(31, 1).toString('base64')}`,
      `m1:${Buffer.alloc(33, 1).toString('base64')}`,
      `m1:${'ab'.repeat(32)}`,
      `m1:${KEY_A.slice(0, -1)}`,
      `m1:${KEY_A},`,
      `m1:${KEY_A};m2:${KEY_B}`,
    ])('%s is refused', (value) => {
      const message = refusal({ MASTER_KEYS: value });
      expect(message).toMatch(/^MASTER_KEYS must be a comma-separated list of id:base64 of 32 bytes/);
      expect(message).not.toContain(value);
    });
  });
});

describe('TRUST_PROXY', () => {
  test.each([
    ['10.0.0.1', ['10.0.0.1']],
    ['10.0.0.0/8, fd00::/8', ['10.0.0.0/8', 'fd00::/8']],
    ['loopback,uniquelocal', ['loopback', 'uniquelocal']],
  ])('takes %s', (text, proxies) => {
    expect(parse({ TRUST_PROXY: text }).trustProxy).toEqual(proxies);
  });

  test.each([
    'true',
    '1',
    '*',
    '10.0.0.0/33',
    '10.0.0.0/8/8',
    'fd00::/129',
    'proxy.example.com',
    '10.0.0.1,',
  ])('refuses %s, which would believe what a client made up, or nobody', (text) => {
    expect(refusal({ TRUST_PROXY: text })).toMatch(
      /^TRUST_PROXY must be a comma-separated list of addresses/,
    );
  });
});

describe('CORS_ORIGINS', () => {
  test.each([
    ['https://app.example.com', ['https://app.example.com']],
    ['http://localhost:5173, https://a.example', ['http://localhost:5173', 'https://a.example']],
    ['*', ['*']],
  ])('takes %s', (text, origins) => {
    expect(parse({ CORS_ORIGINS: text }).corsOrigins).toEqual(origins);
  });

  test.each([
    'app.example.com',
    'https://app.example.com/',
    'https://*.example.com/x',
    'null',
    'ftp://a.example',
  ])('refuses %s, which no browser sends', (text) => {
    expect(refusal({ CORS_ORIGINS: text })).toMatch(
      /^CORS_ORIGINS must be a comma-separated list of origins/,
    );
  });
});
