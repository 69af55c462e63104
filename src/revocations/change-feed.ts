/**
 * The change feed: an append-only, ordered log of everything that instances must hear of at once. It is kept as
 * long as the longest-lived access token, so that whoever reads it whole knows every revocation that still matters.
 * This file is the port; `feed-follower.ts` reads it, the stores keep it.
 */
import { hash } from 'node:crypto';
import type { TenantEvent } from '../tenants/tenant-changes.js';

/** A session or a single access token that is refused until `expiresAtMs`. Its id tells which user's it is. */
export interface Revocation {
  readonly kind: 'session_revoked' | 'token_revoked';
  readonly tenantId: string;
  readonly id: string;
  /** When the last token it speaks of has expired, margin for the instances' clocks included. */
  readonly expiresAtMs: number;
}

export type Change = Revocation | TenantEvent;

export function isRevocation(change: Change): change is Revocation {
  return change.kind === 'session_revoked' || change.kind === 'token_revoked';
}

export interface FeedEntry {
  /** null: an entry that cannot be understood. It is counted and passed over. */
  readonly change: Change | null;
  /** From announcement to being read here, ms. */
  readonly delayMs: number;
  /** The name of the position behind it; null for what another version has put between. */
  readonly positionId: string | null;
}

/** Where a reader stands. Opaque to everybody but the feed that gave it. */
export interface FeedPosition {
  /** Its name, for whoever wants to go on from there later: the same for every reader of one feed, see below. */
  readonly id: string;
}

/**
 * @param secret of the feed: without it nobody can tell from two names how much was announced between them
 * @param place what only this place in this feed has: after a failover, others may have its number
 */
export function positionId(secret: string, ...place: readonly (string | number)[]): string {
  return hash('sha256', [secret, ...place].join(' '), 'buffer').toString('base64url', 0, 16);
}

export type FeedRead =
  | { readonly entries: readonly FeedEntry[]; readonly position: FeedPosition }
  /** The feed is not the continuation of what was read before: entries are missing, or the feed went backwards. */
  | { readonly broken: 'gap' | 'went_backwards' | 'replaced' };

export abstract class ChangeFeed {
  /**
   * Appends changes in their order. Safe to repeat.
   * @throws AppError store_unavailable: they may or may not have been appended
   */
  abstract announce(changes: readonly Change[]): Promise<void>;
  /** Everything that the feed holds, page by page, and then where to go on. @throws AppError store_unavailable */
  abstract readWhole(take: (entries: readonly FeedEntry[]) => void): Promise<FeedPosition>;
  /** What came after `position`; waits for it, up to `waitMs`, with 0 not at all. @throws AppError store_unavailable */
  abstract readAfter(position: FeedPosition, waitMs: number): Promise<FeedRead>;
}
