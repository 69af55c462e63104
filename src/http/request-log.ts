/**
 * One line a request, written when it has ended: the route's template, never the address, because paths have ids in
 * them; no header, token, body or query.
 */
import { lineWriter, type Log } from '../logging/log.js';
import type { EndedRequest, RequestListener } from './request-ends.js';

/** Asked every few seconds, and of no interest while they are well. */
const OF_MACHINES = /^\/(health|metrics)(\/|$)/;

export function logRequestsTo(log: Log): RequestListener {
  const write = lineWriter(log);
  return (ended) => {
    const level = OF_MACHINES.test(ended.route) && ended.status < 500 ? 'debug' : 'info';
    if (log.isLevelEnabled(level)) write(level, membersOf(ended));
  };
}

/**
 * As JSON, put together by hand: through the logger a line cost a tenth of a validation. Its values are numbers, ids of
 * a form that was checked, and words of closed lists: none has a character that JSON would escape.
 */
function membersOf({ request, route, method, status, seconds, streamedSeconds }: EndedRequest): string {
  const { principal, refusedWith, validated } = request;
  const error = refusedWith ?? refusedToken(validated?.result);
  const begin = `"event":"request","request_id":"${request.id}","method":"${method}","route":"${route}"`;
  const times = `"status":${status},"duration_ms":${toMs(seconds)}`;
  const streamed = streamedSeconds === undefined ? '' : `,"streamed_ms":${toMs(streamedSeconds)}`;
  const tenant = principal?.kind === 'tenant' ? `,"tenant_id":"${principal.tenantId}"` : '';
  return `${begin},${times}${streamed}${tenant}${error === undefined ? '' : `,"error":"${error}"`}`;
}

function toMs(seconds: number): number {
  return Math.round(seconds * 100_000) / 100;
}

function refusedToken(result: string | undefined): string | undefined {
  return result === 'valid' ? undefined : result;
}
