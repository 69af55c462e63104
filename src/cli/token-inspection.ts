/**
 * Explains a token without asking the service: what it says, and which of the service's rules it breaks. The rules
 * are those of the service's own parser; this only finds words for them.
 */
import { createPublicKey, verify, type JsonWebKey } from 'node:crypto';
import { parseStrictJson } from '../http/strict-json.js';
import { brokenClaims } from '../tokens/claims.js';
import { MAX_TOKEN_LENGTH, parseCompactJwt } from '../tokens/compact-jwt.js';
import type { Json } from './service.js';
import { durationOf, printable, timeOf } from './terminal.js';

/** How far ahead the clock of the instance that issued a token may be, as the service has it. */
const CLOCK_SKEW_SECONDS = 5;

export type SignatureState = 'valid' | 'invalid' | 'no_such_key' | 'not_checked' | 'private';

export interface Inspection {
  readonly kind: 'access' | 'refresh' | 'unknown';
  readonly header: Json | null;
  readonly payload: Json | null;
  readonly signature: SignatureState;
  /** Sentences; none: by what can be seen here, the token is good. */
  readonly problems: readonly string[];
}

export interface Jwk extends JsonWebKey {
  readonly kid?: string;
}

export interface KeySet {
  readonly keys: readonly Jwk[];
  /** Whose they are, where that is known. */
  readonly tenantId?: string;
}

/** @param keySet null: the signature is not checked */
export function inspect(token: string, keySet: KeySet | null, nowMs: number): Inspection {
  const segments = token.split('.');
  const header = objectOf(segments[0]);
  const payload = objectOf(segments[1]);
  const kind = kindOf(header);
  const problems = shapeProblems(token, segments);
  if (problems.length === 0 && !parseCompactJwt(token)) problems.push('The strict parser refuses its form.');
  if (header && kind === 'unknown') {
    problems.push('Its typ and alg are neither at+jwt with RS256 (access) nor rt+jwt with HS256 (refresh).');
  }
  if (payload && kind !== 'unknown') problems.push(...claimProblems(payload, kind, nowMs));
  const signature = signatureState(segments, header, kind, keySet?.keys ?? null);
  if (payload && keySet?.tenantId !== undefined && payload['tenant_id'] !== keySet.tenantId) {
    problems.push('Its tenant_id is not the tenant whose keys these are.');
  }
  if (signature === 'invalid') problems.push('Its signature is not by the key that its kid names.');
  if (signature === 'no_such_key') {
    problems.push(
      'The key set has no key with its kid: the key was killed, has served its time, or is of another tenant.',
    );
  }
  return { kind, header, payload, signature, problems };
}

function kindOf(header: Json | null): Inspection['kind'] {
  if (header?.['typ'] === 'at+jwt' && header['alg'] === 'RS256') return 'access';
  return header?.['typ'] === 'rt+jwt' && header['alg'] === 'HS256' ? 'refresh' : 'unknown';
}

function shapeProblems(token: string, segments: readonly string[]): string[] {
  if (token.length > MAX_TOKEN_LENGTH) return [`It is longer than ${MAX_TOKEN_LENGTH} characters.`];
  if (segments.length !== 3) return [`It has ${segments.length} parts between dots; a signed JWT has three.`];
  const problems: string[] = [];
  for (const [at, name] of ['header', 'payload', 'signature'].entries()) {
    const text = segments[at] ?? '';
    const bytes = Buffer.from(text, 'base64url');
    if (text === '') problems.push(`Its ${name} is empty.`);
    else if (bytes.toString('base64url') !== text) {
      problems.push(`Its ${name} is not canonical base64url: one token must have one spelling.`);
    } else if (at < 2) problems.push(...jsonProblems(bytes, name));
  }
  const header = objectOf(segments[0]);
  const members = Object.keys(header ?? {});
  if (header && (members.length !== 3 || !['alg', 'typ', 'kid'].every((name) => members.includes(name)))) {
    problems.push('Its header must have exactly the members alg, typ and kid.');
  } else if (header && !isKid(header['kid'])) {
    problems.push('Its kid must be 1 to 64 letters, digits, hyphens and underscores.');
  }
  return problems;
}

function isKid(value: unknown): boolean {
  return typeof value === 'string' && /^[A-Za-z0-9_-]{1,64}$/.test(value);
}

