/** Every request, once: how long it took, and what it was refused with. */
import { Injectable } from '@nestjs/common';
import { InjectMetric, makeCounterProvider, makeHistogramProvider } from '@willsoto/nestjs-prometheus';
import type { Counter, Histogram } from 'prom-client';
import { ERRORS, type ErrorCode } from '../../errors.js';
import { RequestEnds, type EndedRequest } from '../request-ends.js';

const DURATION = 'http_request_duration_seconds';
const REFUSED = 'requests_refused_total';

export const HTTP_METRIC_PROVIDERS = [
  makeHistogramProvider({
    name: DURATION,
    help: 'Requests by the template of their route (`unmatched` when there is none); status 499: the client left.',
    labelNames: ['route', 'method', 'status'],
    buckets: [0.0005, 0.001, 0.0025, 0.005, 0.01, 0.015, 0.02, 0.05, 0.1, 0.25, 0.5, 1, 2.5],
  }),
  makeCounterProvider({
    name: REFUSED,
    help: 'Requests that were answered with an error of the table in docs/errors.md.',
    labelNames: ['code'],
  }),
];

type Observer = Pick<Histogram.Internal<string>, 'observe'>;

@Injectable()
export class HttpMetrics {
  /** By route and method, then by status: all three are closed lists. */
  private readonly observers = new Map<string, Map<number, Observer>>();

  constructor(
    @InjectMetric(DURATION) private readonly duration: Histogram,
    @InjectMetric(REFUSED) private readonly refused: Counter,
    requests: RequestEnds,
  ) {
    // A code that has not happened yet is 0, not absent: the first of its kind is an increase.
    for (const code of Object.keys(ERRORS)) refused.inc({ code }, 0);
    requests.listen((ended) => this.count(ended));
  }

  private count({ request, route, method, status, seconds }: EndedRequest): void {
    this.observerOf(route, method, status).observe(seconds);
    if (request.refusedWith) this.countRefused(request.refusedWith);
  }

  private countRefused(code: ErrorCode): void {
    this.refused.inc({ code });
  }

  private observerOf(route: string, method: string, status: number): Observer {
    const place = `${method} ${route}`;
    let byStatus = this.observers.get(place);
    if (!byStatus) this.observers.set(place, (byStatus = new Map()));
    let observer = byStatus.get(status);
    if (!observer) {
      byStatus.set(status, (observer = this.duration.labels(route, method, String(status))));
    }
    return observer;
  }
}
