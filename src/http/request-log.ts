/**
 * One line a request, written when it has ended: the route's template, never the address, because paths have ids in
 * them; no header, token, body or query.
 */
import type { Log } from '../logging/log.js';
import type { EndedRequest, RequestListener } from './request-ends.js';

/** Asked every few seconds, and of no interest while they are well. */
const OF_MACHINES = /^\/(health|metrics)(\/|$)/;

export function logRequestsTo(log: Log): RequestListener {
  return (ended) => {
    const level = OF_MACHINES.test(ended.route) && ended.status < 500 ? 'debug' : 'info';
    if (log.isLevelEnabled(level)) log[level](lineOf(ended));
  };
}

function lineOf({
  request,
  route,
  method,
  status,
  seconds,
  streamedSeconds,
}: EndedRequest): Record<string, unknown> {
  const { principal } = request;
  return {
    event: 'request',
    request_id: request.id,
    method,
    route,
    status,
    duration_ms: toMs(seconds),
    streamed_ms: streamedSeconds === undefined ? undefined : toMs(streamedSeconds),
    tenant_id: principal?.kind === 'tenant' ? principal.tenantId : undefined,
    error: request.refusedWith ?? refusedToken(request.validated?.result),
  };
}

function toMs(seconds: number): number {
  return Math.round(seconds * 100_000) / 100;
}

function refusedToken(result: string | undefined): string | undefined {
  return result === 'valid' ? undefined : result;
}
