/**
 * What is told of each tenant when metrics are scraped, though nothing happened: how many sessions are live, how old
 * the key is. Of tenants with series of their own only, so its cost has a bound.
 */
import { setImmediate as nextTurn } from 'node:timers/promises';
import { Injectable } from '@nestjs/common';
import { Clock } from '../clock.js';
import { Config } from '../config.js';
import { AppError } from '../errors.js';
import { Exposition } from '../http/metrics/exposition.js';
import { KeyMetrics } from '../http/metrics/key.metrics.js';
import { SessionMetrics } from '../http/metrics/session.metrics.js';
import { TenantSeries } from '../http/metrics/tenant-series.js';
import { KeyAges } from '../keys/key-ages.js';
import { TenantsService } from '../tenants/tenants.service.js';
import { SessionStore } from './session.js';

/** Two scrapers, or an impatient one, cost the store no more than one. */
const CENSUS_INTERVAL_MS = 5000;
const ADMISSION_INTERVAL_MS = 300_000;
const ASKED_AT_ONCE = 25;
const PAGE = 200;

@Injectable()
export class TenantCensus {
  private takenAtMs = Number.NEGATIVE_INFINITY;
  private admittedAtMs = Number.NEGATIVE_INFINITY;

  constructor(
    private readonly series: TenantSeries,
    private readonly sessionMetrics: SessionMetrics,
    private readonly keyMetrics: KeyMetrics,
    private readonly keyAges: KeyAges,
    private readonly store: SessionStore,
    private readonly tenants: TenantsService,
    private readonly config: Config,
    private readonly clock: Clock,
    exposition: Exposition,
  ) {
    exposition.beforeScrape(() => this.take());
  }

  private async take(): Promise<void> {
    const nowMs = this.clock.monotonicMs();
    if (nowMs - this.takenAtMs < CENSUS_INTERVAL_MS) return;
    this.takenAtMs = nowMs;
    if (nowMs - this.admittedAtMs >= ADMISSION_INTERVAL_MS && (await this.admitQuietTenants())) {
      this.admittedAtMs = nowMs;
    }
    const tenantIds = this.series.list();
    let mostOverdue = 0;
    for (let at = 0; at < tenantIds.length; at += ASKED_AT_ONCE) {
      const some = await Promise.all(
        tenantIds.slice(at, at + ASKED_AT_ONCE).map((tenantId) => this.visit(tenantId)),
      );
      mostOverdue = Math.max(mostOverdue, ...some);
      await nextTurn();
    }
    const ofTroubled = await this.keyAges.overdueOfTroubled().catch(() => 0);
    this.keyMetrics.setOverdue(Math.max(mostOverdue, ofTroubled));
  }

  /** @returns how much its key is overdue */
  private async visit(tenantId: string): Promise<number> {
    try {
      const keys = await this.keyAges.of(tenantId);
      if (!keys) {
        this.series.release(tenantId);
        return 0;
      }
      if (keys.ageSeconds !== null) this.keyMetrics.setAge(tenantId, keys.ageSeconds);
      const live = await this.store.countLive(tenantId, keys.epoch, this.clock.nowMs());
      this.sessionMetrics.setActive(tenantId, live);
      return keys.overdueSeconds;
    } catch (error) {
      if (!(error instanceof AppError)) throw error;
      this.sessionMetrics.setActive(tenantId, null);
      return 0;
    }
  }

  /**
   * Where there is room for all, tenants have their series before anything is asked for them here; where there is
   * not, first come are those that somebody uses. @returns whether the store could tell
   */
  private async admitQuietTenants(): Promise<boolean> {
    const tenantIds: string[] = [];
    try {
      while (tenantIds.length <= this.config.metricsMaxTenants) {
        const page = await this.tenants.list({ after: tenantIds.at(-1) ?? '', limit: PAGE });
        tenantIds.push(...page.map(({ tenantId }) => tenantId));
        if (page.length < PAGE) break;
      }
    } catch (error) {
      if (error instanceof AppError) return false;
      throw error;
    }
    if (tenantIds.length <= this.config.metricsMaxTenants) tenantIds.forEach((id) => this.series.labelOf(id));
    return true;
  }
}
