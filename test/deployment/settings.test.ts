/** The chart's settings and the service's are the same: names, ranges, and what the service makes of them. */
import { describe, expect, test } from '@jest/globals';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { parseConfig } from '../../src/config.js';
import { CHART, environmentOf, example, LEAST, merged, render, type Values } from './rendered.js';

interface Rule {
  readonly type?: string;
  readonly minimum?: number;
  readonly maximum?: number;
  readonly enum?: readonly string[];
}

const SCHEMA = JSON.parse(readFileSync(join(CHART, 'values.schema.json'), 'utf8')) as {
  properties: { settings: { properties: Record<string, Rule> } };
};
const SETTINGS = SCHEMA.properties.settings.properties;

/** The README's table: name -> range. */
const DOCUMENTED = new Map(
  [...readFileSync('README.md', 'utf8').matchAll(/^\| *`([A-Z][A-Z_]+)` *\|[^|]*\|([^|]*)\|/gm)].map(
    ([, name = '', range = '']) => [name, range.trim()],
  ),
);

/** Those that other values of the chart decide. */
const OWNED = new Set(
  [
    { vault: { enabled: true, address: 'https://vault', key: 'k' } },
    { store: { url: '', urlFromSecret: true }, metrics: { requireToken: true } },
    { tracing: { endpoint: 'http://otel', headersFromSecret: true } },
  ]
    .flatMap((values) =>
      environmentOf(render(merged(merged(LEAST, { networkPolicy: { enabled: false } }), values))),
    )
    .map(({ name }) => name),
);

test('every variable of the service is a setting of the chart or decided by another value, never both', () => {
  expect(DOCUMENTED.size).toBeGreaterThan(30);
  expect([...OWNED, ...Object.keys(SETTINGS)].toSorted()).toEqual([...DOCUMENTED.keys()].toSorted());
});

describe('the range of', () => {
  test.each(Object.entries(SETTINGS))('%s is the service’s', (name, rule) => {
    const range = DOCUMENTED.get(name) ?? '';
    if (rule.type === 'integer') expect(`${rule.minimum} to ${rule.maximum}`).toBe(range);
    if (rule.enum) expect(rule.enum.map((value) => `\`${value}\``).join(', ')).toBe(range);
    if (rule.type === 'boolean') expect(range).toBe('`true`, `false`');
  });
});

/** What Kubernetes would hand to the process, with secrets as an operator makes them. */
function environmentFor(values: Values): Record<string, string> {
  const secrets: Record<string, string> = {
    ADMIN_API_KEY: 'a'.repeat(32),
    MASTER_KEYS: `m1:${Buffer.alloc(32, 1).toString('base64')}`,
    METRICS_TOKEN: 'b'.repeat(32),
    STORE_URL: 'rediss+cluster://user:word@redis-0:6379,redis-1:6379',
    VAULT_TOKEN: 'c'.repeat(32),
    OTEL_EXPORTER_OTLP_HEADERS: 'authorization=x',
  };
  return Object.fromEntries(
    environmentOf(render(values)).map(({ name, value, valueFrom }) => [
      name,
      valueFrom ? (secrets[valueFrom.secretKeyRef.key] ?? '') : (value ?? ''),
    ]),
  );
}

describe('the service accepts the environment of', () => {
  test('development', () => {
    expect(parseConfig(environmentFor(example('development'))).logLevel).toBe('debug');
  });

  test('production', () => {
    const config = parseConfig(environmentFor(example('production')));
    expect(config).toMatchObject({
      environment: 'production',
      publicUrl: 'https://sessions.example.com',
      redisWaitReplicas: 1,
      tokens: { accessTokenTtlSeconds: 600 },
      store: { kind: 'redis', tls: true, topology: { mode: 'cluster' } },
      shutdownDrainSeconds: 15,
    });
  });

  test('a file, Vault and traces', () => {
    const values = merged(LEAST, {
      store: { kind: 'sqlite', url: '' },
      replicas: 1,
      networkPolicy: { enabled: false },
      vault: { enabled: true, address: 'https://vault:8200', key: 'sessions' },
      tracing: { endpoint: 'http://otel:4318', headersFromSecret: true },
    });
    const config = parseConfig(environmentFor(values));
    expect(config.keyProvider).toMatchObject({ kind: 'vault', mount: 'transit', key: 'sessions' });
    expect(config.store).toEqual({ kind: 'sqlite', path: '/data/sessions.db' });
    expect(config.traces).toMatchObject({ endpoint: 'http://otel:4318' });
  });

  const TEXTS: Record<string, string> = {
    HOST: '::',
    TRUST_PROXY: '10.0.0.0/8, uniquelocal',
    CORS_ORIGINS: 'https://app.example.com',
  };

  test.each(Object.entries(SETTINGS))('%s at its largest', (name, rule) => {
    const value = rule.maximum ?? rule.enum?.at(-1) ?? TEXTS[name] ?? false;
    const environment = environmentFor(merged(LEAST, { settings: { [name]: value } }));
    expect(environment[name]).toBe(String(value));
    expect(() => parseConfig(environment)).not.toThrow();
  });
});
