/** Sessions in Redis: each verb is one script on one slot, or commands that are safe in any order. */
import type { ReuseCause } from '../../happening.js';
import type { RevocationReason } from '../../revocation-reason.js';
import {
  REVOCATION_MARGIN_MS,
  type RevokedSession,
  type RotationOutcome,
  type RotationRequest,
  type Session,
  type SessionPage,
  type SessionStore,
} from '../../sessions/session.js';
import { countedOf, type Counted } from '../../sessions/live-count.js';
import type { Durability } from './durability.js';
import type { RedisConnection } from './redis-connection.js';
import { revokedKey, sessionKey, userSessionsKey } from './redis-keys.js';
import type { RedisLiveSessions } from './redis-live-sessions.js';
import { fromHash, toHash, type SessionHash } from './redis-session-hash.js';
import { scanSessions } from './redis-session-scan.js';

export class RedisSessionStore implements SessionStore {
  constructor(
    private readonly redis: RedisConnection,
    private readonly durability: Durability,
    private readonly liveSessions: RedisLiveSessions,
  ) {}

  async create(session: Session, maxSessionsPerUser: number): Promise<string[]> {
    const { tenantId, sessionId, userId, createdAtMs } = session;
    const reply = await this.redis.scriptInTime(
      'create-session',
      [sessionKey(tenantId, sessionId), userSessionsKey(tenantId, userId)],
      [
        sessionId,
        createdAtMs,
        session.idleExpiresAtMs - createdAtMs + REVOCATION_MARGIN_MS,
        session.absoluteExpiresAtMs - createdAtMs + REVOCATION_MARGIN_MS,
        maxSessionsPerUser,
        ...Object.entries(toHash(session)).flat(),
      ],
    );
    const [again, ...ids] = reply as string[];
    if (again === 'first') this.liveSessions.began(tenantId, countedOf(session));
    await this.durability.barrier(sessionKey(tenantId, sessionId), { holds: true });
    const listed = ids.filter((id) => id !== sessionId);
    if (listed.length < maxSessionsPerUser) return [];
    const others = await this.pruneListed(tenantId, userId, listed, createdAtMs);
    return others.slice(0, Math.max(0, others.length - (maxSessionsPerUser - 1)));
  }

  async find(tenantId: string, sessionId: string, nowMs: number): Promise<Session | null> {
    const hash = await this.redis.run('find-session', (client) =>
      client.hgetall(sessionKey(tenantId, sessionId)),
    );
    return live(fromHash(hash, tenantId, sessionId), hash, nowMs);
  }

  async listByUser(tenantId: string, userId: string, nowMs: number): Promise<Session[]> {
    const ids = await this.idsByUser(tenantId, userId);
    const sessions = await Promise.all(ids.map((id) => this.find(tenantId, id, nowMs)));
    return sessions.filter((session) => session !== null);
  }

  async idsByUser(tenantId: string, userId: string): Promise<string[]> {
    return this.redis.run('list-user-sessions', (client) =>
      client.zrange(userSessionsKey(tenantId, userId), 0, '-1'),
    );
  }

  async rotate(tenantId: string, sessionId: string, request: RotationRequest): Promise<RotationOutcome> {
    const reply = await this.redis.scriptInTime(
      'rotate-session',
      [sessionKey(tenantId, sessionId), revokedKey(tenantId, sessionId)],
      [
        request.presentedId,
        request.successorId,
        request.kid,
        request.nowMs,
        request.graceSeconds * 1000,
        request.refreshTokenTtlSeconds * 1000,
        request.accessTokenTtlSeconds * 1000,
        REVOCATION_MARGIN_MS,
      ],
    );
    const [outcome, ...fields] = reply as [RotationOutcome['outcome'], ...string[]];
    if (outcome === 'reused') {
      const [cause, again, ...counted] = fields as [ReuseCause, string, ...string[]];
      if (again === 'first') this.liveSessions.ended(tenantId, toCounted(counted));
      return { outcome, cause, again: again === 'again' };
    }
    if (outcome !== 'rotated' && outcome !== 'repeated') return { outcome };
    const hash = pairs(fields);
    const session = fromHash(hash, tenantId, sessionId);
    if (!session) return { outcome: 'missing' };
    if (outcome === 'rotated') {
      this.liveSessions.ended(tenantId, {
        epoch: session.epoch,
        idleExpiresAtMs: Number(hash['before_idle_expires_at']),
        rotatedAtMs: Number(hash['before_rotated_at']),
      });
      this.liveSessions.began(tenantId, countedOf(session));
    }
    return { outcome, session };
  }

