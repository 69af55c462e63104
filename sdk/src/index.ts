/** Validate, refresh and end sessions of the multi-tenant session service. */
export type { AccessClaims, Metadata, MetadataValue } from './claims.js';
export type {
  BatchResult,
  BatchResults,
  HistoryEvent,
  IssuedTokens,
  JwkSet,
  SessionHistory,
  SessionRecord,
} from './answers.js';
export { authenticate, RequestRefused, type RequirementOptions, type TokenVerifier } from './bearer.js';
export {
  SessionClient,
  type CallOptions,
  type NewSession,
  type RevocationOptions,
  type RevocationReason,
  type SessionClientOptions,
} from './client.js';
export {
  isRefusal,
  SessionServiceError,
  type ErrorAction,
  type LocalErrorCode,
  type ServiceErrorCode,
  type SessionErrorCode,
  type TokenErrorCode,
} from './errors.js';
export type { RevocationKnowledge, Session } from './session.js';
export {
  createSessionFetch,
  refreshAt,
  type RefreshAtOptions,
  type SessionFetchOptions,
} from './session-fetch.js';
export {
  memoryStore,
  SessionTokens,
  type HeldTokens,
  type NewTokens,
  type SessionTokensOptions,
  type TokenStore,
} from './session-tokens.js';
export { SessionVerifier } from './verifier.js';
export type { StateChange, VerifierOptions, VerifierState, WhenStale } from './verifier-options.js';
