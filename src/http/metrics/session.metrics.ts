/** Sessions by tenant: what was asked of them and what became of it. */
import { Injectable } from '@nestjs/common';
import { InjectMetric, makeGaugeProvider } from '@willsoto/nestjs-prometheus';
import type { Gauge } from 'prom-client';
import type { ErrorCode } from '../../errors.js';
import type { Happening, ReuseCause } from '../../happening.js';
import type { RevocationReason } from '../../revocation-reason.js';
import { Happenings } from '../happenings.js';
import { RequestEnds, type EndedRequest, type ValidationNote } from '../request-ends.js';
import {
  makeTallyCounterProvider,
  makeTallyHistogramProvider,
  type CounterTally,
  type HistogramTally,
  type TallyCounter,
  type TallyHistogram,
} from './tallies.js';
import { ByTenant } from './tenant-metric.js';
import { TenantSeries } from './tenant-series.js';

const CREATED = 'sessions_created_total';
const VALIDATED = 'sessions_validated_total';
const REFRESHED = 'sessions_refreshed_total';
const REVOKED = 'sessions_revoked_total';
const REUSED = 'refresh_token_reuse_total';
const ACTIVE = 'sessions_active';
const VALIDATION_DURATION = 'session_validation_duration_seconds';

export const SESSION_METRIC_PROVIDERS = [
  makeTallyCounterProvider({ name: CREATED, help: 'Sessions that began.', labelNames: ['tenant_id'] }),
  makeTallyCounterProvider({
    name: VALIDATED,
    help: 'Access tokens that were checked: `valid`, or the error that the token was refused with.',
    labelNames: ['tenant_id', 'result'],
  }),
  makeTallyCounterProvider({
    name: REFRESHED,
    help: 'Refreshes: `rotated`, `repeated` (the answer to an earlier one again), or the error.',
    labelNames: ['tenant_id', 'outcome'],
  }),
  makeTallyCounterProvider({
    name: REVOKED,
    help: 'Sessions that were ended, by reason; not those of a tenant that were ended all at once.',
    labelNames: ['tenant_id', 'reason'],
  }),
  makeTallyCounterProvider({
    name: REUSED,
    help: 'Sessions ended because a refresh token came back: the one replaced last, or an older one.',
    labelNames: ['tenant_id', 'cause'],
  }),
  makeGaugeProvider({
    name: ACTIVE,
    help: 'Live sessions in the store; the same on every instance.',
    aggregator: 'max',
    labelNames: ['tenant_id'],
  }),
  makeTallyHistogramProvider({
    name: VALIDATION_DURATION,
    help: 'Requests that had an access token checked, by what the check went by.',
    labelNames: ['tenant_id', 'check'],
    // Few, because they are there for each tenant: around the targets of 5 and 10 ms, and what is out of order.
    buckets: [0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.1, 1],
  }),
];

const REFRESH_ROUTES = new Set(['/sessions/refresh', '/tenants/:id/oauth/token']);

@Injectable()
export class SessionMetrics {
  private readonly created: ByTenant<CounterTally>;
  private readonly validated: ByTenant<CounterTally, ValidationNote['result']>;
  private readonly refreshed: ByTenant<CounterTally, 'rotated' | 'repeated' | ErrorCode>;
  private readonly revoked: ByTenant<CounterTally, RevocationReason>;
  private readonly reused: ByTenant<CounterTally, ReuseCause>;
  private readonly active: ByTenant<Gauge.Internal<string>>;
  private readonly duration: ByTenant<HistogramTally, ValidationNote['check']>;

  constructor(
    @InjectMetric(CREATED) created: TallyCounter,
    @InjectMetric(VALIDATED) validated: TallyCounter,
    @InjectMetric(REFRESHED) refreshed: TallyCounter,
    @InjectMetric(REVOKED) revoked: TallyCounter,
    @InjectMetric(REUSED) reused: TallyCounter,
    @InjectMetric(ACTIVE) active: Gauge,
    @InjectMetric(VALIDATION_DURATION) duration: TallyHistogram,
    private readonly series: TenantSeries,
    happenings: Happenings,
    requests: RequestEnds,
  ) {
    this.created = new ByTenant(created, series);
    this.validated = new ByTenant(validated, series);
    this.refreshed = new ByTenant(refreshed, series);
    this.revoked = new ByTenant(revoked, series);
    this.reused = new ByTenant(reused, series);
    this.active = new ByTenant(active, series);
    this.duration = new ByTenant(duration, series);
    happenings.subscribe({ hear: (happened) => happened.forEach((happening) => this.count(happening)) });
    requests.listen((ended) => this.countRequest(ended));
  }

  /** @param live null: nobody can tell at the moment, and no number is better than an old one */
  setActive(tenantId: string, live: number | null): void {
    if (live === null) this.active.remove(tenantId);
    else this.active.of(tenantId).set(live);
  }

  private count(happening: Happening): void {
    switch (happening.kind) {
      case 'tenant_created':
        // From 0, so that its first session is an increase.
        this.created.of(happening.tenantId).inc(0);
        break;
      case 'session_created':
        this.created.of(happening.tenantId).inc();
        break;
      case 'session_refreshed':
        this.refreshed.of(happening.tenantId, happening.outcome).inc();
        break;
      case 'session_ended':
        this.countEnding(happening);
        break;
      case 'tenant_deleted':
        this.series.release(happening.tenantId);
        break;
    }
  }

  private countEnding({
    tenantId,
    reason,
    cause,
    again,
  }: Extract<Happening, { kind: 'session_ended' }>): void {
    if (again) return;
    this.revoked.of(tenantId, reason).inc();
    if (cause) this.reused.of(tenantId, cause).inc();
  }

  /** A validation tells nothing of itself, and a refused token is an answer there; a refused refresh did nothing. */
  private countRequest({ request, route, seconds }: EndedRequest): void {
    const { principal, validated, refusedWith } = request;
    if (principal?.kind !== 'tenant') return;
    if (validated) {
      this.validated.of(principal.tenantId, validated.result).inc();
      this.duration.of(principal.tenantId, validated.check).observe(seconds);
    } else if (refusedWith && REFRESH_ROUTES.has(route)) {
      this.refreshed.of(principal.tenantId, refusedWith).inc();
    }
  }
}
