/** docs/metrics.md against the registry, in both directions. */
import { readFileSync } from 'node:fs';
import { resolve } from 'node:path';
import { expect, test } from '@jest/globals';
import { register } from 'prom-client';
import { TestService } from '../support/test-service.js';

/** prom-client's own, of the process. */
const OWN = /^(?!nodejs_|process_)/;

test('every metric is explained with its type and labels, and none that does not exist', async () => {
  const service = await TestService.start();
  const metrics = await register.getMetricsAsJSON();
  await service.stop();
  const registered = metrics
    .filter(({ name }) => OWN.test(name))
    .map(({ name, type }) => {
      const { labelNames } = register.getSingleMetric(name) as unknown as { labelNames: string[] };
      return { name, type: String(type), labels: labelNames };
    });
  const text = readFileSync(resolve(import.meta.dirname, '../../docs/metrics.md'), 'utf8');
  const documented = [...text.matchAll(/^\| `(\w+)` +\| (\w+) +\| (.*?) +\| /gm)].map(
    ([, name = '', type = '', labels = '']) => ({
      name,
      type,
      labels: [...labels.matchAll(/`(\w+)`/g)].map(([, label = '']) => label),
    }),
  );
  const sorted = (list: typeof registered) => list.toSorted((a, b) => a.name.localeCompare(b.name));
  expect(registered.length).toBeGreaterThan(15);
  expect(sorted(documented)).toEqual(sorted(registered));
});
