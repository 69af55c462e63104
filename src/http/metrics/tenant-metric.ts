/**
 * A metric by tenant and one more label: what is counted is looked up once and kept, because prom-client looks its
 * labels up anew on each call, and goes when its tenant goes.
 */
import type { TenantMetric, TenantSeries } from './tenant-series.js';

interface Labelled<Child> {
  labels(...values: string[]): Child;
  remove(...values: string[]): void;
}

export class ByTenant<Child, Label extends string = never> implements TenantMetric {
  private readonly children = new Map<string, Map<Label | '', Child>>();

  /** @param metric with the label `tenant_id`, and after it perhaps another whose values are a closed list */
  constructor(
    private readonly metric: Labelled<Child>,
    private readonly series: TenantSeries,
  ) {
    series.register(this);
  }

  of(tenantId: string, ...label: [Label] | []): Child {
    const tenant = this.series.labelOf(tenantId);
    let ofTenant = this.children.get(tenant);
    if (!ofTenant) this.children.set(tenant, (ofTenant = new Map()));
    const value = label[0] ?? '';
    let child = ofTenant.get(value);
    if (!child) ofTenant.set(value, (child = this.metric.labels(tenant, ...label)));
    return child;
  }

  remove(tenantId: string): void {
    for (const value of this.children.get(tenantId)?.keys() ?? []) {
      this.metric.remove(tenantId, ...(value === '' ? [] : [value]));
    }
    this.children.delete(tenantId);
  }
}
