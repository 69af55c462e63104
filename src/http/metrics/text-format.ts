/**
 * The Prometheus text format, some lines at a time: prom-client writes a metric in one go, and with a thousand tenants
 * that is thousands of lines which whoever wants a token validated would wait for.
 * https://prometheus.io/docs/instrumenting/exposition_formats/#text-based-format
 */
import { setImmediate as nextTurn } from 'node:timers/promises';
import type { MetricValue, Registry } from 'prom-client';

interface Sample extends MetricValue<string> {
  readonly metricName?: string;
  /** Of all lines of one histogram: the very same object in each. */
  readonly sharedLabels?: MetricValue<string>['labels'];
}

interface Exposed {
  readonly help: string;
  readonly type: unknown;
  readonly values: readonly Sample[];
}

/** Registries that were put together from workers have metrics with `get` alone. */
interface Metric {
  get(): Promise<unknown>;
  /** Without a copy of the labels for each line: half of the time, and not in prom-client's types. */
  getForPromString?(): Promise<unknown>;
}

const LINES_IN_A_ROW = 500;

export async function textOf(registry: Registry): Promise<string> {
  const pieces: string[] = [];
  for (const { name } of registry.getMetricsAsArray()) {
    const metric = registry.getSingleMetric(name) as unknown as Metric;
    const { help, type, values } = (await (metric.getForPromString?.() ?? metric.get())) as Exposed;
    pieces.push(`# HELP ${name} ${escaped(help)}\n# TYPE ${name} ${String(type)}\n`);
    for (let at = 0; at < values.length; at += LINES_IN_A_ROW) {
      pieces.push(linesOf(name, values.slice(at, at + LINES_IN_A_ROW)));
      await nextTurn();
    }
  }
  return pieces.join('');
}

function linesOf(name: string, samples: readonly Sample[]): string {
  let lines = '';
  let sharedLabels: Sample['sharedLabels'];
  let shared = '';
  for (const sample of samples) {
    if (sample.sharedLabels !== sharedLabels) {
      ({ sharedLabels } = sample);
      shared = insideOf(sharedLabels);
    }
    const own = insideOf(sample.labels);
    const inside = own && shared ? `${own},${shared}` : own || shared;
    lines += `${sample.metricName ?? name}${inside && `{${inside}}`} ${numberOf(sample.value)}\n`;
  }
  return lines;
}

function insideOf(labels: Sample['labels'] | undefined): string {
  let inside = '';
  for (const name in labels) {
    const value = String(labels[name]);
    inside += `${inside === '' ? '' : ','}${name}="${NEEDS_ESCAPE.test(value) ? quoted(value) : value}"`;
  }
  return inside;
}

const NEEDS_ESCAPE = /[\\\n"]/;

function escaped(text: string): string {
  return text.replaceAll('\\', '\\\\').replaceAll('\n', '\\n');
}

function quoted(text: string): string {
  return escaped(text).replaceAll('"', '\\"');
}

function numberOf(value: number): string {
  if (Number.isFinite(value)) return String(value);
  return Number.isNaN(value) ? 'NaN' : value > 0 ? '+Inf' : '-Inf';
}
