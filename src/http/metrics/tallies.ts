/**
 * Counters and histograms of what every request counts. prom-client puts a name together from the labels, and checks
 * them, each time that something is counted, three times a validation; here a child is found once and is a few numbers,
 * which are put into words when somebody scrapes. Registered as prom-client's own are, and read as they are.
 */
import type { Provider } from '@nestjs/common';
import { getToken } from '@willsoto/nestjs-prometheus';
import { register, type Metric, type MetricValueWithName } from 'prom-client';

interface Naming {
  readonly name: string;
  readonly help: string;
  readonly labelNames: readonly string[];
}

type Labels = Readonly<Record<string, string>>;

/** As the text format has them: a line has its own labels, and those that all lines of its child share. */
interface Line extends MetricValueWithName<string> {
  readonly sharedLabels?: Labels;
}

abstract class TallyMetric<Child> {
  readonly name: string;
  readonly help: string;
  readonly aggregator = 'sum';
  abstract readonly type: 'counter' | 'histogram';
  private readonly labelNames: readonly string[];
  private readonly children = new Map<string, { readonly labels: Labels; readonly child: Child }>();

  constructor({ name, help, labelNames }: Naming) {
    this.name = name;
    this.help = help;
    this.labelNames = labelNames;
  }

  /** @param values of all labels, in their order; each of a closed list, or a tenant that has its series */
  labels(...values: string[]): Child {
    const key = JSON.stringify(values);
    let found = this.children.get(key);
    if (!found) {
      const labels = Object.fromEntries(this.labelNames.map((name, at) => [name, values[at] ?? '']));
      this.children.set(key, (found = { labels, child: this.begin() }));
    }
    return found.child;
  }

  remove(...values: string[]): void {
    this.children.delete(JSON.stringify(values));
  }

  /** prom-client's, when all metrics are to begin anew. */
  reset(): void {
    this.children.clear();
  }

  /** For `textOf`. */
  async getForPromString() {
    const { name, help, type, aggregator } = this;
    const values = [...this.children.values()].flatMap(({ labels, child }) => this.linesOf(child, labels));
    return { name, help, type, aggregator, values };
  }

  /** For the other workers of a machine. */
  async get() {
    const { values, ...metric } = await this.getForPromString();
    return {
      ...metric,
      values: values.map(({ sharedLabels, labels, ...line }) => ({
        ...line,
        labels: { ...sharedLabels, ...labels },
      })),
    };
  }

  protected abstract begin(): Child;
  protected abstract linesOf(child: Child, labels: Labels): Line[];
}

export class CounterTally {
  count = 0;

  inc(by = 1): void {
    this.count += by;
  }
}

export class TallyCounter extends TallyMetric<CounterTally> {
  readonly type = 'counter';

  protected begin(): CounterTally {
    return new CounterTally();
  }

  protected linesOf({ count }: CounterTally, labels: Labels): Line[] {
    return [{ labels, value: count }];
  }
}

export class HistogramTally {
  sum = 0;
  /** By the first bound that is not below what was observed; the last one: beyond all bounds. */
  readonly counts: Float64Array;

  constructor(private readonly bounds: readonly number[]) {
    this.counts = new Float64Array(bounds.length + 1);
  }

  observe(value: number): void {
    const { bounds, counts } = this;
    let at = 0;
    while (at < bounds.length && value > (bounds[at] ?? 0)) at++;
    counts[at] = (counts[at] ?? 0) + 1;
    this.sum += value;
  }
}

export class TallyHistogram extends TallyMetric<HistogramTally> {
  readonly type = 'histogram';
  private readonly bounds: readonly number[];

  constructor(naming: Naming & { readonly buckets: readonly number[] }) {
    super(naming);
    this.bounds = naming.buckets;
  }

  protected begin(): HistogramTally {
    return new HistogramTally(this.bounds);
  }

  protected linesOf({ sum, counts }: HistogramTally, sharedLabels: Labels): Line[] {
    let count = 0;
    const upTo = [...this.bounds, '+Inf'].map((le, at) => {
      count += counts[at] ?? 0;
      return { metricName: `${this.name}_bucket`, labels: { le }, value: count, sharedLabels };
    });
    return [
      ...upTo,
      { metricName: `${this.name}_sum`, labels: {}, value: sum, sharedLabels },
      { metricName: `${this.name}_count`, labels: {}, value: count, sharedLabels },
    ];
  }
}

export const makeTallyCounterProvider = (naming: Naming): Provider =>
  providerOf(naming.name, () => new TallyCounter(naming));

export const makeTallyHistogramProvider = (
  naming: Naming & { readonly buckets: readonly number[] },
): Provider => providerOf(naming.name, () => new TallyHistogram(naming));

/** One for all applications of a process, as prom-client has it. */
function providerOf<Child>(name: string, make: () => TallyMetric<Child>): Provider {
  return {
    provide: getToken(name),
    useFactory: () => {
      const known = register.getSingleMetric(name);
      if (known) return known;
      const metric = make();
      register.registerMetric(metric as unknown as Metric);
      return metric;
    },
  };
}
