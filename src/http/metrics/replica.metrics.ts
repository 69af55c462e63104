/** Metrics of the revocation replica: how old it is, how much it holds, how fast news travels. */
import { Injectable } from '@nestjs/common';
import {
  InjectMetric,
  makeCounterProvider,
  makeGaugeProvider,
  makeHistogramProvider,
} from '@willsoto/nestjs-prometheus';
import type { Counter, Gauge, Histogram } from 'prom-client';
import { Exposition } from './exposition.js';

const AGE = 'revocation_replica_age_seconds';
const ENTRIES = 'revocation_replica_entries';
const BYTES = 'revocation_replica_bytes';
const PROPAGATION = 'revocation_propagation_seconds';
const MALFORMED = 'change_feed_malformed_entries_total';
const RESYNCS = 'change_feed_resyncs_total';

export const REPLICA_METRIC_PROVIDERS = [
  makeGaugeProvider({
    name: AGE,
    help: 'Time since the last completed read of the change feed was issued; -1 before the first.',
    aggregator: 'max',
  }),
  makeGaugeProvider({ name: ENTRIES, help: 'Revocations held in memory.', aggregator: 'max' }),
  makeGaugeProvider({ name: BYTES, help: 'Memory of the revocations held.', aggregator: 'sum' }),
  makeHistogramProvider({
    name: PROPAGATION,
    help: 'From the announcement of a change to its arrival at this instance.',
    buckets: [0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5],
  }),
  makeCounterProvider({
    name: MALFORMED,
    help: 'Entries of the change feed that could not be understood and were passed over.',
  }),
  makeCounterProvider({
    name: RESYNCS,
    help: 'Times that the change feed was not the continuation of what had been read.',
    labelNames: ['cause'],
  }),
];

/** What the replica says of itself when it is asked. */
export interface ReplicaReadings {
  readonly ageSeconds: number;
  readonly entries: number;
  readonly bytes: number;
}

@Injectable()
export class ReplicaMetrics {
  private read: () => ReplicaReadings = () => ({
    ageSeconds: Number.POSITIVE_INFINITY,
    entries: 0,
    bytes: 0,
  });

  constructor(
    @InjectMetric(AGE) private readonly age: Gauge,
    @InjectMetric(ENTRIES) private readonly entries: Gauge,
    @InjectMetric(BYTES) private readonly bytes: Gauge,
    @InjectMetric(PROPAGATION) private readonly propagation: Histogram,
    @InjectMetric(MALFORMED) private readonly malformed: Counter,
    @InjectMetric(RESYNCS) private readonly resyncs: Counter,
    exposition: Exposition,
  ) {
    exposition.beforeScrape(() => this.collect());
  }

  /** The replica registers how it is read. */
  observe(read: () => ReplicaReadings): void {
    this.read = read;
  }

  /** Takes the readings of this moment. */
  private collect(): void {
    const { ageSeconds, entries, bytes } = this.read();
    this.age.set(Number.isFinite(ageSeconds) ? ageSeconds : -1);
    this.entries.set(entries);
    this.bytes.set(bytes);
  }

  observePropagation(seconds: number): void {
    this.propagation.observe(Math.max(0, seconds));
  }

  countMalformed(): void {
    this.malformed.inc();
  }

  countResync(cause: 'gap' | 'went_backwards' | 'replaced'): void {
    this.resyncs.inc({ cause });
  }
}
