/**
 * The story of a session, in words that can be read out to a customer: pure functions of its entries, of what befell
 * its whole tenant meanwhile, and of the session itself where it still lives.
 */
import type { RevocationReason } from '../revocation-reason.js';
import type { Session } from '../sessions/session.js';
import type { AuditActor, AuditEntry } from './audit.js';
import { timeText } from './audit-record.js';

export const SESSION_STATES = ['live', 'ended', 'expired', 'unknown'] as const;
export type SessionState = (typeof SESSION_STATES)[number];

export interface StoryEvent {
  readonly time: string;
  readonly action: AuditEntry['action'] | 'expired';
  /** A sentence. */
  readonly text: string;
  readonly entry?: AuditEntry;
}

export interface Story {
  readonly state: SessionState;
  readonly userId: string | null;
  /** The whole of it in two or three sentences. */
  readonly summary: string;
  readonly events: readonly StoryEvent[];
}

export interface StorySources {
  /** Of the session, oldest first. */
  readonly entries: readonly AuditEntry[];
  /** What ended all sessions of the tenant since the session began, oldest first. */
  readonly ofTenant: readonly AuditEntry[];
  /** null when it is gone. */
  readonly session: Session | null;
  readonly nowMs: number;
}

/** From so many refreshes in a row on, they are one event. */
const REFRESHES_TOLD_ONE_BY_ONE = 3;

export function storyOf({ entries, ofTenant, session, nowMs }: StorySources): Story {
  const end = session ? undefined : [...entries.filter(isEnd), ...ofTenant].toSorted(bySeq)[0];
  const own = entries.map((entry) => ({
    entry,
    time: entry.time,
    action: entry.action,
    text: textOf(entry),
  }));
  const events: StoryEvent[] = gatherRefreshes(own);
  if (end && !entries.includes(end)) events.push(eventOf(end));
  const state = stateOf({ session, end, entries, nowMs });
  const expiresAt = lastExpiry(entries);
  if (state === 'expired' && expiresAt !== null) {
    events.push({
      time: expiresAt,
      action: 'expired',
      text: 'It ran out: nobody had refreshed it in time.',
    });
  }
  const userId = session?.userId ?? entries.find(({ user_id }) => user_id !== undefined)?.user_id ?? null;
  return { state, userId, summary: summaryOf({ entries, session, end, state, expiresAt }), events };
}

/** An ending that completes or repeats an earlier one comes after it, and is not what ended the session. */
function isEnd({ action }: AuditEntry): boolean {
  return action === 'session_ended';
}

const bySeq = (a: AuditEntry, b: AuditEntry): number => a.seq - b.seq;

function stateOf(known: {
  session: Session | null;
  end: AuditEntry | undefined;
  entries: readonly AuditEntry[];
  nowMs: number;
}): SessionState {
  if (known.session) return 'live';
  if (known.end) return 'ended';
  const expiresAt = lastExpiry(known.entries);
  return expiresAt !== null && Date.parse(expiresAt) <= known.nowMs ? 'expired' : 'unknown';
}

function lastExpiry(entries: readonly AuditEntry[]): string | null {
  const expiries = entries.map(({ details }) => details?.['expires_at']);
  return expiries.findLast((expiry) => typeof expiry === 'string') ?? null;
}

function gatherRefreshes(events: readonly Required<StoryEvent>[]): StoryEvent[] {
  const gathered: StoryEvent[] = [];
  for (let at = 0; at < events.length;) {
    let end = at;
    while (end < events.length && isSameRefresh(events[at]?.entry, events[end]?.entry)) end++;
    const run = events.slice(at, Math.max(end, at + 1));
    if (run.length < REFRESHES_TOLD_ONE_BY_ONE) gathered.push(...run);
    else gathered.push(oneOf(run));
    at += run.length;
  }
  return gathered;
}

function isSameRefresh(first: AuditEntry | undefined, other: AuditEntry | undefined): boolean {
  return (
    first?.action === 'session_refreshed' &&
    other?.action === 'session_refreshed' &&
    first.details?.['result'] === other.details?.['result'] &&
    who(first.actor) === who(other.actor)
  );
}

function oneOf(run: readonly Required<StoryEvent>[]): StoryEvent {
  const [first, last] = [run[0], run.at(-1)];
  if (!first || !last) throw new Error('a run has at least one event');
  const text = `Refreshed ${run.length} times by ${who(first.entry.actor)}, the last time at ${spoken(last.time)}.`;
  return { time: first.time, action: first.action, text, entry: last.entry };
}

function eventOf(entry: AuditEntry): StoryEvent {
  return { time: entry.time, action: entry.action, text: textOf(entry), entry };
}

