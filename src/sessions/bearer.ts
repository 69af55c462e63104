/**
 * Access tokens as gateways see them: taken from a request's `Authorization`, answered in headers, refused with the
 * challenges of RFC 6750. It knows nothing of how a token is judged.
 */
import type { FastifyRequest } from 'fastify';
import type { AccessClaims } from '../tokens/claims.js';
import type { RevocationAnswer } from './validation.js';

const BEARER = /^bearer(?: +(.*))?$/i;

/** @returns null when no token was sent; '' for what can be no token */
export function bearerTokenOf({ headers, raw }: FastifyRequest): string | null {
  const { authorization } = headers;
  if (authorization === undefined) return null;
  // Node keeps the first of two, and what stands behind the gateway may read the other one.
  if (countOf('authorization', raw.rawHeaders) > 1) return '';
  const match = BEARER.exec(authorization);
  return match ? (match[1] ?? '') : null;
}

/** Names and values take turns. */
function countOf(name: string, rawHeaders: readonly string[]): number {
  let count = 0;
  for (let at = 0; at < rawHeaders.length; at += 2) {
    const candidate = rawHeaders[at];
    if (candidate?.length === name.length && candidate.toLowerCase() === name) count++;
  }
  return count;
}

/**
 * Who it is, for the application behind the gateway. All of them, always: one that is missing could leave in place
 * what the client sent under its name.
 */
export function identityHeaders(
  { sub, tenant_id: tenantId, sid, scope }: AccessClaims,
  { checked }: RevocationAnswer,
): Record<string, string> {
  return {
    'x-session-user': encodeURIComponent(sub.toWellFormed()),
    'x-session-tenant': tenantId,
    'x-session-id': sid,
    'x-session-scope': scope,
    'x-session-checked': checked,
  };
}

export function hasScope({ scope }: AccessClaims, wanted: string): boolean {
  const granted = new Set(scope.split(' '));
  return wanted.split(' ').every((word) => granted.has(word));
}

export interface Refusal {
  /** RFC 6750 section 3.1. */
  readonly error: 'invalid_token' | 'insufficient_scope';
  readonly description: string;
  /** What would have been enough. */
  readonly scope?: string | undefined;
}

/** RFC 6750 section 3; without a refusal for who sent no token at all. */
export function bearerChallenge(tenantId: string, refusal?: Refusal): string {
  const parameters = { realm: tenantId, ...(refusal ? parametersOf(refusal) : {}) };
  const quoted = Object.entries(parameters).map(([name, value]) => `${name}="${value}"`);
  return `Bearer ${quoted.join(', ')}`;
}

/** Gateways that drop the body can pass on from here which error it was. Of a refused API key there is neither. */
export function refusalHeaders(error: string, challenge: string): Record<string, string> {
  return { 'www-authenticate': challenge, 'x-session-error': error };
}

/** Descriptions are ours, and neither they nor scopes have a quote or a backslash in them. */
function parametersOf({ error, description, scope }: Refusal): Record<string, string> {
  return { error, error_description: description, ...(scope === undefined ? {} : { scope }) };
}
