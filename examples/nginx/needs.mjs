/** nginx asks about each request; it needs nothing else. */
export const needs = { scopes: ['sessions:validate'] };
