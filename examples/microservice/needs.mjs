/** It reads revocations, and may ask about a token when it has not heard of them for too long. */
export const needs = { scopes: ['revocations:read', 'sessions:validate'] };
