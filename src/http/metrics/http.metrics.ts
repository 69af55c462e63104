/** Every request, once: how long it took, and what it was refused with. */
import { Injectable } from '@nestjs/common';
import { InjectMetric } from '@willsoto/nestjs-prometheus';
import { ERRORS } from '../../errors.js';
import { RequestEnds, type EndedRequest } from '../request-ends.js';
import {
  makeTallyCounterProvider,
  makeTallyHistogramProvider,
  type HistogramTally,
  type TallyCounter,
  type TallyHistogram,
} from './tallies.js';

const DURATION = 'http_request_duration_seconds';
const REFUSED = 'requests_refused_total';

export const HTTP_METRIC_PROVIDERS = [
  makeTallyHistogramProvider({
    name: DURATION,
    help: 'Requests by the template of their route (`unmatched` when there is none); status 499: the client left.',
    labelNames: ['route', 'method', 'status'],
    buckets: [0.0005, 0.001, 0.0025, 0.005, 0.01, 0.015, 0.02, 0.05, 0.1, 0.25, 0.5, 1, 2.5],
  }),
  makeTallyCounterProvider({
    name: REFUSED,
    help: 'Requests that were answered with an error of the table in docs/errors.md.',
    labelNames: ['code'],
  }),
];

@Injectable()
export class HttpMetrics {
  /** By route and method, then by status: all three are closed lists. */
  private readonly durations = new Map<string, Map<string, Map<number, HistogramTally>>>();

  constructor(
    @InjectMetric(DURATION) private readonly duration: TallyHistogram,
    @InjectMetric(REFUSED) private readonly refused: TallyCounter,
    requests: RequestEnds,
  ) {
    // A code that has not happened yet is 0, not absent: the first of its kind is an increase.
    for (const code of Object.keys(ERRORS)) refused.labels(code);
    requests.listen((ended) => this.count(ended));
  }

  private count({ request, route, method, status, seconds }: EndedRequest): void {
    this.durationOf(route, method, status).observe(seconds);
    if (request.refusedWith) this.refused.labels(request.refusedWith).inc();
  }

  /** Looked up without putting a key together. */
  private durationOf(route: string, method: string, status: number): HistogramTally {
    let byMethod = this.durations.get(route);
    if (!byMethod) this.durations.set(route, (byMethod = new Map()));
    let byStatus = byMethod.get(method);
    if (!byStatus) byMethod.set(method, (byStatus = new Map()));
    let tally = byStatus.get(status);
    if (!tally) byStatus.set(status, (tally = this.duration.labels(route, method, String(status))));
    return tally;
  }
}
