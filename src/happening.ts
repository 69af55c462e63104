/**
 * What can happen to tenants, keys and sessions: a closed list. Each is told once, in the one place where it is
 * done, by who did it; metrics count what was told, and the audit keeps it. Nothing in here is secret.
 */
import type { ErrorCode } from './errors.js';
import type { RevocationReason } from './revocation-reason.js';

/** Which refresh token came back: the one that was replaced last, after its grace window, or one before that. */
export type ReuseCause = 'replaced_token' | 'older_token';

/** A setting that changed; null is the service's default. */
export interface SettingChange {
  readonly setting: string;
  readonly from: string | number | null;
  readonly to: string | number | null;
}

interface OfSession {
  readonly tenantId: string;
  readonly sessionId: string;
  /** null where only the session's id is known: its record is gone. */
  readonly userId: string | null;
}

interface OfTenant {
  readonly tenantId: string;
}

interface OfIncident extends OfTenant {
  readonly incidentId: string;
  readonly reason: RevocationReason;
}

interface OfSigningKey extends OfTenant {
  readonly kid: string;
}

interface OfApiKey extends OfTenant {
  readonly keyId: string;
}

export type Happening =
  | (OfSession & {
      readonly kind: 'session_created';
      readonly userId: string;
      /** When it ends unless it is refreshed. */
      readonly expiresAtMs: number;
    })
  | (OfSession & {
      readonly kind: 'session_refreshed';
      readonly userId: string;
      /** `repeated`: the answer to an earlier refresh was asked for again. */
      readonly outcome: 'rotated' | 'repeated';
      readonly expiresAtMs: number;
    })
  | (OfSession & {
      readonly kind: 'session_ended';
      readonly reason: RevocationReason;
      /** With the reason `refresh_token_reused`. */
      readonly cause?: ReuseCause;
      /** It had been ended before: that was cut short, or is wanted twice at once. Counted the first time. */
      readonly again: boolean;
      /** It was one of many that a query had found. */
      readonly incidentId?: string;
    })
  | (OfSession & {
      readonly kind: 'token_revoked';
      readonly tokenId: string;
      readonly reason: RevocationReason;
    })
  | (OfTenant & {
      readonly kind: 'tenant_created';
      readonly name: string;
      /** Its first API key. */
      readonly keyId: string;
    })
  | (OfTenant & { readonly kind: 'tenant_changed'; readonly changes: readonly SettingChange[] })
  | (OfTenant & { readonly kind: 'tenant_suspended' | 'tenant_activated' | 'tenant_deleted' })
  /** Every session of the tenant ended, by a new epoch. */
  | (OfTenant & {
      readonly kind: 'tenant_revoked';
      readonly reason: RevocationReason;
      readonly epoch: number;
    })
  /** From now on, every session of the tenant that matches is ended. */
  | (OfIncident & {
      readonly kind: 'incident_begun';
      readonly query: Readonly<Record<string, string | Readonly<Record<string, string>>>>;
    })
  /** All sessions have been looked at. `ended`: by this incident, and not counted by another before. */
  | (OfIncident & {
      readonly kind: 'incident_completed';
      readonly scanned: number;
      readonly matched: number;
      readonly ended: number;
    })
  | (OfApiKey & {
      readonly kind: 'api_key_issued';
      readonly name: string;
      readonly scopes: readonly string[];
      readonly expiresAtMs: number | null;
    })
  | (OfApiKey & { readonly kind: 'api_key_revoked' })
  | (OfSigningKey & { readonly kind: 'signing_key_published'; readonly activatesAtMs: number })
  /** What was published signs at once, earlier than it was to. */
  | (OfSigningKey & { readonly kind: 'signing_key_activated' | 'signing_key_killed' })
  /** The tenant's data key is now under another master key. */
  | (OfTenant & { readonly kind: 'keys_resealed'; readonly masterKeyId: string })
  /** A request was refused; told by the error filter alone. */
  | { readonly kind: 'refused'; readonly code: ErrorCode; readonly tenantId: string | null };

export type HappeningKind = Happening['kind'];
