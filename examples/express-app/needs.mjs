/** What this application may do at the session service: nothing that it does not do. */
export const needs = {
  scopes: ['sessions:create', 'sessions:refresh', 'sessions:revoke', 'sessions:validate', 'revocations:read'],
};
