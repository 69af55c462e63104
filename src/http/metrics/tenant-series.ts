/**
 * Which tenants have series of their own: known ones, first come, up to METRICS_MAX_TENANTS; the rest is `other`.
 * A tenant that is gone gives its place and its series up.
 */
import { Injectable } from '@nestjs/common';
import { Config } from '../../config.js';

export const OTHER_TENANTS = 'other';

/** A metric with a label for tenants. */
export interface TenantMetric {
  remove(tenantId: string): void;
}

@Injectable()
export class TenantSeries {
  private readonly places = new Set<string>();
  private readonly metrics: TenantMetric[] = [];

  constructor(private readonly config: Config) {}

  /** @param tenantId of a tenant that there is: of a caller who was recognised, or of a change that was made */
  labelOf(tenantId: string): string {
    if (this.places.has(tenantId)) return tenantId;
    if (this.places.size >= this.config.metricsMaxTenants) return OTHER_TENANTS;
    // A tenant may have this name; its numbers are then among those of the rest.
    if (tenantId !== OTHER_TENANTS) this.places.add(tenantId);
    return tenantId;
  }

  has(tenantId: string): boolean {
    return this.places.has(tenantId);
  }

  get hasRoom(): boolean {
    return this.places.size < this.config.metricsMaxTenants;
  }

  /** Those with series of their own. */
  list(): string[] {
    return [...this.places];
  }

  release(tenantId: string): void {
    if (!this.places.delete(tenantId)) return;
    for (const metric of this.metrics) metric.remove(tenantId);
  }

  register(metric: TenantMetric): void {
    this.metrics.push(metric);
  }
}
