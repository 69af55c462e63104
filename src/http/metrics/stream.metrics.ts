/** Metrics of the streams of revocations: how many there are, what they are told, and why they end. */
import { Injectable } from '@nestjs/common';
import { InjectMetric, makeCounterProvider, makeGaugeProvider } from '@willsoto/nestjs-prometheus';
import type { Counter, Gauge } from 'prom-client';

const OPEN = 'revocation_streams_open';
const EVENTS = 'revocation_stream_events_total';
const ENDED = 'revocation_streams_ended_total';

export const STREAM_METRIC_PROVIDERS = [
  makeGaugeProvider({ name: OPEN, help: 'Streams of revocations that are open.', aggregator: 'sum' }),
  makeCounterProvider({
    name: EVENTS,
    help: 'Events sent on streams of revocations, once for each reader.',
    labelNames: ['event'],
  }),
  makeCounterProvider({
    name: ENDED,
    help: 'Streams of revocations that ended, by what ended them.',
    labelNames: ['reason'],
  }),
];

const STREAM_EVENTS = ['snapshot', 'revoked', 'keys', 'age'] as const;
export type StreamEvent = (typeof STREAM_EVENTS)[number];

const STREAM_ENDS = [
  'client_left',
  'slow_reader',
  'tenant_suspended',
  'tenant_deleted',
  'api_key_ended',
  'replica_incomplete',
  'shutdown',
] as const;
export type StreamEnd = (typeof STREAM_ENDS)[number];

@Injectable()
export class StreamMetrics {
  constructor(
    @InjectMetric(OPEN) private readonly open: Gauge,
    @InjectMetric(EVENTS) private readonly events: Counter,
    @InjectMetric(ENDED) private readonly ended: Counter,
  ) {
    for (const event of STREAM_EVENTS) events.inc({ event }, 0);
    for (const reason of STREAM_ENDS) ended.inc({ reason }, 0);
  }

  countOpened(): void {
    this.open.inc();
  }

  countSent(event: StreamEvent): void {
    this.events.inc({ event });
  }

  countEnded(reason: StreamEnd): void {
    this.open.dec();
    this.ended.inc({ reason });
  }
}
