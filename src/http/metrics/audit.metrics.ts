/** Metrics of the audit: what became of entries, and how many wait for the store. */
import { Injectable } from '@nestjs/common';
import { InjectMetric, makeCounterProvider, makeGaugeProvider } from '@willsoto/nestjs-prometheus';
import type { Counter, Gauge } from 'prom-client';

const ENTRIES = 'audit_entries_total';
const QUEUE = 'audit_queue_entries';

export const AUDIT_METRIC_PROVIDERS = [
  makeCounterProvider({
    name: ENTRIES,
    help: 'Audit entries: recorded in the store, dropped because too many waited, repeated (counted in another entry).',
    labelNames: ['outcome'],
  }),
  makeGaugeProvider({ name: QUEUE, help: 'Audit entries that wait in memory for the store.' }),
];

export type AuditOutcome = 'recorded' | 'dropped' | 'repeated';

@Injectable()
export class AuditMetrics {
  constructor(
    @InjectMetric(ENTRIES) private readonly entries: Counter,
    @InjectMetric(QUEUE) private readonly queue: Gauge,
  ) {
    for (const outcome of ['recorded', 'dropped', 'repeated'] as const) this.entries.inc({ outcome }, 0);
  }

  count(outcome: AuditOutcome, entries = 1): void {
    this.entries.inc({ outcome }, entries);
  }

  setWaiting(entries: number): void {
    this.queue.set(entries);
  }
}
