/**
 * The table of errors in the words of OAuth 2 (RFC 6749 section 5.2, RFC 7009, RFC 7662), for the routes that speak it.
 * `error` is what a standard client knows; `code` is the row of the table, which says more.
 */
import { ERRORS, type AppError, type ErrorAction, type ErrorCode } from '../errors.js';

export const OAUTH_ERRORS = [
  'invalid_request',
  'invalid_client',
  'invalid_grant',
  'unauthorized_client',
  'unsupported_grant_type',
  'server_error',
  'temporarily_unavailable',
] as const;
export type OAuthError = (typeof OAUTH_ERRORS)[number];

interface OAuthRow {
  readonly error: OAuthError;
  /** In place of the table's. */
  readonly status?: number;
  readonly description?: string;
}

const BAD_GRANT: OAuthRow = { error: 'invalid_grant', status: 400 };
const BAD_REQUEST: OAuthRow = { error: 'invalid_request' };
const NOT_FOR_THIS_CLIENT: OAuthRow = { error: 'unauthorized_client', status: 400 };
/** No outage and no flood is told as an error of the grant: clients would throw their tokens away. */
const LATER: OAuthRow = { error: 'temporarily_unavailable' };

const ROWS: Readonly<Record<ErrorCode, OAuthRow>> = {
  invalid_request: BAD_REQUEST,
  unauthorized: {
    error: 'invalid_client',
    description:
      "Client authentication failed: client_id is an API key's id, client_secret the whole API key.",
  },
  insufficient_scope: NOT_FOR_THIS_CLIENT,
  tenant_suspended: NOT_FOR_THIS_CLIENT,
  unsupported_grant_type: { error: 'unsupported_grant_type' },
  not_found: BAD_REQUEST,
  tenant_not_found: BAD_REQUEST,
  session_not_found: BAD_REQUEST,
  tenant_exists: BAD_REQUEST,
  invalid_token: BAD_GRANT,
  invalid_signature: BAD_GRANT,
  token_expired: BAD_GRANT,
  token_revoked: BAD_GRANT,
  refresh_token_not_found: BAD_GRANT,
  refresh_token_reused: BAD_GRANT,
  payload_too_large: BAD_REQUEST,
  unsupported_media_type: {
    error: 'invalid_request',
    description: 'Send the body as application/x-www-form-urlencoded.',
  },
  rate_limited: LATER,
  store_unavailable: LATER,
  internal_error: { error: 'server_error' },
};

export interface OAuthErrorAnswer {
  readonly error: OAuthError;
  readonly error_description: string;
  /** Of the table in docs/errors.md. */
  readonly code: ErrorCode;
  readonly action: ErrorAction;
}

export function toOAuthError({ code, status, answer }: Pick<AppError, 'code' | 'status' | 'answer'>): {
  status: number;
  answer: OAuthErrorAnswer;
  headers: Record<string, string>;
} {
  const row = ROWS[code];
  const said = answer.error_description;
  const description = said === ERRORS[code].description ? (row.description ?? said) : said;
  return {
    status: row.status ?? status,
    answer: { error: row.error, error_description: description, code, action: answer.action },
    // RFC 6749 section 5.2: in the scheme that the client may have used.
    headers: row.error === 'invalid_client' ? { 'www-authenticate': 'Basic realm="oauth"' } : {},
  };
}
