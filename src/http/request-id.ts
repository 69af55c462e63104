/** Every request has an id: the caller's `X-Request-Id` when it is well-formed, else a new one. */
import { randomUUID } from 'node:crypto';
import type { IncomingMessage } from 'node:http';

const WELL_FORMED = /^[A-Za-z0-9._-]{1,128}$/;
/** Sent in the wrong header, it would be in every log on the way. */
const AN_API_KEY = /^sk_/;

export function requestIdOf(request: Pick<IncomingMessage, 'headers'>): string {
  const given = request.headers['x-request-id'];
  return typeof given === 'string' && WELL_FORMED.test(given) && !AN_API_KEY.test(given)
    ? given
    : randomUUID();
}
