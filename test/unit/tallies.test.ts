/** Beside prom-client's own metrics, which have counted the same: what is scraped must not differ. */
import { describe, expect, test } from '@jest/globals';
import { AggregatorRegistry, Counter, Histogram, Registry, type Metric } from 'prom-client';
import { TallyCounter, TallyHistogram } from '../../src/http/metrics/tallies.js';
import { textOf } from '../../src/http/metrics/text-format.js';

const COUNTER = { name: 'things_total', help: 'Things.', labelNames: ['tenant_id', 'result'] };
const HISTOGRAM = { name: 'time_seconds', help: 'Time.', labelNames: ['route'], buckets: [0.1, 0.25, 1] };

function both() {
  const theirs = new Registry();
  const ours = new Registry();
  const counters = [new Counter({ ...COUNTER, registers: [theirs] }), new TallyCounter(COUNTER)] as const;
  const histograms = [
    new Histogram({ ...HISTOGRAM, registers: [theirs] }),
    new TallyHistogram(HISTOGRAM),
  ] as const;
  ours.registerMetric(counters[1] as unknown as Metric);
  ours.registerMetric(histograms[1] as unknown as Metric);
  return { theirs, ours, counters, histograms };
}

const linesOf = (text: string): string[] =>
  // The order of labels says nothing.
  text
    .split('\n')
    .map((line) =>
      line.replace(/\{(.*)\}/, (_, inside: string) => `{${inside.split(',').toSorted().join(',')}}`),
    )
    .toSorted();

describe('tallies', () => {
  test('are scraped as prom-client’s own metrics are', async () => {
    const { theirs, ours, counters, histograms } = both();
    for (const counter of counters) {
      counter.labels('acme', 'valid').inc();
      counter.labels('acme', 'valid').inc(2);
      counter.labels('acme', 'a "b"\\\n').inc();
      counter.labels('other', 'valid').inc(0);
    }
    for (const histogram of histograms) {
      for (const seconds of [0, 0.05, 0.1, 0.1000001, 0.25, 0.9, 1, 7])
        histogram.labels('/a').observe(seconds);
      histogram.labels('/b').observe(0.2);
    }
    const text = await textOf(ours);
    expect(text).toContain('time_seconds_bucket{le="0.25",route="/a"} 5');
    expect(linesOf(text)).toEqual(linesOf(await textOf(theirs)));
    expect(linesOf(await ours.metrics())).toEqual(linesOf(await theirs.metrics()));
  });

  test('of several workers are added up as prom-client’s own are', async () => {
    const { theirs, ours, counters, histograms } = both();
    for (const counter of counters) counter.labels('acme', 'valid').inc(3);
    for (const histogram of histograms) histogram.labels('/a').observe(0.2);
    const twice = async (registry: Registry): Promise<string> => {
      const snapshot = JSON.parse(JSON.stringify(await registry.getMetricsAsJSON())) as object[];
      return textOf(AggregatorRegistry.aggregate([snapshot, snapshot]));
    };
    expect(await twice(ours)).toContain('things_total{tenant_id="acme",result="valid"} 6');
    expect(linesOf(await twice(ours))).toEqual(linesOf(await twice(theirs)));
  });

  test('of a tenant that is gone are gone', async () => {
    const { ours, counters } = both();
    counters[1].labels('acme', 'valid').inc();
    counters[1].labels('gone', 'valid').inc();
    counters[1].remove('gone', 'valid');
    const text = await textOf(ours);
    expect(text).toContain('acme');
    expect(text).not.toContain('gone');
  });

  test('are found again by the same labels, and never by others that read alike', () => {
    const [, counter] = both().counters;
    expect(counter.labels('a', 'b')).toBe(counter.labels('a', 'b'));
    expect(counter.labels('a,b', '')).not.toBe(counter.labels('a', 'b,'));
  });
});
