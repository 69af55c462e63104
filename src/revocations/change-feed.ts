/**
 * The change feed: an append-only, ordered log of everything that instances must hear of at once. It is kept as
 * long as the longest-lived access token, so that whoever reads it whole knows every revocation that still matters.
 * This file is the port; `feed-follower.ts` reads it, the stores keep it.
 */
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

export interface FeedEntry {
  /** null: an entry that cannot be understood. It is counted and passed over. */
  readonly change: Change | null;
  /** From announcement to being read here, ms. */
  readonly delayMs: number;
}

/** Where a reader stands. Opaque to everybody but the feed that gave it. */
export type FeedPosition = object;

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
  /** What came after `position`; waits for it, up to `waitMs`. @throws AppError store_unavailable */
  abstract readAfter(position: FeedPosition, waitMs: number): Promise<FeedRead>;
}
