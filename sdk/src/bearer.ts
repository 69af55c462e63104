/** Bearer tokens in requests, and what to answer when there is none or it is not good (RFC 6750). No framework. */
import { isRefusal, refusal, SessionServiceError, undecidable } from './errors.js';
import type { Session } from './session.js';

/** What middleware needs of a verifier: SessionVerifier has it, and so has anything else with this method. */
export interface TokenVerifier {
  verify(token: string): Promise<Session>;
}

export interface RequirementOptions {
  /** Words that the session's scope must all have. */
  readonly scope?: string | readonly string[] | undefined;
  /** Stands in the challenge. */
  readonly realm?: string | undefined;
}

/** Why a request goes no further: its status, its headers, and a body in the service's form. */
export class RequestRefused extends SessionServiceError {
  /** With `status` and `expose`, what frameworks know an error of HTTP by. */
  readonly statusCode: number;
  /** Its message is for the caller. */
  readonly expose = true;
  readonly headers: Readonly<Record<string, string>>;
  readonly body: {
    readonly error: string;
    readonly error_description: string;
    readonly action: string;
  };

  constructor(
    cause: SessionServiceError,
    { status, headers }: { status: number; headers: Readonly<Record<string, string>> },
  ) {
    const { code, message, action, requestId, retryAfterSeconds } = cause;
    super(code, message, { action, status, requestId, retryAfterSeconds, cause });
    this.statusCode = status;
    this.headers = { ...headers, 'cache-control': 'no-store' };
    this.body = { error: code, error_description: message, action };
  }
}

/**
 * @param authorization the request's header
 * @throws RequestRefused: 401 for a token that is missing or not good, 403 for a scope that it lacks, 503 when nothing
 *   can be said about it now. Never a 401 for an outage.
 */
export async function authenticate(
  verifier: TokenVerifier,
  authorization: string | undefined,
  { scope, realm }: RequirementOptions = {},
): Promise<Session> {
  try {
    const session = await verifier.verify(bearerOf(authorization));
    const missing = wordsOf(scope).filter((word) => !session.scopes.includes(word));
    if (missing.length > 0) throw lacksScope(wordsOf(scope), realm);
    return session;
  } catch (error) {
    throw refusedRequest(error, realm);
  }
}

function bearerOf(authorization: string | undefined): string {
  if (authorization === undefined) throw refusal('missing_token');
  const [, token] = /^Bearer +([A-Za-z0-9._~+/-]+=*)$/i.exec(authorization) ?? [];
  if (token !== undefined) return token;
  throw refusal(/^Bearer\b/i.test(authorization) ? 'invalid_token' : 'missing_token');
}

function refusedRequest(error: unknown, realm: string | undefined): RequestRefused {
  if (error instanceof RequestRefused) return error;
  if (isRefusal(error)) {
    // Without a token there is nothing to say about it (RFC 6750 section 3.1).
    const isMissing = error.code === 'missing_token';
    const about = isMissing ? undefined : { error: 'invalid_token', error_description: error.message };
    return new RequestRefused(error, {
      status: 401,
      headers: { 'www-authenticate': challenge(realm, about) },
    });
  }
  const outage =
    error instanceof SessionServiceError && error.action === 'retry'
      ? error
      : undecidable('Whether the session is good cannot be known now.', error);
  const seconds = String(outage.retryAfterSeconds ?? 1);
  return new RequestRefused(outage, { status: 503, headers: { 'retry-after': seconds } });
}

function lacksScope(words: readonly string[], realm: string | undefined): RequestRefused {
  const error = new SessionServiceError('insufficient_scope', 'The session may not do that.', {
    action: 'contact_operator',
    status: 403,
  });
  const more = { error: 'insufficient_scope', error_description: error.message, scope: words.join(' ') };
  return new RequestRefused(error, { status: 403, headers: { 'www-authenticate': challenge(realm, more) } });
}

function challenge(realm: string | undefined, more: Readonly<Record<string, string>> = {}): string {
  const members = Object.entries({ ...(realm === undefined ? {} : { realm }), ...more });
  const text = members.map(([name, value]) => `${name}="${value.replace(/[^\x20-\x7e]|["\\]/g, ' ')}"`);
  return ['Bearer', text.join(', ')].filter(Boolean).join(' ');
}

function wordsOf(scope: string | readonly string[] | undefined): readonly string[] {
  if (scope === undefined) return [];
  return typeof scope === 'string' ? scope.split(' ').filter(Boolean) : scope;
}
