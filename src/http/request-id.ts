/** Every request has an id: the caller's `X-Request-Id` when it is well-formed, else a new one. */
import { randomFillSync, randomUUID } from 'node:crypto';
import type { IncomingMessage } from 'node:http';

const WELL_FORMED = /^[A-Za-z0-9._-]{1,128}$/;
/** Sent in the wrong header, it would be in every log on the way. */
const AN_API_KEY = /^sk_/;

export function requestIdOf(request: Pick<IncomingMessage, 'headers'>): string {
  const given = request.headers['x-request-id'];
  return typeof given === 'string' && WELL_FORMED.test(given) && !AN_API_KEY.test(given) ? given : nextId();
}

/** What all ids of this process begin with; the last 48 bits are random each time, so that nobody can count them. */
const ownPart = randomUUID().slice(0, 24);
const RANDOM_BYTES = 6;
const random = Buffer.alloc(RANDOM_BYTES * 1000);
let used = random.length;

/** In the form of a UUID, at a fraction of the price of a new one. */
function nextId(): string {
  if (used === random.length) {
    randomFillSync(random);
    used = 0;
  }
  const at = used;
  used += RANDOM_BYTES;
  return ownPart + random.toString('hex', at, used);
}
