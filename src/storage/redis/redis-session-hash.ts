/** A session as a Redis hash and back. Scripts read these fields by name; times are ms in decimal. */
import type { Metadata } from '../../tokens/claims.js';
import type { Session } from '../../sessions/session.js';

export type SessionHash = Readonly<Record<string, string>>;

/** Grows with the record's shape; a reader of the next version still reads this one. */
const RECORD_VERSION = 1;

export function toHash(session: Session): SessionHash {
  const { rotation } = session;
  return {
    v: String(RECORD_VERSION),
    user_id: session.userId,
    scope: session.scope,
    metadata: JSON.stringify(session.metadata),
    epoch: String(session.epoch),
    created_at: String(session.createdAtMs),
    last_used_at: String(session.lastUsedAtMs),
    idle_expires_at: String(session.idleExpiresAtMs),
    absolute_expires_at: String(session.absoluteExpiresAtMs),
    access_expires_at: String(session.accessExpiresAtMs),
    current_id: rotation.currentId,
    ...(rotation.previousId === null ? {} : { previous_id: rotation.previousId }),
    kid: rotation.kid,
    rotated_at: String(rotation.rotatedAtMs),
    grace_from: String(rotation.graceFromMs),
    confirmed: rotation.confirmed ? '1' : '0',
  };
}

/** @returns null for an empty hash: there is no such session */
export function fromHash(hash: SessionHash, tenantId: string, sessionId: string): Session | null {
  const { user_id: userId, current_id: currentId } = hash;
  if (userId === undefined || currentId === undefined) return null;
  return {
    sessionId,
    tenantId,
    userId,
    scope: hash['scope'] ?? '',
    metadata: JSON.parse(hash['metadata'] ?? '{}') as Metadata,
    epoch: Number(hash['epoch']),
    createdAtMs: Number(hash['created_at']),
    lastUsedAtMs: Number(hash['last_used_at']),
    idleExpiresAtMs: Number(hash['idle_expires_at']),
    absoluteExpiresAtMs: Number(hash['absolute_expires_at']),
    accessExpiresAtMs: Number(hash['access_expires_at']),
    rotation: {
      currentId,
      previousId: hash['previous_id'] ?? null,
      kid: hash['kid'] ?? '',
      rotatedAtMs: Number(hash['rotated_at']),
      graceFromMs: Number(hash['grace_from']),
      confirmed: hash['confirmed'] === '1',
    },
  };
}
