/** Every request has an id: the caller's `X-Request-Id` when it is well-formed, else a new one. */
import { randomInt, randomUUID } from 'node:crypto';
import type { IncomingMessage } from 'node:http';

const WELL_FORMED = /^[A-Za-z0-9._-]{1,128}$/;
/** Sent in the wrong header, it would be in every log on the way. */
const AN_API_KEY = /^sk_/;

export function requestIdOf(request: Pick<IncomingMessage, 'headers'>): string {
  const given = request.headers['x-request-id'];
  return typeof given === 'string' && WELL_FORMED.test(given) && !AN_API_KEY.test(given) ? given : nextId();
}

/** What this process begins its ids with: another UUID than any other process has, but for the last 48 bits. */
const ownPart = randomUUID().slice(0, 24);
let count = randomInt(2 ** 46);

/** In the form of a UUID. Nobody must be unable to guess it, and a random one each time costs as much as a hash. */
function nextId(): string {
  return ownPart + (++count).toString(16).padStart(12, '0');
}
