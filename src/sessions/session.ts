/**
 * The session: one login on one device. Its rules are pure functions of the record, the request and the time;
 * the port at the end is how sessions are kept.
 */
import type { ReuseCause } from '../happening.js';
import type { RevocationReason } from '../revocation-reason.js';
import type { Metadata } from '../tokens/claims.js';
import { isAhead } from './refresh-id.js';

export interface Session {
  readonly sessionId: string;
  readonly tenantId: string;
  readonly userId: string;
  readonly scope: string;
  readonly metadata: Metadata;
  /** The tenant's epoch in which the session began; it ends when that epoch does. */
  readonly epoch: number;
  readonly createdAtMs: number;
  readonly lastUsedAtMs: number;
  /** Moves with each refresh. */
  readonly idleExpiresAtMs: number;
  /** Never moves. */
  readonly absoluteExpiresAtMs: number;
  /** The latest expiry of any access token issued so far: how long a revocation must be remembered. */
  readonly accessExpiresAtMs: number;
  readonly rotation: RotationState;
}

/** Which refresh token is the current one, and what is needed to sign the very same bytes again. */
export interface RotationState {
  readonly currentId: string;
  readonly previousId: string | null;
  /** The refresh secret that signs the current token. */
  readonly kid: string;
  /** The `iat` of the current token. */
  readonly rotatedAtMs: number;
  /** Since when the grace window of the previous token runs. */
  readonly graceFromMs: number;
  /**
   * False from the rotation until an instance has had the store's answer to it. Meanwhile the client cannot have
   * the successor, so its retry with the previous token is not reuse, however late it comes.
   */
  readonly confirmed: boolean;
}

export interface SessionLifetimes {
  readonly accessTokenTtlSeconds: number;
  readonly refreshTokenTtlSeconds: number;
}

/** A refresh token was presented. */
export interface RotationRequest extends SessionLifetimes {
  readonly presentedId: string;
  /** The id that the next refresh token gets if the presented one is current. */
  readonly successorId: string;
  readonly kid: string;
  readonly graceSeconds: number;
  readonly nowMs: number;
}

export type RotationOutcome =
  /** The presented token was current; its successor now is. */
  | { readonly outcome: 'rotated'; readonly session: Session }
  /** The presented token is the previous one and may still be answered, with the same successor. */
  | { readonly outcome: 'repeated'; readonly session: Session }
  /** The presented token was replaced before; from now on the session counts as revoked, but is not removed. */
  | Reuse
  | { readonly outcome: 'revoked' | 'expired' | 'missing' };

interface Reuse {
  readonly outcome: 'reused';
  readonly cause: ReuseCause;
  /** It had been found before, and the session's ending was cut short, or is still under way. */
  readonly again: boolean;
}

/** What a rotation does to a live session; both stores decide by this table. */
export function rotate(
  session: Session,
  request: RotationRequest,
): Extract<RotationOutcome, { session: Session }> | Reuse | { outcome: 'expired' } {
  const { rotation } = session;
  const { nowMs, presentedId } = request;
  if (nowMs >= session.idleExpiresAtMs || nowMs >= session.absoluteExpiresAtMs) return { outcome: 'expired' };
  // Ahead of the record: the store has lost a rotation that was acknowledged.
  if (presentedId === rotation.currentId || isAhead(presentedId, rotation.currentId)) {
    // A session is remembered for as long as any access token of it lives, also when the settings got shorter.
    const idleExpiresAtMs = Math.max(
      idleExpiry(session.absoluteExpiresAtMs, request),
      session.accessExpiresAtMs,
    );
    const next: RotationState = {
      currentId: request.successorId,
      previousId: presentedId,
      kid: request.kid,
      rotatedAtMs: nowMs,
      graceFromMs: nowMs,
      confirmed: false,
    };
    return { outcome: 'rotated', session: used({ ...session, idleExpiresAtMs, rotation: next }, request) };
  }
  if (presentedId !== rotation.previousId) return reuse(session, presentedId, { again: false });
  if (!rotation.confirmed) {
    const restarted = { ...rotation, graceFromMs: nowMs };
    return { outcome: 'repeated', session: used({ ...session, rotation: restarted }, request) };
  }
  const withinGrace = nowMs - rotation.graceFromMs < request.graceSeconds * 1000;
  return withinGrace
    ? { outcome: 'repeated', session: used(session, request) }
    : reuse(session, presentedId, { again: false });
}

export function reuse(
  { rotation }: Pick<Session, 'rotation'>,
  presentedId: string,
  { again }: { again: boolean },
): Reuse {
  const cause = presentedId === rotation.previousId ? 'replaced_token' : 'older_token';
  return { outcome: 'reused', cause, again };
}

