/** How old signing keys are, and whether one has served longer than it should have. */
import { Injectable } from '@nestjs/common';
import { InjectMetric, makeGaugeProvider } from '@willsoto/nestjs-prometheus';
import type { Gauge } from 'prom-client';
import { ByTenant } from './tenant-metric.js';
import { TenantSeries } from './tenant-series.js';

const AGE = 'signing_key_age_seconds';
const OVERDUE = 'signing_key_overdue_seconds';

export const KEY_METRIC_PROVIDERS = [
  makeGaugeProvider({
    name: AGE,
    help: 'Since when the key that signs a tenant’s tokens has been signing.',
    labelNames: ['tenant_id'],
    aggregator: 'max',
  }),
  makeGaugeProvider({
    name: OVERDUE,
    help: 'How much longer than KEY_ROTATION_DAYS the most overdue key of any tenant has been signing; 0: none.',
    aggregator: 'max',
  }),
];

@Injectable()
export class KeyMetrics {
  private readonly age: ByTenant<Gauge.Internal<string>>;

  constructor(
    @InjectMetric(AGE) age: Gauge,
    @InjectMetric(OVERDUE) private readonly overdue: Gauge,
    series: TenantSeries,
  ) {
    this.age = new ByTenant(age, series);
  }

  setAge(tenantId: string, seconds: number): void {
    this.age.of(tenantId).set(seconds);
  }

  setOverdue(seconds: number): void {
    this.overdue.set(seconds);
  }
}
