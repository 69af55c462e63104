/**
 * Tokens whose signature was found good before, so that it is not computed again for each request. It says nothing
 * else of a token: key, times and revocation are asked at each hit, as at the first time.
 */
import { createHash } from 'node:crypto';
import type { Session } from './session.js';
import type { VerificationKey } from './key-set.js';

export interface VerifiedToken {
  readonly session: Session;
  /** The very key that proved it: another one of that kid proves nothing. */
  readonly key: VerificationKey;
}

interface Entry extends VerifiedToken {
  readonly bytes: number;
}

/** What an entry takes beside its claims: digest, objects, the map's own books. */
const ENTRY_BYTES = 800;

export class VerifiedTokens {
  /** Oldest use first. */
  private readonly entries = new Map<string, Entry>();
  private bytes = 0;

  /** @param maxBytes bounds its memory, about; 0 keeps nothing */
  constructor(private readonly maxBytes: number) {}

  /** @returns the key under which a token of exactly these characters is kept */
  static digest(token: string): string {
    return createHash('sha256').update(token).digest('base64');
  }

  get size(): number {
    return this.entries.size;
  }

  get(digest: string): VerifiedToken | undefined {
    const entry = this.entries.get(digest);
    if (entry) {
      this.entries.delete(digest);
      this.entries.set(digest, entry);
    }
    return entry;
  }

  /** @param tokenLength in characters: the claims take about as much again */
  keep(digest: string, tokenLength: number, verified: VerifiedToken): void {
    this.drop(digest);
    const bytes = ENTRY_BYTES + 2 * tokenLength;
    this.entries.set(digest, { ...verified, bytes });
    this.bytes += bytes;
    for (const oldest of this.entries.keys()) {
      if (this.bytes <= this.maxBytes) break;
      this.drop(oldest);
    }
  }

  drop(digest: string): void {
    const entry = this.entries.get(digest);
    if (!entry) return;
    this.entries.delete(digest);
    this.bytes -= entry.bytes;
  }
}