function used(session: Session, request: RotationRequest): Session {
  const accessExpiresAtMs = accessExpiry(session, request.accessTokenTtlSeconds, request.nowMs);
  return {
    ...session,
    lastUsedAtMs: Math.max(session.lastUsedAtMs, request.nowMs),
    accessExpiresAtMs: Math.max(session.accessExpiresAtMs, accessExpiresAtMs),
  };
}

/** An access token never outlives the session that it speaks of. */
export function accessExpiry(
  session: Pick<Session, 'idleExpiresAtMs' | 'absoluteExpiresAtMs'>,
  ttlSeconds: number,
  nowMs: number,
): number {
  return Math.min(nowMs + ttlSeconds * 1000, session.idleExpiresAtMs, session.absoluteExpiresAtMs);
}

export function idleExpiry(
  absoluteExpiresAtMs: number,
  { refreshTokenTtlSeconds, nowMs }: { refreshTokenTtlSeconds: number; nowMs: number },
): number {
  return Math.min(nowMs + refreshTokenTtlSeconds * 1000, absoluteExpiresAtMs);
}

/** A session that was just marked as revoked (or had been, and was never removed). */
export interface RevokedSession {
  readonly sessionId: string;
  readonly userId: string;
  /** Until when an access token of it could be alive. */
  readonly accessExpiresAtMs: number;
  /** In which the session began. */
  readonly epoch: number;
  /** It had been marked before. */
  readonly again: boolean;
}

/** A record as it is found by looking through all of them. */
export interface ScannedSession {
  readonly session: Session;
  /** It was revoked, and its record is not removed yet. */
  readonly isMarked: boolean;
}

export interface SessionPage {
  /** Fewer than asked for, or more, or none. */
  readonly sessions: readonly ScannedSession[];
  /** Where to go on; null at the end. */
  readonly next: string | null;
}

/** How long past a token's expiry its revocation is remembered: clocks differ. */
export const REVOCATION_MARGIN_MS = 60_000;

/**
 * Where sessions are kept. Every method is one atomic step, safe to repeat, and throws AppError
 * store_unavailable when the store does not answer: then it may or may not have happened.
 * Records whose time is over are never returned, whether or not they were collected yet.
 */
export abstract class SessionStore {
  /** @returns the user's sessions beyond the limit, oldest first: the caller ends them */
  abstract create(session: Session, maxSessionsPerUser: number): Promise<string[]>;
  abstract find(tenantId: string, sessionId: string, nowMs: number): Promise<Session | null>;
  /** Oldest first. */
  abstract listByUser(tenantId: string, userId: string, nowMs: number): Promise<Session[]>;
  /** Ids of the user's sessions, marked ones too; some may have expired. */
  abstract idsByUser(tenantId: string, userId: string): Promise<string[]>;
  abstract rotate(tenantId: string, sessionId: string, request: RotationRequest): Promise<RotationOutcome>;
  /** The answer to a rotation has arrived: the grace window of the previous token may close. */
  abstract confirmRotation(tenantId: string, sessionId: string, currentId: string): Promise<void>;
  /** Whether an access token of this session may be accepted. A missing session is never live. */
  abstract check(token: {
    tenantId: string;
    sessionId: string;
    tokenId: string;
    nowMs: number;
  }): Promise<'live' | 'revoked' | 'missing'>;
  /**
   * Blocks the session from this moment on. The record stays, marked, until `remove`, so that an ending which
   * was cut short can be completed by a retry.
   * @returns null when there is no such session
   */
  abstract revoke(
    tenantId: string,
    sessionId: string,
    reason: RevocationReason,
    nowMs: number,
  ): Promise<RevokedSession | null>;
  /** Blocks one access token until it has expired. */
  abstract revokeToken(
    token: { tenantId: string; tokenId: string; expiresAtMs: number },
    nowMs: number,
  ): Promise<void>;
  /**
   * How many sessions of the tenant's epoch are live. Nothing is searched: a number is kept beside them. An expired
   * one may be counted for a fortieth of its idle life longer; a shared store may be a few seconds behind, and be off
   * by what an instance that was killed had not told.
   */
  abstract countLive(tenantId: string, epoch: number, nowMs: number): Promise<number>;
  /**
   * Some of the tenant's sessions, in no order. Who follows `next` from null to null has seen every session that was
   * there all the while, some perhaps twice; the store looks at about `limit` records for each page.
   * @param page `cursor` is the `next` of the page before; what cannot be gone on with begins again
   */
  abstract scan(
    tenantId: string,
    page: { cursor: string | null; limit: number; nowMs: number },
  ): Promise<SessionPage>;
  /** Removes the record of a revoked session; what blocks its tokens stays. */
  abstract remove(tenantId: string, session: Pick<RevokedSession, 'sessionId' | 'userId'>): Promise<void>;
}
