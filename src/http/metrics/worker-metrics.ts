/**
 * Metrics of all workers of one machine in one answer: whichever worker is scraped asks the primary, which asks them
 * all. One that does not answer in time is left out rather than waited for.
 */
import cluster from 'node:cluster';
import { AggregatorRegistry, type MetricObjectWithValues, type MetricValue } from 'prom-client';

import { textOf } from './text-format.js';

export type Snapshot = readonly MetricObjectWithValues<MetricValue<string>>[];

type Message =
  /** From a worker: somebody scrapes me. */
  | { readonly type: 'metrics-wanted'; readonly scrape: string }
  /** From the primary: what are yours? */
  | { readonly type: 'metrics-asked'; readonly scrape: string }
  /** From a worker: mine. */
  | { readonly type: 'metrics-told'; readonly scrape: string; readonly snapshot: Snapshot }
  /** From the primary: theirs. */
  | { readonly type: 'metrics-gathered'; readonly scrape: string; readonly snapshots: readonly Snapshot[] };

const ANSWER_WITHIN_MS = 2000;

interface Gathering {
  readonly snapshots: Snapshot[];
  missing: number;
  readonly finish: () => void;
}

/** The primary's part. */
export function passMetricsOn(): void {
  const gatherings = new Map<string, Gathering>();
  cluster.on('message', (asker, message: Message) => {
    if (message.type === 'metrics-told') {
      const gathering = gatherings.get(message.scrape);
      gathering?.snapshots.push(message.snapshot);
      if (gathering && --gathering.missing === 0) gathering.finish();
    }
    if (message.type !== 'metrics-wanted') return;
    const { scrape } = message;
    const asked = Object.values(cluster.workers ?? {}).filter((worker) => worker?.isConnected());
    const timer = setTimeout(() => gatherings.get(scrape)?.finish(), ANSWER_WITHIN_MS);
    const snapshots: Snapshot[] = [];
    gatherings.set(scrape, {
      snapshots,
      missing: asked.length,
      finish: () => {
        clearTimeout(timer);
        gatherings.delete(scrape);
        if (asker.isConnected()) tell(asker, { type: 'metrics-gathered', scrape, snapshots });
      },
    });
    for (const worker of asked) if (worker) tell(worker, { type: 'metrics-asked', scrape });
  });
}

/** A worker's part. */
export class WorkerMetrics {
  private readonly scrapes = new Map<string, (snapshots: readonly Snapshot[]) => void>();
  private last = 0;

  /** @param own this worker's metrics, as they are now */
  constructor(own: () => Promise<Snapshot>) {
    process.on('message', (message: Message) => {
      if (message.type === 'metrics-gathered') this.scrapes.get(message.scrape)?.(message.snapshots);
      if (message.type !== 'metrics-asked') return;
      const { scrape } = message;
      own().then(
        (snapshot) => tell(process, { type: 'metrics-told', scrape, snapshot }),
        () => undefined,
      );
    });
  }

  /** @returns every worker's metrics as one exposition */
  async text(): Promise<string> {
    const scrape = `${process.pid}-${++this.last}`;
    const snapshots = await new Promise<readonly Snapshot[]>((resolve) => {
      this.scrapes.set(scrape, resolve);
      tell(process, { type: 'metrics-wanted', scrape });
    });
    this.scrapes.delete(scrape);
    // It sums up, or what a metric's `aggregator` says.
    return textOf(AggregatorRegistry.aggregate(snapshots as object[][]));
  }
}

/** A channel that has just closed is no reason to fall. */
function tell(to: { send?: (message: Message, callback: () => void) => boolean }, message: Message): void {
  to.send?.(message, () => undefined);
}
