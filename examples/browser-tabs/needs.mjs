export const needs = {
  scopes: ['sessions:create', 'sessions:refresh', 'sessions:revoke', 'sessions:validate', 'revocations:read'],
  // Short, so that there is something to see.
  tenant: { access_token_ttl_seconds: 20 },
};
