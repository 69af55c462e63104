/** Every call of the service that an application makes, typed. It holds nothing but its settings. */
import {
  batchResults,
  countOf,
  issuedTokens,
  jwkSet,
  object,
  sessionHistory,
  sessionList,
  sessionRecord,
  type BatchResults,
  type IssuedTokens,
  type JwkSet,
  type SessionHistory,
  type SessionRecord,
} from './answers.js';
import { firstWrongClaim, type AccessClaims, type Metadata } from './claims.js';
import { SessionServiceError } from './errors.js';
import { sessionOf, type Session } from './session.js';
import { Transport, type TransportOptions } from './transport.js';

export interface SessionClientOptions extends TransportOptions {
  /** A tenant's API key, with the scopes of the calls that are made. Undefined, as an unset variable is, is refused. */
  readonly apiKey: string | undefined;
  /** The tenant; read out of the API key when it is left out. */
  readonly tenantId?: string | undefined;
}

/** Why a session ends: a closed list. Free text goes into `comment`. */
export type RevocationReason =
  | 'user_logout'
  | 'admin'
  | 'password_change'
  | 'security_incident'
  | 'refresh_token_reused'
  | 'session_limit'
  | 'tenant_revoked'
  | 'other';

export interface CallOptions {
  /** Ends the call; it then throws the signal's reason. */
  readonly signal?: AbortSignal | undefined;
}

export interface RevocationOptions extends CallOptions {
  readonly reason: RevocationReason;
  /** Free text for the audit. */
  readonly comment?: string | undefined;
}

export interface NewSession {
  /** The tenant's own id of the user. */
  readonly userId: string;
  /** Words separated by single spaces; none by default. */
  readonly scope?: string | undefined;
  /** It travels in the access token: put no secret there. */
  readonly metadata?: Metadata | undefined;
}

/** Each call throws a SessionServiceError; calls that are safe to repeat are repeated, within the time-out. */
export class SessionClient {
  readonly tenantId: string;
  private readonly transport: Transport;

  constructor(options: SessionClientOptions) {
    if (!options.apiKey) throw new TypeError('Give apiKey: every call needs one.');
    this.tenantId = options.tenantId ?? tenantOf(options.apiKey);
    this.transport = new Transport(options);
  }

  /** Starts a session after a login. Never repeated by itself: the first one may have been made. */
  async create({ userId, scope = '', metadata }: NewSession, options?: CallOptions): Promise<IssuedTokens> {
    const body = { tenant_id: this.tenantId, user_id: userId, scope, ...(metadata ? { metadata } : {}) };
    return issuedTokens(await this.post('/sessions', body, options, { repeatable: false }));
  }

  /**
   * Asks the service whether an access token is good. To verify without a call for each request, see SessionVerifier.
   * @param options.check `replica`: the service's memory; `store`: the store's word; `skip`: no revocations
   * @throws SessionServiceError that says why it is not
   */
  async validate(
    accessToken: string,
    options: CallOptions & { readonly check?: 'replica' | 'store' | 'skip' } = {},
  ): Promise<Session> {
    const choice = options.check === undefined ? {} : { revocation_check: options.check };
    const body = { access_token: accessToken, ...choice };
    const answer = object(await this.post('/sessions/validate', body, options));
    const claims = object(answer['claims']);
    if (answer['valid'] !== true || firstWrongClaim(claims) !== null) {
      throw new SessionServiceError('unexpected_answer', 'The answer does not say that the token is valid.', {
        action: 'contact_operator',
      });
    }
    const { checked, age_ms: ageMs } = object(answer['revocation']);
    const knowledge = checked === 'skip' ? 'none' : checked === 'stale' ? 'stale' : 'service';
    return sessionOf(claims as unknown as AccessClaims, knowledge, typeof ageMs === 'number' ? ageMs : null);
  }

  /** Exchanges a refresh token for a new pair. Repeating it with the same token gives the same successor. */
  async refresh(refreshToken: string, options?: CallOptions): Promise<IssuedTokens> {
    return issuedTokens(await this.post('/sessions/refresh', { refresh_token: refreshToken }, options));
  }

  /** Ends the session of an access or refresh token, expired or not: a logout. */
  async revoke(token: string, options: RevocationOptions): Promise<void> {
    await this.post('/sessions/revoke', { token, ...why(options) }, options);
  }