  async confirmRotation(tenantId: string, sessionId: string, currentId: string): Promise<void> {
    await this.redis.script('confirm-rotation', [sessionKey(tenantId, sessionId)], [currentId]);
  }

  async check(token: {
    tenantId: string;
    sessionId: string;
    tokenId: string;
    nowMs: number;
  }): Promise<'live' | 'revoked' | 'missing'> {
    const { tenantId, sessionId, tokenId, nowMs } = token;
    const reply = await this.redis.script(
      'check-session',
      [sessionKey(tenantId, sessionId), revokedKey(tenantId, sessionId), revokedKey(tenantId, tokenId)],
      [nowMs],
    );
    return reply as 'live' | 'revoked' | 'missing';
  }

  async revoke(
    tenantId: string,
    sessionId: string,
    reason: RevocationReason,
    nowMs: number,
  ): Promise<RevokedSession | null> {
    const reply = await this.redis.script(
      'revoke-session',
      [sessionKey(tenantId, sessionId), revokedKey(tenantId, sessionId)],
      [reason, nowMs, REVOCATION_MARGIN_MS],
    );
    const [userId, accessExpiresAt, again, ...fields] = reply as string[];
    if (userId === undefined) return null;
    const counted = toCounted(fields);
    if (again === 'first') this.liveSessions.ended(tenantId, counted);
    await this.durability.barrier(revokedKey(tenantId, sessionId), { holds: true });
    const accessExpiresAtMs = Number(accessExpiresAt);
    return { sessionId, userId, accessExpiresAtMs, epoch: counted.epoch, again: again === 'again' };
  }

  async revokeToken(
    { tenantId, tokenId, expiresAtMs }: { tenantId: string; tokenId: string; expiresAtMs: number },
    nowMs: number,
  ): Promise<void> {
    const ttlMs = Math.max(expiresAtMs - nowMs, 0) + REVOCATION_MARGIN_MS;
    const key = revokedKey(tenantId, tokenId);
    await this.redis.run('block-token', (client) => client.set(key, 'token', 'PX', ttlMs));
    await this.durability.barrier(key, { holds: true });
  }

  async countLive(tenantId: string, epoch: number, nowMs: number): Promise<number> {
    return this.liveSessions.count(tenantId, epoch, nowMs);
  }

  async scan(
    tenantId: string,
    page: { cursor: string | null; limit: number; nowMs: number },
  ): Promise<SessionPage> {
    return scanSessions(this.redis, tenantId, page);
  }

  /** The listing goes last: cut short, it leaves an entry without a session, which is passed over. */
  async remove(
    tenantId: string,
    { sessionId, userId }: Pick<RevokedSession, 'sessionId' | 'userId'>,
  ): Promise<void> {
    await this.redis.run('remove-session', (client) =>
      Promise.all([
        client.del(sessionKey(tenantId, sessionId)),
        client.zrem(userSessionsKey(tenantId, userId), sessionId),
      ]),
    );
  }

  /** @returns those that are alive, in the same order; the rest leave the list unless their ending is under way */
  private async pruneListed(
    tenantId: string,
    userId: string,
    ids: readonly string[],
    nowMs: number,
  ): Promise<string[]> {
    const records = await this.redis.run('read-listed', (client) =>
      Promise.all(
        ids.map((id) => client.hmget(sessionKey(tenantId, id), 'idle_expires_at', 'revoked_reason')),
      ),
    );
    const gone = ids.filter((_, at) => !(Number(records[at]?.[0] ?? 0) > nowMs));
    // Nobody waits for it: what is gone is passed over all the same, and found again the next time.
    if (gone.length > 0) {
      this.redis
        .run('prune-listed', (client) => client.zrem(userSessionsKey(tenantId, userId), ...gone))
        .catch(() => undefined);
    }
    return ids.filter((id, at) => !gone.includes(id) && records[at]?.[1] === null);
  }
}

/** As the scripts say it. */
function toCounted([epoch, idleExpiresAt, rotatedAt]: readonly string[]): Counted {
  return {
    epoch: Number(epoch),
    idleExpiresAtMs: Number(idleExpiresAt),
    rotatedAtMs: Number(rotatedAt),
  };
}

function live(session: Session | null, hash: SessionHash, nowMs: number): Session | null {
  return session && hash['revoked_reason'] === undefined && nowMs < session.idleExpiresAtMs ? session : null;
}

function pairs(flat: readonly string[]): SessionHash {
  const hash: Record<string, string> = {};
  for (let at = 0; at < flat.length; at += 2) hash[flat[at] ?? ''] = flat[at + 1] ?? '';
  return hash;
}
