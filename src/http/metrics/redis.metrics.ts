/** What is asked of Redis, how it ended and how long it took. */
import { Injectable } from '@nestjs/common';
import { InjectMetric, makeCounterProvider, makeHistogramProvider } from '@willsoto/nestjs-prometheus';
import type { Counter, Histogram } from 'prom-client';
import { StoreOperations, type OperationStatus } from '../../store-operations.js';

const OPERATIONS = 'redis_operations_total';
const DURATION = 'redis_operation_duration_seconds';

export const REDIS_METRIC_PROVIDERS = [
  makeCounterProvider({
    name: OPERATIONS,
    help: 'Operations on Redis: `ok`, `timeout`, `not_sent` (it was known to be out) or `failed`.',
    labelNames: ['operation', 'status'],
  }),
  makeHistogramProvider({
    name: DURATION,
    help: 'Round trips to Redis; `tail-feed` waits for news, up to 0.2 s.',
    labelNames: ['operation'],
    buckets: [0.00025, 0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1],
  }),
];

interface Kept {
  readonly duration: Pick<Histogram.Internal<string>, 'observe'>;
  readonly counters: Map<OperationStatus, Pick<Counter.Internal, 'inc'>>;
}

@Injectable()
export class RedisMetrics extends StoreOperations {
  private readonly kept = new Map<string, Kept>();

  constructor(
    @InjectMetric(OPERATIONS) private readonly operations: Counter,
    @InjectMetric(DURATION) private readonly duration: Histogram,
  ) {
    super();
  }

  override observe(operation: string, status: OperationStatus, seconds: number): void {
    let kept = this.kept.get(operation);
    if (!kept) {
      kept = { duration: this.duration.labels(operation), counters: new Map() };
      this.kept.set(operation, kept);
    }
    let counter = kept.counters.get(status);
    if (!counter) kept.counters.set(status, (counter = this.operations.labels(operation, status)));
    counter.inc();
    if (status !== 'not_sent') kept.duration.observe(seconds);
  }
}