/** One sentence or two about one entry. */
function textOf(entry: AuditEntry): string {
  const by = who(entry.actor);
  const comment = entry.comment === undefined ? '' : ` Comment: “${entry.comment}”.`;
  switch (entry.action) {
    case 'session_created':
      return `Created for user “${entry.user_id ?? 'unknown'}” by ${by}.`;
    case 'session_refreshed':
      return entry.details?.['result'] === 'repeated'
        ? `Refreshed again with the same token by ${by}, and answered as before: an answer was lost, or two asked at once.`
        : `Refreshed by ${by}: new tokens were issued.`;
    case 'session_ended':
      return `${endingOf(entry)}${incidentOf(entry)}${comment}`;
    case 'token_revoked':
      return `One of its access tokens was revoked by ${by} (${entry.reason ?? 'other'}); the session lived on.${comment}`;
    case 'tenant_revoked':
      return `All sessions of the tenant were ended by ${by} (${entry.reason ?? 'other'}).${comment}`;
    case 'tenant_deleted':
      return `The tenant was deleted by ${by}, and all of its sessions with it.`;
    default:
      return `${entry.action.replaceAll('_', ' ')} by ${by}.`;
  }
}

function incidentOf({ details }: AuditEntry): string {
  const id = details?.['incident_id'];
  return typeof id === 'string' ? ` It was part of incident ${id}.` : '';
}

function endingOf({ actor, reason = 'other', details }: AuditEntry): string {
  const by = who(actor);
  if (details?.['again'] === true) return `Its ending was asked for again or completed by ${by} (${reason}).`;
  if (reason === 'refresh_token_reused' && details?.['cause'] !== undefined) {
    const which =
      details['cause'] === 'replaced_token'
        ? 'the one that had been replaced last, after its time for repeats was over'
        : 'one that had been replaced before the last, or that was never issued';
    return `Ended for safety: an old refresh token came back (${which}), so somebody may have a copy. It came through ${by}.`;
  }
  return ENDINGS[reason](by);
}

const ENDINGS: Readonly<Record<RevocationReason, (by: string) => string>> = {
  user_logout: (by) => `Ended because the user logged out, by ${by}.`,
  admin: (by) => `Ended by an administrator, through ${by}.`,
  password_change: (by) => `Ended because the password was changed, by ${by}.`,
  security_incident: (by) => `Ended because of a security incident, by ${by}.`,
  refresh_token_reused: (by) => `Ended by ${by}, because a refresh token had been used again.`,
  session_limit: (by) =>
    `Ended because the user had as many sessions as allowed and this was the oldest: a new one was created by ${by}.`,
  tenant_revoked: (by) => `Ended with all sessions of the tenant, by ${by}.`,
  other: (by) => `Ended by ${by}; no particular reason was given.`,
};

function summaryOf({
  entries,
  session,
  end,
  state,
  expiresAt,
}: {
  entries: readonly AuditEntry[];
  session: Session | null;
  end: AuditEntry | undefined;
  state: SessionState;
  expiresAt: string | null;
}): string {
  const refreshes = entries.filter(({ action }) => action === 'session_refreshed').length;
  const sentences = [beginningOf(entries, session)];
  if (refreshes > 0) sentences.push(`It was refreshed ${refreshes === 1 ? 'once' : `${refreshes} times`}.`);
  if (session)
    sentences.push(`It is alive until ${spoken(timeText(session.idleExpiresAtMs))} unless it is refreshed.`);
  else if (end) sentences.push(`At ${spoken(end.time)}: ${textOf(end)}`);
  else if (state === 'expired')
    sentences.push(`It ran out at ${spoken(expiresAt ?? '')}: nobody had refreshed it.`);
  else sentences.push('It is gone, and the audit does not say why.');
  return sentences.join(' ');
}

function beginningOf(entries: readonly AuditEntry[], session: Session | null): string {
  const created = entries.find(({ action }) => action === 'session_created');
  if (created) {
    return `The session of user “${created.user_id ?? 'unknown'}” was created at ${spoken(created.time)} by ${who(created.actor)}.`;
  }
  const since = session ? ` at ${spoken(timeText(session.createdAtMs))}` : '';
  return `The session was created${since}; the audit no longer says by whom.`;
}

function who(actor: AuditActor): string {
  if (actor.kind === 'api_key') return `API key “${actor.name}” (${actor.key_id})`;
  return { platform: 'the platform', service: 'the service itself', anonymous: 'an unknown caller' }[
    actor.kind
  ];
}

/** 2026-11-23T21:04:11.382Z -> 2026-11-23 21:04:11 UTC */
function spoken(time: string): string {
  return `${time.slice(0, 19).replace('T', ' ')} UTC`;
}
