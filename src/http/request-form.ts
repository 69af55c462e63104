/**
 * What a request needs so that it can be read in one way only, and Node lets pass: one Host, a version that has headers,
 * a query that is text, a body that is what it is said to be.
 */
import type { IncomingMessage } from 'node:http';
import { AppError } from '../errors.js';

/** @returns the refusal of a request that must not be read; null for a good one */
export function formProblem(request: IncomingMessage): AppError | null {
  // RFC 9112 section 3.2. This service goes by no Host, but a proxy in front may have gone by the other one.
  const hosts = countHosts(request.rawHeaders);
  if (hosts > 1 || (hosts === 0 && request.httpVersion !== '1.0')) {
    return new AppError('invalid_request', { description: 'The request must have one Host header.' });
  }
  if (!hasReadableQuery(request.url ?? '')) {
    return new AppError('invalid_request', { description: 'The query is not percent-encoded UTF-8.' });
  }
  return !hasBody(request.headers) || isPlain(request.headers)
    ? null
    : new AppError('unsupported_media_type');
}

/** Gateways pass on the headers of a request without its body. */
function hasBody({
  'content-length': length,
  'transfer-encoding': coding,
}: IncomingMessage['headers']): boolean {
  return coding !== undefined || (length !== undefined && length !== '0');
}

/** Bodies are read as UTF-8, as they come: who passed this one on may have read it in another way. */
function isPlain(headers: IncomingMessage['headers']): boolean {
  const { 'content-encoding': coding = 'identity', 'content-type': type } = headers;
  if (coding.toLowerCase() !== 'identity') return false;
  const charset = type === undefined ? undefined : /;\s*charset\s*=([^;]*)/i.exec(type)?.[1];
  return charset === undefined || /^\s*"?utf-8"?\s*$/i.test(charset);
}

/** Names and values take turns. */
function countHosts(rawHeaders: readonly string[]): number {
  let hosts = 0;
  for (let at = 0; at < rawHeaders.length; at += 2) {
    const name = rawHeaders[at];
    if (name?.length === 4 && name.toLowerCase() === 'host') hosts++;
  }
  return hosts;
}

/** Fastify's parser leaves what it cannot decode as it stands: `%ff` and `%25ff` would be one and the same user. */
function hasReadableQuery(url: string): boolean {
  const query = url.indexOf('?');
  if (query < 0 || !url.includes('%', query)) return true;
  try {
    decodeURIComponent(url.slice(query));
    return true;
  } catch {
    return false;
  }
}
