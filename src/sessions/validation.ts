/** What a validation goes by, and what it finds. */
import type { TokenErrorCode } from '../errors.js';
import type { AccessClaims } from '../tokens/claims.js';

export const REVOCATION_CHECKS = ['replica', 'store', 'skip'] as const;
export type RevocationCheck = (typeof REVOCATION_CHECKS)[number];

export type Validation =
  | {
      readonly valid: true;
      readonly claims: AccessClaims;
      readonly revocation: RevocationAnswer;
    }
  | { readonly valid: false; readonly error: TokenErrorCode };

/** What a validation went by, and how old that was; null when nothing was asked. */
export interface RevocationAnswer {
  /** `stale`: neither the replica nor the store could tell, and the tenant's setting is to serve. */
  readonly checked: RevocationCheck | 'stale';
  readonly ageMs: number | null;
}

/** An answer from memory, or the function that asks the store where only that knows. */
export type Judgement = Validation | (() => Promise<Validation>);
