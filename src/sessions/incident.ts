/**
 * An incident: every session of a tenant that matches a query is ended, however many there are. Which ones match is
 * decided here, by pure functions of the record; stores only hand out pages. What a caller wrote is compared as text,
 * never as a pattern.
 */
import { createHmac, randomBytes, timingSafeEqual } from 'node:crypto';
import type { KeyRing } from '../keys/key-ring.js';
import type { Session } from './session.js';

/** All that is given must be true of a session. */
export interface IncidentQuery {
  /** The session began before this. */
  readonly createdBeforeMs?: number;
  /** The session began at this time or later. */
  readonly createdAfterMs?: number;
  readonly userPrefix?: string;
  /** Each member's text, or the text of one of its entries where it is an array. */
  readonly metadata?: Readonly<Record<string, string>>;
  /** It may have an access token by this signing key, or its refresh token is by this refresh secret. */
  readonly kid?: string;
}

/** When a key signed; `untilMs` null: it still does. */
export interface SigningTime {
  readonly fromMs: number;
  readonly untilMs: number | null;
}

/** Clocks of instances differ, and one may not have heard yet that a key no longer signs. */
const KEY_MARGIN_MS = 60_000;

/** @returns when the key of that kid signed access tokens; null for what is no signing key of the ring */
export function signingTimeOf(ring: KeyRing, kid: string): SigningTime | null {
  const key = ring.signingKeys.find((candidate) => candidate.kid === kid);
  if (!key) return null;
  const ends = [key.retiresAtMs, key.revokedAtMs].filter((time) => time !== null);
  return { fromMs: key.activatesAtMs, untilMs: ends.length > 0 ? Math.min(...ends) : null };
}

/** @param signedAt of the query's kid; null: it is the kid of a refresh secret */
export function matches(session: Session, query: IncidentQuery, signedAt: SigningTime | null): boolean {
  const { createdBeforeMs, createdAfterMs, userPrefix, metadata, kid } = query;
  if (createdBeforeMs !== undefined && session.createdAtMs >= createdBeforeMs) return false;
  if (createdAfterMs !== undefined && session.createdAtMs < createdAfterMs) return false;
  if (userPrefix !== undefined && !session.userId.startsWith(userPrefix)) return false;
  for (const [name, wanted] of Object.entries(metadata ?? {})) {
    if (!Object.hasOwn(session.metadata, name)) return false;
    if (![session.metadata[name]].flat().some((value) => String(value) === wanted)) return false;
  }
  return kid === undefined || mayBeSignedBy(session, kid, signedAt);
}

/**
 * Which key signed an access token is not kept. A session gets one when it begins and with each refresh, so a key
 * may have signed one if it signed at any time between the session's beginning and its last refresh.
 */
function mayBeSignedBy(session: Session, kid: string, signedAt: SigningTime | null): boolean {
  if (session.rotation.kid === kid) return true;
  if (signedAt === null) return false;
  const { fromMs, untilMs } = signedAt;
  if (session.lastUsedAtMs + KEY_MARGIN_MS < fromMs) return false;
  return untilMs === null || session.createdAtMs - KEY_MARGIN_MS < untilMs;
}

/** As callers write it, for the audit. */
export function queryView(query: IncidentQuery): QueryView {
  const { createdBeforeMs, createdAfterMs, userPrefix, metadata, kid } = query;
  return {
    ...(createdBeforeMs === undefined ? {} : { created_before: new Date(createdBeforeMs).toISOString() }),
    ...(createdAfterMs === undefined ? {} : { created_after: new Date(createdAfterMs).toISOString() }),
    ...(userPrefix === undefined ? {} : { user_prefix: userPrefix }),
    // In one order, however it was written: an incident is known by its query.
    ...(metadata === undefined ? {} : { metadata: sortedByName(metadata) }),
    ...(kid === undefined ? {} : { kid }),
  };
}

function sortedByName(members: Readonly<Record<string, string>>): Readonly<Record<string, string>> {
  return Object.fromEntries(Object.entries(members).toSorted(([a], [b]) => (a < b ? -1 : 1)));
}

export type QueryView = Readonly<Record<string, string | Readonly<Record<string, string>>>>;

/** How far an incident has come; it travels with the caller, so that no instance has to remember it. */
export interface IncidentProgress {
  readonly scanned: number;
  readonly matched: number;
  readonly ended: number;
  /** The store's; null before the first page. */
  readonly cursor: string | null;
}

/**
 * Makes ids and cursors that only this service can make: an id is bound to the tenant, the query and the reason, so
 * that nobody ends other sessions under an incident that somebody else has begun and explained.
 */
export class IncidentSeal {
  /** @param secret that all instances share */
  constructor(private readonly secret: Buffer) {}

  newId(subject: string): string {
    const random = randomBytes(12).toString('base64url');
    return `${random}.${this.mac('id', random, subject)}`;
  }

  isIdOf(id: string, subject: string): boolean {
    const [random = '', mac = ''] = id.split('.');
    return equal(mac, this.mac('id', random, subject));
  }

  sealProgress(progress: IncidentProgress, subject: string): string {
    const text = Buffer.from(JSON.stringify(progress)).toString('base64url');
    return `${text}.${this.mac('cursor', text, subject)}`;
  }

  /** @returns null for what was not sealed here, or for something else */
  openProgress(sealed: string, subject: string): IncidentProgress | null {
    const [text = '', mac = ''] = sealed.split('.');
    if (!equal(mac, this.mac('cursor', text, subject))) return null;
    return JSON.parse(Buffer.from(text, 'base64url').toString('utf8')) as IncidentProgress;
  }

  private mac(purpose: string, text: string, subject: string): string {
    const message = JSON.stringify(['incident', purpose, text, subject]);
    return createHmac('sha256', this.secret).update(message).digest('base64url').slice(0, 22);
  }
}

function equal(a: string, b: string): boolean {
  const [left, right] = [Buffer.from(a), Buffer.from(b)];
  return left.length === right.length && timingSafeEqual(left, right);
}
