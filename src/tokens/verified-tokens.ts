/**
 * Access tokens whose signature was found good before, so that it is not computed again for each request. It says
 * nothing else of a token: whether the tenant, the key, the times and the epoch still let it pass is asked at each
 * hit, as at the first time.
 */
import { hash, type KeyObject } from 'node:crypto';
import { LRUCache } from 'lru-cache';
import type { AccessClaims } from './claims.js';

export interface VerifiedToken {
  readonly claims: AccessClaims;
  readonly kid: string;
  /** The very key that proved it: another one of that kid proves nothing. */
  readonly key: KeyObject;
}

/** What an entry takes beside its claims: digest, objects, the cache's own books, the claims as text once more. */
const ENTRY_BYTES = 1000;

export class VerifiedTokens {
  private readonly entries: LRUCache<string, VerifiedToken> | null;

  /** @param maxBytes bounds its memory, about; 0 keeps nothing */
  constructor(maxBytes: number) {
    this.entries = maxBytes > 0 ? new LRUCache({ maxSize: maxBytes }) : null;
  }

  /** @returns the key under which a token of exactly these characters is kept */
  static digest(token: string): string {
    return hash('sha256', token, 'base64');
  }

  get(digest: string): VerifiedToken | undefined {
    return this.entries?.get(digest);
  }

  /** @param tokenLength in characters: the claims take about as much again */
  keep(digest: string, tokenLength: number, verified: VerifiedToken): void {
    this.entries?.set(digest, verified, { size: ENTRY_BYTES + 2 * tokenLength });
  }
}