  /** Ends one access token alone, and lets its session live. */
  async revokeToken(accessToken: string, options: RevocationOptions): Promise<void> {
    const body = { token: accessToken, only_this_token: true, ...why(options) };
    await this.post('/sessions/revoke', body, options);
  }

  /** Ends up to 1,000 sessions, by tokens or ids; each has its own result. */
  async revokeBatch(
    which: { readonly tokens?: readonly string[]; readonly sessionIds?: readonly string[] },
    options: RevocationOptions,
  ): Promise<BatchResults> {
    const { tokens, sessionIds } = which;
    const body = {
      ...(tokens ? { tokens } : {}),
      ...(sessionIds ? { session_ids: sessionIds } : {}),
      ...why(options),
    };
    return batchResults(await this.post('/sessions/revoke-batch', body, options));
  }

  /** Logs a user out everywhere. @returns how many sessions that were */
  async revokeAll(userId: string, options: RevocationOptions): Promise<number> {
    const body = { tenant_id: this.tenantId, user_id: userId, ...why(options) };
    return countOf(await this.post('/sessions/revoke-all', body, options), 'revoked_count');
  }

  /** Ends every session of the tenant and replaces its keys. Not repeated by itself. @returns the new epoch */
  async revokeTenant(options: RevocationOptions): Promise<number> {
    const path = `/tenants/${encodeURIComponent(this.tenantId)}/revoke-all`;
    return countOf(await this.post(path, why(options), options, { repeatable: false }), 'epoch');
  }

  /** A user's live sessions, oldest first. */
  async list(userId: string, options?: CallOptions): Promise<SessionRecord[]> {
    const query = new URLSearchParams({ tenant_id: this.tenantId, user_id: userId });
    return sessionList(await this.get(`/sessions?${query.toString()}`, options));
  }

  async read(sessionId: string, options?: CallOptions): Promise<SessionRecord> {
    return sessionRecord(await this.get(`/sessions/${encodeURIComponent(sessionId)}`, options));
  }

  /** The session's story in words, also when it is gone. */
  async history(sessionId: string, options?: CallOptions): Promise<SessionHistory> {
    return sessionHistory(await this.get(`/sessions/${encodeURIComponent(sessionId)}/history`, options));
  }

  /** Ends one session by its id. */
  async end(sessionId: string, options: RevocationOptions): Promise<void> {
    const { reason, comment } = options;
    const query = new URLSearchParams({ reason, ...(comment === undefined ? {} : { comment }) });
    const path = `/sessions/${encodeURIComponent(sessionId)}?${query.toString()}`;
    let attempts = 0;
    const onAttempt = (): void => void attempts++;
    try {
      await this.transport.call({
        method: 'DELETE',
        path,
        repeatable: true,
        onAttempt,
        signal: options.signal,
      });
    } catch (error) {
      // The answer of the first attempt was lost, and the second finds the session ended: that is what was wanted.
      const isEnded = error instanceof SessionServiceError && error.code === 'session_not_found';
      if (!isEnded || attempts < 2) throw error;
    }
  }

  /** The tenant's public keys (RFC 7517). */
  async jwks(options?: CallOptions): Promise<JwkSet> {
    return jwkSet(await this.get(`/tenants/${encodeURIComponent(this.tenantId)}/jwks`, options));
  }

  private async get(path: string, options: CallOptions = {}): Promise<unknown> {
    return this.transport.call({ method: 'GET', path, repeatable: true, signal: options.signal });
  }

  private async post(
    path: string,
    body: unknown,
    options: CallOptions = {},
    { repeatable } = { repeatable: true },
  ): Promise<unknown> {
    return this.transport.call({ method: 'POST', path, body, repeatable, signal: options.signal });
  }
}

function why({ reason, comment }: RevocationOptions): { reason: string; comment?: string } {
  return { reason, ...(comment === undefined ? {} : { comment }) };
}

/** An API key names its tenant: `sk_<tenant>_<key id>_<secret>`. */
export function tenantOf(apiKey: string): string {
  const [, tenantId] = /^sk_([a-z0-9][a-z0-9-]{0,62})_[0-9a-f]+_[0-9a-f]+$/.exec(apiKey) ?? [];
  if (tenantId === undefined) {
    throw new TypeError(
      'This is not the API key of a tenant (sk_<tenant>_...): check it, or give tenantId too.',
    );
  }
  return tenantId;
}
