import { afterAll, beforeAll, describe, expect, test } from '@jest/globals';
import { spawnSync } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { register } from 'prom-client';
import { eventually } from '../support/eventually.js';
import { Prometheus, type Rule } from '../support/prometheus.js';
import { RedisServer } from '../support/redis-server.js';
import { buildOnce, ServiceProcess } from '../support/service-process.js';
import { TestService } from '../support/test-service.js';
import { dashboards, DASHBOARDS_FOLDER, mentionedBy, queries, RULES_FILE } from './dashboards.js';
import { Traffic } from './traffic.js';

/** What Prometheus itself puts on every series, or makes. */
const LABELS_OF_PROMETHEUS = ['job', 'instance'];
const SERIES_OF_PROMETHEUS = ['up'];
const TENANT = 'acme';

let redis: RedisServer | undefined;
let instances: ServiceProcess[] | undefined;
let prometheus: Prometheus;
let traffic: Traffic | undefined;
let rules: Rule[];

beforeAll(async () => {
  buildOnce();
  redis = await RedisServer.start();
  instances = [
    await ServiceProcess.start({ STORE_URL: redis.url }),
    await ServiceProcess.start({ STORE_URL: redis.url }),
  ];
  const urls = instances.map(({ url }) => url);
  traffic = await Traffic.start(urls, TENANT);
  prometheus = await Prometheus.start(
    urls.map((url) => new URL(url).host),
    [RULES_FILE],
  );
  rules = await prometheus.rules();
}, 180_000);

afterAll(async () => {
  await traffic?.stop();
  await prometheus?.stop();
  for (const instance of instances ?? []) await instance.stop();
  await redis?.stop();
});

describe('the metrics that dashboards and rules speak of', () => {
  /** Labels by series, as the code makes them. */
  const known = new Map<string, readonly string[]>();

  beforeAll(async () => {
    const service = await TestService.start();
    for (const metric of register.getMetricsAsArray()) {
      const { name, labelNames, type } = metric as unknown as {
        name: string;
        labelNames: string[];
        type: string;
      };
      if (type === 'histogram') {
        known.set(`${name}_bucket`, [...labelNames, 'le']);
        known.set(`${name}_sum`, labelNames);
        known.set(`${name}_count`, labelNames);
      } else {
        known.set(name, labelNames);
      }
    }
    await service.stop();
    for (const name of SERIES_OF_PROMETHEUS) known.set(name, []);
    for (const { name, type, labels } of rules) {
      if (type === 'recording') known.set(name, Object.keys(labels ?? {}));
    }
  });

  /** What is wrong with an expression, in words. */
  function mistakesIn(where: string, expr: string): string[] {
    const { series, grouping } = mentionedBy(expr);
    const available = new Set(LABELS_OF_PROMETHEUS);
    const wrong = series.flatMap(({ name, labels }) => {
      const has = known.get(name);
      if (!has) return [`${where}: there is no ${name}`];
      has.forEach((label) => available.add(label));
      return labels
        .filter((label) => !has.includes(label) && !LABELS_OF_PROMETHEUS.includes(label))
        .map((label) => `${where}: ${name} has no label ${label}`);
    });
    const unknown = grouping.filter((label) => !available.has(label));
    return [...wrong, ...unknown.map((label) => `${where}: there is no label ${label}`)];
  }

  test('are found: a wrong name and a wrong label are seen', () => {
    expect(known.size).toBeGreaterThan(40);
    expect(
      mistakesIn('x', 'sum by (colour) (rate(store_up{job="a",shade="b"}[5m])) / nothing_total'),
    ).toEqual([
      'x: store_up has no label shade',
      'x: there is no nothing_total',
      'x: there is no label colour',
    ]);
  });

  test('exist with these labels, in every panel', () => {
    expect(queries.length).toBeGreaterThan(50);
    expect(queries.flatMap(({ where, expr }) => mistakesIn(where, expr))).toEqual([]);
  });

  test('exist with these labels, in every rule', () => {
    expect(rules.length).toBeGreaterThan(20);
    expect(rules.flatMap(({ name, query }) => mistakesIn(name, query))).toEqual([]);
  });
});

