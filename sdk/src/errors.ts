/**
 * The one error of this package. `code` and `action` are the service's words wherever the service has a word for it.
 */

/** What to do next; the same word means the same thing in every answer of the service. */
export type ErrorAction = 'retry' | 'refresh' | 'reauthenticate' | 'fix_request' | 'contact_operator';

/** Codes a presented token is refused with. Everything else says nothing about the token. */
export type TokenErrorCode =
  | 'missing_token'
  | 'invalid_token'
  | 'invalid_signature'
  | 'token_expired'
  | 'token_revoked'
  | 'refresh_token_not_found'
  | 'refresh_token_reused';

/** Codes of the service's table that are about the request or the service. */
export type ServiceErrorCode =
  | 'invalid_request'
  | 'unauthorized'
  | 'insufficient_scope'
  | 'tenant_suspended'
  | 'not_found'
  | 'tenant_not_found'
  | 'session_not_found'
  | 'payload_too_large'
  | 'unsupported_media_type'
  | 'rate_limited'
  | 'internal_error'
  | 'store_unavailable';

/** Codes that only this package gives. */
export type LocalErrorCode =
  /** No connection, or it broke. */
  | 'unreachable'
  /** No answer within the time-out. */
  | 'timed_out'
  /** Something that is not the service answered: a proxy, a wrong address. */
  | 'unexpected_answer'
  /** The keys or the revocations could not be known, so nothing can be said about the token. */
  | 'undecidable'
  /** The verifier was closed. */
  | 'closed';

export type SessionErrorCode = TokenErrorCode | ServiceErrorCode | LocalErrorCode;

interface ErrorDetails {
  readonly action: ErrorAction;
  readonly status?: number | undefined;
  readonly requestId?: string | undefined;
  readonly retryAfterSeconds?: number | undefined;
  /** What a developer may want to know; it never goes to a caller. */
  readonly cause?: unknown;
}

/** The same in every copy of this package: one program may load it as an ES module and as CommonJS. */
const BRAND = Symbol.for('session-service-sdk.error');

/** A refusal, an outage or a mistake: `action` says what to do, so that a program need not know every code. */
export class SessionServiceError extends Error {
  override readonly name = 'SessionServiceError';
  readonly [BRAND] = true;
  readonly action: ErrorAction;
  /** HTTP status of the service's answer, or the one that it would have had. */
  readonly status: number | undefined;
  /** Leads to the cause in the service's log. */
  readonly requestId: string | undefined;
  readonly retryAfterSeconds: number | undefined;

  constructor(
    /** Newer services may know more codes: compare with those that you know, and go by `action` otherwise. */
    readonly code: SessionErrorCode | (string & {}),
    message: string,
    { action, status, requestId, retryAfterSeconds, cause }: ErrorDetails,
  ) {
    super(message, cause === undefined ? {} : { cause });
    this.action = action;
    this.status = status;
    this.requestId = requestId;
    this.retryAfterSeconds = retryAfterSeconds;
  }

  static override [Symbol.hasInstance](this: unknown, value: unknown): boolean {
    if (this !== SessionServiceError)
      return Function.prototype[Symbol.hasInstance].call(this as () => void, value);
    return typeof value === 'object' && value !== null && BRAND in value;
  }
}

const REFUSALS: Record<TokenErrorCode, { action: ErrorAction; message: string }> = {
  missing_token: { action: 'reauthenticate', message: 'The request has no bearer token.' },
  invalid_token: {
    action: 'reauthenticate',
    message: 'This is not a token that this tenant was issued.',
  },
  invalid_signature: {
    action: 'reauthenticate',
    message: "The token's signature is not by a current key of this tenant.",
  },
  token_expired: { action: 'refresh', message: 'The token has expired.' },
  token_revoked: { action: 'reauthenticate', message: 'The token has been revoked.' },
  refresh_token_not_found: { action: 'reauthenticate', message: "The refresh token's session has ended." },
  refresh_token_reused: {
    action: 'reauthenticate',
    message: 'The refresh token was already replaced; the session has been ended for safety.',
  },
};

/** @param why for developers: goes into `cause`, never to a caller */
export function refusal(code: TokenErrorCode, why?: string): SessionServiceError {
  const { action, message } = REFUSALS[code];
  return new SessionServiceError(code, message, {
    action,
    status: 401,
    ...(why === undefined ? {} : { cause: new Error(why) }),
  });
}

/** Nothing can be said about the token now: a 503, never a 401, so that an outage logs nobody out. */
export function undecidable(message: string, cause?: unknown): SessionServiceError {
  return new SessionServiceError('undecidable', message, {
    action: 'retry',
    status: 503,
    retryAfterSeconds: 1,
    cause,
  });
}

/** The tenant is suspended or gone, or the API key is. What is no answer of the service says nothing. */
export function isDenial(error: unknown): error is SessionServiceError {
  return (
    error instanceof SessionServiceError &&
    error.action !== 'retry' &&
    error.code !== 'unexpected_answer' &&
    error.code !== 'internal_error'
  );
}

/** @returns what the service itself said that makes it no use to try again */
export function denialIn(error: unknown): SessionServiceError | undefined {
  return [...chainOf(error)].find(isDenial);
}

/** @returns what lies at the bottom of an error: what was said last, and the codes of the system below it */
export function reasonOf(error: unknown): string {
  let words = 'nothing has answered yet.';
  for (const at of chainOf(error)) {
    if (at instanceof SessionServiceError) words = at.message;
    else if (typeof at.code === 'string') words += ` (${at.code})`;
  }
  return words;
}

const LONGEST_CHAIN = 10;

/** An error and its causes; those of the runtime need not be of this realm's classes. */
function* chainOf(error: unknown): Generator<{ readonly code?: unknown; readonly cause?: unknown }> {
  let at = error as { readonly code?: unknown; readonly cause?: unknown } | null | undefined;
  for (let depth = 0; depth < LONGEST_CHAIN && typeof at === 'object' && at !== null; depth++) {
    yield at;
    at = at.cause as typeof at;
  }
}

/** Whether the error is about the token that was presented, and not about the caller, the network or the service. */
export function isRefusal(error: unknown): error is SessionServiceError {
  return error instanceof SessionServiceError && error.code in REFUSALS;
}
