/** The service and its store as a whole. */
import { Injectable } from '@nestjs/common';
import { InjectMetric, makeCounterProvider, makeGaugeProvider } from '@willsoto/nestjs-prometheus';
import type { Counter, Gauge } from 'prom-client';
import { VERSION } from '../openapi.js';

const INFO = 'service_info';
const STORE_UP = 'store_up';
const EVICTED = 'redis_evicted_keys_total';

export const SERVICE_METRIC_PROVIDERS = [
  makeGaugeProvider({
    name: INFO,
    help: 'Always 1; the version that runs.',
    labelNames: ['version'],
    aggregator: 'max',
  }),
  makeGaugeProvider({
    name: STORE_UP,
    help: '1 while the store can be read and written and may be trusted, else 0; /health says why.',
    aggregator: 'min',
  }),
  makeCounterProvider({
    name: EVICTED,
    help: 'Keys that Redis has thrown away for want of memory, since it was started: each may un-revoke a token.',
    aggregator: 'max',
  }),
];

@Injectable()
export class ServiceMetrics {
  private evictedBefore = 0;

  constructor(
    @InjectMetric(INFO) info: Gauge,
    @InjectMetric(STORE_UP) private readonly storeUp: Gauge,
    @InjectMetric(EVICTED) private readonly evicted: Counter,
  ) {
    info.set({ version: VERSION }, 1);
  }

  /** @param evictedKeys as Redis counts them now; it starts again at 0 when Redis does */
  setStore({ up, evictedKeys }: { up: boolean; evictedKeys?: number }): void {
    this.storeUp.set(up ? 1 : 0);
    if (evictedKeys === undefined) return;
    this.evicted.inc(Math.max(0, evictedKeys - this.evictedBefore));
    this.evictedBefore = evictedKeys;
  }
}