describe('with two instances under a little load', () => {
  const inGrafana = (expr: string): string =>
    expr
      .replaceAll('$__rate_interval', '15s')
      .replaceAll('$job', 'session-service')
      .replaceAll('$tenant_id', TENANT);

  test.each(queries)('$where has data: $legendFormat', async ({ expr, legendFormat }) => {
    const legend = [...legendFormat.matchAll(/\{\{(\w+)\}\}/g)].map(([, label = '']) => label);
    await eventually(async () => {
      const samples = (await prometheus.query(inGrafana(expr))).filter(({ value }) => Number.isFinite(value));
      // What falls back to 0 has no labels; every other line has those that its legend names.
      const lines = samples.filter(({ metric }) => Object.keys(metric).length > 0);
      const lacking = lines.flatMap(({ metric }) => legend.filter((label) => !(label in metric)));
      if (lacking.length > 0) throw new Error(`the legend names ${lacking.join()}`);
      return samples.length > 0;
    });
  });

  test('no panel has data of what does not exist', async () => {
    expect(await prometheus.query('sessions_imagined_total')).toEqual([]);
    await expect(prometheus.query('sum by (')).rejects.toThrow(/parse error/);
  });

  test('every rule is evaluated, and what is recorded has data', async () => {
    await eventually(async () => (await prometheus.rules()).every(({ health }) => health === 'ok'));
    for (const name of new Set(rules.filter(({ type }) => type === 'recording').map((rule) => rule.name))) {
      await eventually(async () => (await prometheus.query(name)).length > 0);
    }
    await eventually(async () => (await prometheus.query('session_service:slow_share:rate5m')).length === 4);
  });
});

describe.each(dashboards)('the dashboard $name', ({ name, dashboard }) => {
  const panels = dashboard.panels.filter(({ type }) => type !== 'row');

  test('is what the generator writes', () => {
    const folder = mkdtempSync(join(tmpdir(), 'dashboards-test-'));
    try {
      const { status } = spawnSync(process.execPath, ['dashboards/write.mjs', folder]);
      expect(status).toBe(0);
      const written = readFileSync(join(folder, `${name}.json`), 'utf8');
      expect(readFileSync(join(DASHBOARDS_FOLDER, `${name}.json`), 'utf8')).toBe(written);
    } finally {
      rmSync(folder, { recursive: true });
    }
  });

  test('asks the Prometheus that is chosen, and names no tenant but the chosen one', () => {
    expect(dashboard.templating.list.map((variable) => variable.name)).toEqual(
      expect.arrayContaining(['datasource', 'job']),
    );
    expect(new Set(panels.map(({ datasource }) => datasource?.uid))).toEqual(new Set(['${datasource}']));
  });

  test('says of each panel what it shows, and in which unit', () => {
    const wordless = panels.filter(
      ({ description = '', fieldConfig }) => !description.endsWith('.') || !fieldConfig?.defaults.unit,
    );
    expect(wordless.map(({ title }) => title)).toEqual([]);
    expect(new Set(panels.map(({ id }) => id)).size).toBe(panels.length);
  });

  test('has no panel over another', () => {
    const cells = dashboard.panels.flatMap(({ title, gridPos: { x, y, w, h } }) =>
      Array.from({ length: w * h }, (_, at) => ({
        title,
        cell: `${x + (at % w)},${y + Math.floor(at / w)}`,
      })),
    );
    expect(new Set(cells.map(({ cell }) => cell)).size).toBe(cells.length);
    expect(Math.max(...dashboard.panels.map(({ gridPos }) => gridPos.x + gridPos.w))).toBeLessThanOrEqual(24);
  });
});

describe('the alerts', () => {
  const alerts = () => rules.filter(({ type }) => type === 'alerting');
  const runbook = readFileSync('docs/operations.md', 'utf8');
  const sections = [...runbook.matchAll(/^### (SessionService\w+)$/gm)].map(([, name = '']) => name);

  test('have a section each in the runbook, and no section is of an alert that does not exist', () => {
    expect(alerts().length).toBeGreaterThan(10);
    expect(sections.toSorted()).toEqual(
      alerts()
        .map(({ name }) => name)
        .toSorted(),
    );
    for (const { name, annotations } of alerts()) {
      expect(annotations?.['runbook']).toBe(`docs/operations.md#${name.toLowerCase()}`);
    }
  });

  test('say whom they wake and what it is about', () => {
    for (const { labels, annotations } of alerts()) {
      expect(['page', 'ticket']).toContain(labels?.['severity']);
      expect(annotations?.['summary']).toMatch(/\.$/);
      expect(annotations?.['description']).toMatch(/\.$/);
    }
  });
});
