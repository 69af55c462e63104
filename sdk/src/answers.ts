/** What the service answers, from its snake_case into this package's camelCase; times become dates. */
import type { Metadata } from './claims.js';
import { SessionServiceError } from './errors.js';

/** Both tokens of a session. Create and refresh answer alike. */
export interface IssuedTokens {
  readonly sessionId: string;
  readonly accessToken: string;
  /** For the service only; replaced by each refresh. */
  readonly refreshToken: string;
  /** Seconds that the access token lives. */
  readonly expiresInSeconds: number;
  /** Seconds until the session ends unless it is refreshed. */
  readonly refreshExpiresInSeconds: number;
}

export interface SessionRecord {
  readonly sessionId: string;
  readonly tenantId: string;
  readonly userId: string;
  readonly scope: string;
  readonly metadata: Metadata;
  readonly createdAt: Date;
  /** Of the last refresh. */
  readonly lastUsedAt: Date;
  /** When it ends unless it is refreshed. */
  readonly expiresAt: Date;
  /** When it ends in any case. */
  readonly absoluteExpiresAt: Date;
}

export interface BatchResult {
  /** Where in `tokens` this one stands. */
  readonly tokenIndex?: number;
  readonly sessionId?: string;
  /** `not_found`: there was no session left to end. `refused`: the token is not good. */
  readonly status: 'revoked' | 'not_found' | 'refused';
  readonly error?: string;
}

export interface BatchResults {
  readonly revokedCount: number;
  /** One for each token, then one for each session id, in the order they were sent. */
  readonly results: readonly BatchResult[];
}

export interface HistoryEvent {
  readonly time: Date;
  readonly what: string;
  /** In words. */
  readonly text: string;
  readonly actor?: Readonly<Record<string, unknown>>;
  readonly requestId?: string;
  /** Place in the audit. */
  readonly seq?: number;
}

export interface SessionHistory {
  readonly sessionId: string;
  readonly userId: string | null;
  readonly state: string;
  /** The whole story in a few sentences. */
  readonly summary: string;
  /** Oldest first. */
  readonly events: readonly HistoryEvent[];
}

export interface JwkSet {
  readonly keys: readonly Readonly<Record<string, unknown>>[];
}

type Wire = Readonly<Record<string, unknown>>;

/** @throws SessionServiceError unexpected_answer for what the service would not say */
export function issuedTokens(body: unknown): IssuedTokens {
  const wire = object(body);
  return {
    sessionId: text(wire, 'session_id'),
    accessToken: text(wire, 'access_token'),
    refreshToken: text(wire, 'refresh_token'),
    expiresInSeconds: number(wire, 'expires_in'),
    refreshExpiresInSeconds: number(wire, 'refresh_expires_in'),
  };
}

export function sessionRecord(body: unknown): SessionRecord {
  const wire = object(body);
  return {
    sessionId: text(wire, 'session_id'),
    tenantId: text(wire, 'tenant_id'),
    userId: text(wire, 'user_id'),
    scope: text(wire, 'scope'),
    metadata: object(wire['metadata']) as Metadata,
    createdAt: date(wire, 'created_at'),
    lastUsedAt: date(wire, 'last_used_at'),
    expiresAt: date(wire, 'expires_at'),
    absoluteExpiresAt: date(wire, 'absolute_expires_at'),
  };
}

export function sessionList(body: unknown): SessionRecord[] {
  return list(object(body), 'sessions').map(sessionRecord);
}

export function batchResults(body: unknown): BatchResults {
  const wire = object(body);
  return {
    revokedCount: number(wire, 'revoked_count'),
    results: list(wire, 'results').map((entry) => {
      const { token_index: tokenIndex, session_id: sessionId, status, error } = object(entry);
      return {
        ...(typeof tokenIndex === 'number' ? { tokenIndex } : {}),
        ...(typeof sessionId === 'string' ? { sessionId } : {}),
        status: status as BatchResult['status'],
        ...(typeof error === 'string' ? { error } : {}),
      };
    }),
  };
}

export function sessionHistory(body: unknown): SessionHistory {
  const wire = object(body);
  const userId = wire['user_id'];
  return {
    sessionId: text(wire, 'session_id'),
    userId: typeof userId === 'string' ? userId : null,
    state: text(wire, 'state'),
    summary: text(wire, 'summary'),
    events: list(wire, 'events').map((entry) => {
      const event = object(entry);
      const { actor, request_id: requestId, seq } = event;
      return {
        time: new Date(text(event, 'time')),
        what: text(event, 'what'),
        text: text(event, 'text'),
        ...(actor === undefined ? {} : { actor: object(actor) }),
        ...(typeof requestId === 'string' ? { requestId } : {}),
        ...(typeof seq === 'number' ? { seq } : {}),
      };
    }),
  };
}

export function jwkSet(body: unknown): JwkSet {
  return { keys: list(object(body), 'keys').map(object) };
}

export function countOf(body: unknown, name: 'revoked_count' | 'epoch'): number {
  return number(object(body), name);
}

export function object(value: unknown): Wire {
  return typeof value === 'object' && value !== null && !Array.isArray(value)
    ? (value as Wire)
    : unexpected('an object');
}

function text(wire: Wire, name: string): string {
  const value = wire[name];
  return typeof value === 'string' ? value : unexpected(name);
}

function number(wire: Wire, name: string): number {
  const value = wire[name];
  return typeof value === 'number' ? value : unexpected(name);
}

function list(wire: Wire, name: string): unknown[] {
  const value = wire[name];
  return Array.isArray(value) ? value : unexpected(name);
}

function date(wire: Wire, name: string): Date {
  return new Date(number(wire, name) * 1000);
}

function unexpected(missing: string): never {
  throw new SessionServiceError('unexpected_answer', `The answer lacks ${missing}: is this the service?`, {
    action: 'fix_request',
  });
}
