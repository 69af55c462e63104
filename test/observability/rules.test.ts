import { expect, test } from '@jest/globals';
import { spawnSync } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { RULES_FILE } from './dashboards.js';

const SCENARIOS = 'test/observability/alerts.yaml';

function promtool(...args: string[]): { status: number | null; output: string } {
  const { status, stdout, stderr, error } = spawnSync('promtool', args, { encoding: 'utf8' });
  if (error) throw error;
  return { status, output: stdout + stderr };
}

test('Prometheus understands the rules', () => {
  const { status, output } = promtool('check', 'rules', RULES_FILE);
  expect(output).toMatch(/SUCCESS: \d+ rules found/);
  expect(status).toBe(0);
});

test('every alert fires when it must, and only then', () => {
  expect(promtool('test', 'rules', SCENARIOS)).toEqual({
    status: 0,
    output: expect.stringContaining('SUCCESS'),
  });
}, 180_000);

test('every alert has a scenario in which it fires', () => {
  const alerts = [...readFileSync(RULES_FILE, 'utf8').matchAll(/- alert: (\w+)/g)].map(([, name]) => name);
  const scenarios = readFileSync(SCENARIOS, 'utf8');
  expect(alerts.length).toBeGreaterThan(10);
  expect(alerts.filter((name) => !scenarios.includes(`alertname="${name}"`))).toEqual([]);
});

test('a rule that would never fire is noticed', () => {
  const directory = mkdtempSync(join(tmpdir(), 'rules-test-'));
  try {
    const broken = join(directory, 'rules.yaml');
    const scenarios = join(directory, 'alerts.yaml');
    writeFileSync(broken, readFileSync(RULES_FILE, 'utf8').replaceAll('store_up{', 'store_is_up{'));
    writeFileSync(
      scenarios,
      readFileSync(SCENARIOS, 'utf8').replace(/- .*session-service\.yaml/, `- ${resolve(broken)}`),
    );
    const { status, output } = promtool('test', 'rules', scenarios);
    expect(status).not.toBe(0);
    expect(output).toContain('SessionServiceStoreDown');
  } finally {
    rmSync(directory, { recursive: true });
  }
}, 180_000);
