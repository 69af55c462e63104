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

/** What memory can say; of a token that is good by itself, where only the store knows the rest, what asks it. */
export type Judgement = Validation | (() => Promise<Validation>);
