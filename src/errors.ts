/**
 * The closed table of everything that can go wrong for a caller: code, HTTP status, what to do next.
 * Every error answer of the service is a row of it; docs/errors.md is checked against it in both directions.
 */

/** What a client should do next; the same word means the same thing in every answer. */
export type ErrorAction = 'retry' | 'refresh' | 'reauthenticate' | 'fix_request' | 'contact_operator';

interface ErrorRow {
  readonly status: number;
  readonly action: ErrorAction;
  readonly description: string;
}

export const ERRORS = {
  invalid_request: { status: 400, action: 'fix_request', description: 'The request is malformed.' },
  unsupported_grant_type: {
    status: 400,
    action: 'fix_request',
    description: 'The only grant_type here is refresh_token.',
  },
  unauthorized: {
    status: 401,
    action: 'fix_request',
    description: 'Send a valid API key in the X-API-Key header.',
  },
  insufficient_scope: {
    status: 403,
    action: 'contact_operator',
    description: 'This API key may not do that.',
  },
  tenant_suspended: {
    status: 403,
    action: 'contact_operator',
    description: 'This tenant is suspended: nothing is issued or accepted for it until it is active again.',
  },
  not_found: { status: 404, action: 'fix_request', description: 'There is nothing at this address.' },
  tenant_not_found: {
    status: 404,
    action: 'fix_request',
    description: 'There is no such tenant, or this API key belongs to another one.',
  },
  session_not_found: {
    status: 404,
    action: 'fix_request',
    description: 'There is no such session: it never existed, has expired or was ended.',
  },
  tenant_exists: { status: 409, action: 'fix_request', description: 'This tenant id is taken.' },
  invalid_token: {
    status: 401,
    action: 'reauthenticate',
    description: 'This is not a token that this tenant was issued.',
  },
  invalid_signature: {
    status: 401,
    action: 'reauthenticate',
    description: "The token's signature is not by a current key of this tenant.",
  },
  token_expired: { status: 401, action: 'refresh', description: 'The token has expired.' },
  token_revoked: { status: 401, action: 'reauthenticate', description: 'The token has been revoked.' },
  refresh_token_not_found: {
    status: 401,
    action: 'reauthenticate',
    description: "The refresh token's session has ended.",
  },
  refresh_token_reused: {
    status: 401,
    action: 'reauthenticate',
    description: 'The refresh token was already replaced; the session has been ended for safety.',
  },
  payload_too_large: { status: 413, action: 'fix_request', description: 'The request body is too large.' },
  unsupported_media_type: {
    status: 415,
    action: 'fix_request',
    description: 'Send the body as application/json.',
  },
  rate_limited: {
    status: 429,
    action: 'retry',
    description: 'Too many requests: wait as long as Retry-After says.',
  },
  internal_error: {
    status: 500,
    action: 'contact_operator',
    description: 'The service failed; the request id leads to the cause in its log.',
  },
  store_unavailable: {
    status: 503,
    action: 'retry',
    description: 'The session store does not answer; try again.',
  },
} as const satisfies Record<string, ErrorRow>;

export type ErrorCode = keyof typeof ERRORS;

/** The codes a presented token can be refused with. */
export type TokenErrorCode =
  | 'invalid_token'
  | 'invalid_signature'
  | 'token_expired'
  | 'token_revoked'
  | 'refresh_token_not_found'
  | 'refresh_token_reused';

/** What callers see of an error, before the request id is added. */
export interface ErrorAnswer {
  readonly error: ErrorCode;
  readonly error_description: string;
  readonly action: ErrorAction;
}

interface ErrorDetails {
  /** Public text in place of the row's own; never a secret, a token or a value that the caller sent. */
  readonly description?: string;
  readonly action?: ErrorAction;
  /** Seconds to wait, in place of the row's own. */
  readonly retryAfterSeconds?: number;
  /** Private: goes to the log, never to the caller. */
  readonly cause?: unknown;
}

/** An error of the table, thrown by any layer and rendered once, by the error filter. */
export class AppError extends Error {
  readonly status: number;
  readonly answer: ErrorAnswer;
  /** Seconds that a client should wait before it tries again. */
  readonly retryAfterSeconds: number | undefined;

  constructor(
    readonly code: ErrorCode,
    { description, action, retryAfterSeconds, cause }: ErrorDetails = {},
  ) {
    const row = ERRORS[code];
    super(description ?? row.description, { cause });
    this.name = 'AppError';
    this.status = row.status;
    this.answer = { error: code, error_description: this.message, action: action ?? row.action };
    this.retryAfterSeconds = retryAfterSeconds ?? RETRY_AFTER_SECONDS[code];
  }
}

/** Why the service refuses to boot, in a sentence for the operator: printed as it is, without a stack. */
export class BootError extends Error {
  override readonly name = 'BootError';
}

/** For errors whose thrower knows no better. */
const RETRY_AFTER_SECONDS: Partial<Record<ErrorCode, number>> = {
  store_unavailable: 1,
  rate_limited: 60,
};
