export const needs = { scopes: ['revocations:read', 'sessions:validate'] };