function jsonProblems(bytes: Buffer, name: string): string[] {
  try {
    const value = parseStrictJson(bytes);
    const isObject = typeof value === 'object' && value !== null && !Array.isArray(value);
    return isObject ? [] : [`Its ${name} is not a JSON object.`];
  } catch (error) {
    return [`Its ${name}, read as the body of a request: ${(error as Error).message}`];
  }
}

function claimProblems(payload: Json, kind: 'access' | 'refresh', nowMs: number): string[] {
  const problems = brokenClaims(payload, kind).map(
    (name) => `The claim ${name} is missing or not of its shape.`,
  );
  const { iss, tenant_id: tenantId, exp, nbf, iat } = payload;
  if (typeof iss === 'string' && !iss.endsWith(`/tenants/${printable(tenantId)}`)) {
    problems.push('Its issuer does not end in /tenants/<tenant_id>.');
  }
  const now = nowMs / 1000;
  if (typeof exp === 'number' && now >= exp) problems.push(`It expired ${durationOf(now - exp)} ago.`);
  const starts = Math.max(...[nbf, iat].filter((time) => typeof time === 'number'), 0);
  if (starts > now + CLOCK_SKEW_SECONDS) {
    problems.push(
      `It is not valid before ${timeOf(starts)}, in ${durationOf(starts - now)}: compare the clocks.`,
    );
  }
  return problems;
}

function signatureState(
  [header = '', payload = '', signature = '']: readonly string[],
  parsed: Json | null,
  kind: Inspection['kind'],
  keys: readonly Jwk[] | null,
): SignatureState {
  if (kind === 'refresh') return 'private';
  if (keys === null) return 'not_checked';
  const jwk = keys.find(({ kid }) => kid !== undefined && kid === parsed?.['kid']);
  if (!jwk) return 'no_such_key';
  try {
    const key = createPublicKey({ key: jwk, format: 'jwk' });
    const bytes = Buffer.from(signature, 'base64url');
    const isRsa = key.asymmetricKeyType === 'rsa' && kind === 'access';
    return isRsa && verify('RSA-SHA256', Buffer.from(`${header}.${payload}`), key, bytes)
      ? 'valid'
      : 'invalid';
  } catch {
    return 'invalid';
  }
}

/** To be shown, also when it would be refused. */
function objectOf(segment: string | undefined): Json | null {
  try {
    const value: unknown = JSON.parse(Buffer.from(segment ?? '', 'base64url').toString('utf8'));
    return typeof value === 'object' && value !== null && !Array.isArray(value) ? (value as Json) : null;
  } catch {
    return null;
  }
}

const KINDS: Readonly<Record<Inspection['kind'], string>> = {
  access: 'An access token.',
  refresh: 'A refresh token: only the service reads it.',
  unknown: 'Not a token of this service.',
};

const SIGNATURES: Readonly<Record<SignatureState, string>> = {
  valid: 'Its signature is good.',
  invalid: 'Its signature is NOT good.',
  no_such_key: 'Its signature could not be checked: the key is not there.',
  not_checked: 'Its signature was not checked: name the key set with --jwks.',
  private: 'Its signature can be checked by the service alone.',
};

/** For people. That it was not revoked cannot be seen from a token. */
export function describeInspection(
  { kind, header, payload, signature, problems }: Inspection,
  nowMs: number,
): string {
  const lines = [KINDS[kind]];
  for (const [name, part] of [
    ['header', header],
    ['payload', payload],
  ] as const) {
    lines.push(
      '',
      `${name}:`,
      ...Object.entries(part ?? {}).map(([claim, value]) => claimLine(claim, value, nowMs)),
    );
  }
  lines.push(
    '',
    SIGNATURES[signature],
    'Whether it was revoked cannot be seen from it: ask the service.',
    '',
  );
  if (problems.length === 0) lines.push('No rule that can be checked here is broken.');
  else lines.push('The service would refuse it:', ...problems.map((problem) => `- ${printable(problem)}`));
  return `${lines.join('\n')}\n`;
}

function claimLine(name: string, value: unknown, nowMs: number): string {
  const line = `  ${printable(name).padEnd(10)}  ${printable(value)}`;
  if (!['exp', 'iat', 'nbf'].includes(name) || typeof value !== 'number') return line;
  const ahead = value - nowMs / 1000;
  const words = ahead > 0 ? `in ${durationOf(ahead)}` : `${durationOf(ahead)} ago`;
  return `${line}  ${timeOf(value)}, ${words}`;
}
