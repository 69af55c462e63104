/** Why a session ended: a closed list, fit for a metric's label. Free text goes beside it, never into it. */
export const REVOCATION_REASONS = [
  'user_logout',
  'admin',
  'password_change',
  'security_incident',
  'refresh_token_reused',
  'session_limit',
  'tenant_revoked',
  'other',
] as const;

export type RevocationReason = (typeof REVOCATION_REASONS)[number];
