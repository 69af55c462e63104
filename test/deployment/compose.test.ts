/** The local environment, as the tools that would run it read it. */
import { afterAll, beforeAll, describe, expect, test } from '@jest/globals';
import { spawnSync } from 'node:child_process';
import { cpSync, existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { load } from 'js-yaml';
import { COMPOSE } from '../../deploy/tools/tools.mjs';
import { RedisServer } from '../support/redis-server.js';
import { at, CHART, type Tree } from './rendered.js';

interface Mount {
  readonly type: string;
  readonly source: string;
  readonly target: string;
}

interface ComposeService extends Tree {
  readonly volumes?: readonly Mount[];
  readonly ports?: readonly { readonly host_ip: string }[];
}

function composed(...files: string[]): { ok: boolean; output: string; errors: string } {
  const { status, stdout, stderr } = spawnSync(COMPOSE, ['--format', 'json', ...files], { encoding: 'utf8' });
  return { ok: status === 0, output: stdout, errors: stdout + stderr };
}

describe('compose.yaml', () => {
  const services = () =>
    (JSON.parse(composed('compose.yaml').output) as { services: Record<string, ComposeService> }).services;

  test('is read by compose’s own parser, which refuses a misspelt one', () => {
    expect(composed('compose.yaml').errors).toContain('"services"');
    expect(composed('compose.yaml').ok).toBe(true);
    const folder = mkdtempSync(join(tmpdir(), 'compose-test-'));
    const file = join(folder, 'compose.yaml');
    writeFileSync(file, readFileSync('compose.yaml', 'utf8').replace('read_only:', 'readonly:'));
    const misspelt = composed(file);
    rmSync(folder, { recursive: true });
    expect(misspelt.ok).toBe(false);
    expect(misspelt.errors).toContain('readonly');
  });

  test('has the service, Redis, Prometheus and Grafana, on this machine only', () => {
    expect(Object.keys(services()).toSorted()).toEqual(['grafana', 'prometheus', 'redis', 'service']);
    const published = Object.values(services()).flatMap(({ ports = [] }) => ports);
    expect(published.map(({ host_ip }) => host_ip)).toEqual(['127.0.0.1', '127.0.0.1', '127.0.0.1']);
  });

  test('mounts files that exist', () => {
    const bound = Object.values(services())
      .flatMap(({ volumes = [] }) => volumes)
      .filter(({ type }) => type === 'bind');
    expect(bound.length).toBeGreaterThan(5);
    expect(bound.filter(({ source }) => !existsSync(source))).toEqual([]);
  });

  test('names every image by a version', () => {
    const images = Object.values(services()).flatMap(({ image }) =>
      typeof image === 'string' ? [image] : [],
    );
    expect(images.filter((image) => !/:v?\d+\.\d+\.\d+(-alpine)?$/.test(image))).toEqual([]);
  });

  test('runs the service hardened', () => {
    expect(services()['service']).toMatchObject({ read_only: true, cap_drop: ['ALL'] });
  });
});

describe('redis.conf', () => {
  let redis: RedisServer;
  let folder: string;

  beforeAll(async () => {
    folder = mkdtempSync(join(tmpdir(), 'redis-conf-'));
    const own = /^(dir|bind) .*$/gm;
    const file = join(folder, 'redis.conf');
    writeFileSync(file, readFileSync('deploy/compose/redis.conf', 'utf8').replace(own, ''));
    redis = await RedisServer.start(['--include', file]);
  });

  afterAll(async () => {
    await redis?.stop();
    rmSync(folder, { recursive: true });
  });

  test.each([
    ['maxmemory-policy', 'noeviction'],
    ['appendonly', 'yes'],
    ['appendfsync', 'always'],
    ['maxmemory', String(256 * 1024 * 1024)],
  ])('makes Redis run with %s %s', async (name, value) => {
    const client = redis.client();
    const [, found] = await client.config('GET', name);
    client.disconnect();
    expect(found).toBe(value);
  });
});

test('prometheus.yml and the rules are accepted by promtool, and scrape the job that the rules ask for', () => {
  const folder = mkdtempSync(join(tmpdir(), 'prometheus-test-'));
  cpSync('deploy/compose/prometheus.yml', join(folder, 'prometheus.yml'));
  cpSync(join(CHART, 'rules'), join(folder, 'rules'), { recursive: true });
  const { status, stdout, stderr } = spawnSync(
    'promtool',
    ['check', 'config', join(folder, 'prometheus.yml')],
    {
      encoding: 'utf8',
    },
  );
  rmSync(folder, { recursive: true });
  expect(stdout + stderr).toMatch(/SUCCESS: \d+ rules found/);
  expect(status).toBe(0);
  const config = load(readFileSync('deploy/compose/prometheus.yml', 'utf8'));
  expect(at(config, 'scrape_configs.0.job_name')).toBe('session-service');
});

test('Grafana finds Prometheus and the dashboards where compose.yaml puts them', () => {
  const read = (name: string) => load(readFileSync(resolve('deploy/compose/grafana', name), 'utf8'));
  const compose = load(readFileSync('compose.yaml', 'utf8'));
  const mounts = at(compose, 'services.grafana.volumes') as string[];
  const path = at(read('dashboards.yaml'), 'providers.0.options.path');
  expect(mounts).toContain(`./helm/multi-tenant-session-service/dashboards:${String(path)}:ro`);
  expect(at(read('datasources.yaml'), 'datasources.0.url')).toBe('http://prometheus:9090');
});
