/** From what happened, and how, to what the audit keeps of it. */
import type { ErrorCode } from '../errors.js';
import type { Happening } from '../happening.js';
import type { Actor, Circumstances } from '../http/happenings.js';
import type { AuditActor, AuditRecord, JsonValue } from './audit.js';

type Kept = Exclude<Happening, { kind: 'refused' }>;

export function recordOf(happening: Kept, circumstances: Circumstances): AuditRecord {
  const { kind: action, tenantId: tenant_id } = happening;
  const { requestId, sourceAddress, comment } = circumstances;
  const details = detailsOf(happening);
  return {
    tenant_id,
    time: timeText(circumstances.atMs),
    action,
    actor: actorOf(circumstances.actor),
    outcome: circumstances.outcome,
    ...(requestId === null ? {} : { request_id: requestId }),
    ...(sourceAddress === null ? {} : { source_address: sourceAddress }),
    ...('userId' in happening && happening.userId !== null ? { user_id: happening.userId } : {}),
    ...('sessionId' in happening ? { session_id: happening.sessionId } : {}),
    ...('reason' in happening ? { reason: happening.reason } : {}),
    ...(comment === null ? {} : { comment }),
    ...(Object.keys(details).length > 0 ? { details } : {}),
  };
}

/** @param repeated how many more of its kind there were that have no entry of their own */
export function refusalOf(
  tenantId: string,
  { actor, atMs, requestId, sourceAddress, outcome }: Circumstances,
  repeated: number,
): AuditRecord {
  return {
    tenant_id: tenantId,
    time: timeText(atMs),
    action: 'request_refused',
    actor: actorOf(actor),
    outcome,
    ...(requestId === null ? {} : { request_id: requestId }),
    ...(sourceAddress === null ? {} : { source_address: sourceAddress }),
    ...(repeated > 0 ? { details: { repeated } } : {}),
  };
}

/**
 * Refusals of a known API key that somebody should hear of: it lacks a scope, names another tenant, is one of a
 * suspended tenant, or asks too often. A reused refresh token is told by the end of its session. What anybody can
 * cause, such as an unknown key, belongs to no tenant: it is logged and counted.
 */
const RECORDED: ReadonlySet<ErrorCode> = new Set<ErrorCode>([
  'insufficient_scope',
  'tenant_not_found',
  'tenant_suspended',
  'rate_limited',
]);

/** Refusals of nobody in particular that an operator should hear of. */
const LOGGED: ReadonlySet<ErrorCode> = new Set<ErrorCode>([
  'unauthorized',
  'insufficient_scope',
  'rate_limited',
]);

export function whereRefusalGoes(code: ErrorCode, actor: Actor): 'chain' | 'log' | 'nowhere' {
  if (actor.kind === 'api_key') return RECORDED.has(code) ? 'chain' : 'nowhere';
  return LOGGED.has(code) ? 'log' : 'nowhere';
}

/** Ids, numbers and words of closed lists. */
const LOGGED_DETAILS = new Set([
  'cause',
  'ended',
  'epoch',
  'incident_id',
  'key_id',
  'kid',
  'matched',
  'repeated',
  'result',
  'scanned',
  'token_id',
]);

/** Free text, and what tells of persons: the entry has it, and the line leads there by tenant, `seq` and request id. */
const NOT_LOGGED = new Set(['actor', 'details', 'comment', 'time', 'user_id', 'source_address']);

/** One line of the log: without persons, free text, and details that are texts or lists. */
export function logLineOf(record: AuditRecord): Record<string, unknown> {
  const { actor, details = {} } = record;
  return {
    event: 'audit',
    ...only(details, (name) => LOGGED_DETAILS.has(name)),
    ...only(record, (name) => !NOT_LOGGED.has(name)),
    actor: actor.kind === 'api_key' ? actor.key_id : actor.kind,
  };
}

function only(members: object, isWanted: (name: string) => boolean): Record<string, unknown> {
  return Object.fromEntries(Object.entries(members).filter(([name]) => isWanted(name)));
}

export function timeText(ms: number): string {
  return new Date(ms).toISOString();
}

function actorOf(actor: Actor): AuditActor {
  return actor.kind === 'api_key'
    ? { kind: 'api_key', key_id: actor.keyId, name: actor.name }
    : { kind: actor.kind };
}

/** As callers know the setting. */
function snakeCase(name: string): string {
  return name.replace(/[A-Z]/g, (letter) => `_${letter.toLowerCase()}`);
}

/** What is particular to each. A new kind of happening does not compile without a line here. */
function detailsOf(happening: Kept): { [member: string]: JsonValue } {
  switch (happening.kind) {
    case 'session_created':
      return { expires_at: timeText(happening.expiresAtMs) };
    case 'session_refreshed':
      return { result: happening.outcome, expires_at: timeText(happening.expiresAtMs) };
    case 'session_ended':
      return {
        ...(happening.cause === undefined ? {} : { cause: happening.cause }),
        ...(happening.again ? { again: true } : {}),
        ...(happening.incidentId === undefined ? {} : { incident_id: happening.incidentId }),
      };
    case 'token_revoked':
      return { token_id: happening.tokenId };
    case 'tenant_created':
      return { name: happening.name, key_id: happening.keyId };
    case 'tenant_changed':
      return {
        changes: happening.changes.map(({ setting, from, to }) => ({
          setting: snakeCase(setting),
          from,
          to,
        })),
      };
    case 'tenant_revoked':
      return { epoch: happening.epoch };
    case 'incident_begun':
      return { incident_id: happening.incidentId, query: happening.query };
    case 'incident_completed': {
      const { incidentId: incident_id, scanned, matched, ended } = happening;
      return { incident_id, scanned, matched, ended };
    }
    case 'api_key_issued': {
      const { keyId: key_id, name, scopes, expiresAtMs } = happening;
      return { key_id, name, scopes, ...(expiresAtMs === null ? {} : { expires_at: timeText(expiresAtMs) }) };
    }
    case 'api_key_revoked':
      return { key_id: happening.keyId };
    case 'signing_key_published':
      return { kid: happening.kid, activates_at: timeText(happening.activatesAtMs) };
    case 'signing_key_activated':
    case 'signing_key_killed':
      return { kid: happening.kid };
    case 'keys_resealed':
      return { master_key_id: happening.masterKeyId };
    case 'tenant_suspended':
    case 'tenant_activated':
    case 'tenant_deleted':
      return {};
  }
}
