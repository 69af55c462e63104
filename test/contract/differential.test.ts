/** Whatever is done to sessions, in whatever order and at whatever times: SQLite and Redis answer alike. */
import { afterAll, beforeAll, describe, expect, test } from '@jest/globals';
import { REVOCATION_REASONS } from '../../src/revocation-reason.js';
import { newRandomId, userTag } from '../../src/random-id.js';
import type { SessionStore } from '../../src/sessions/session.js';
import { openRedis, openSqliteInMemory, type OpenedStores } from './open-stores.js';
import { aSession, DAY, GRACE, MINUTE, newTenantId, presenting, SECOND, T0 } from './samples.js';
import { Random } from './random.js';

const SEQUENCES = 120;
const STEPS = 60;
/** Steps of the clock, in ms: around every boundary that the samples' lifetimes have. */
const TURNS = [...Array<number>(12).fill(0), 1, SECOND, GRACE - 1, GRACE, MINUTE, DAY, 30 * DAY, -SECOND];

interface Step {
  readonly text: string;
  run(store: SessionStore): Promise<unknown>;
}

/** The state of one sequence: what has been made so far, so that steps often hit something. */
class Scenario {
  private readonly random: Random;
  private readonly tenants = [newTenantId(), newTenantId()];
  private readonly users = ['alice', 'b{o}b:*'];
  /** Each session's refresh tokens so far, the current one last. */
  private readonly lineages = new Map<string, string[]>();
  private nowMs = T0;
  private made = 0;

  constructor(seed: number) {
    this.random = new Random(seed);
  }

  next(): Step {
    this.nowMs += this.random.pick(TURNS);
    const verbs = [this.create, this.rotate, this.rotate, this.rotate, this.confirm, this.confirm];
    const rarely = [this.revoke, this.remove, this.revokeToken, this.look, this.check, this.check];
    const step = this.random.pick([...verbs, ...rarely, this.look]).call(this);
    return { ...step, text: `at T0 + ${this.nowMs - T0}: ${step.text}` };
  }

  private create(): Step {
    const [tenantId, userId] = [this.tenant(), this.random.pick(this.users)];
    const max = this.random.pick([1, 2, 3, 10]);
    const lives = this.random.pick([{}, { idleExpiresAtMs: this.nowMs + MINUTE }]);
    const sessionId = newRandomId(userTag(tenantId, userId));
    this.lineages.set(sessionId, ['r0']);
    const session = aSession(tenantId, { userId, sessionId, createdAtMs: this.nowMs, ...lives });
    return { text: `create ${sessionId} of at most ${max}`, run: (store) => store.create(session, max) };
  }

  private rotate(): Step {
    const [tenantId, sessionId] = [this.tenant(), this.session()];
    const presentedId = this.refreshToken(sessionId);
    const successorId = `r${++this.made}`;
    const request = presenting(presentedId, {
      successorId,
      nowMs: this.nowMs,
      graceSeconds: this.random.pick([0, 10, 60]),
      accessTokenTtlSeconds: this.random.pick([1, 900, 86_400]),
      refreshTokenTtlSeconds: this.random.pick([60, 2_592_000]),
    });
    return {
      text: `rotate ${sessionId} from ${presentedId} to ${successorId}, grace ${request.graceSeconds} s`,
      run: async (store) => {
        const result = await store.rotate(tenantId, sessionId, request);
        const lineage = this.lineages.get(sessionId);
        if (result.outcome === 'rotated' && lineage?.at(-1) !== successorId) lineage?.push(successorId);
        return result;
      },
    };
  }

  private confirm(): Step {
    const [tenantId, sessionId] = [this.tenant(), this.session()];
    const tokenId = this.refreshToken(sessionId);
    return {
      text: `confirm ${tokenId} of ${sessionId}`,
      run: (store) => store.confirmRotation(tenantId, sessionId, tokenId),
    };
  }

  private revoke(): Step {
    const [tenantId, sessionId, nowMs] = [this.tenant(), this.session(), this.nowMs];
    const reason = this.random.pick(REVOCATION_REASONS);
    return {
      text: `revoke ${sessionId} for ${reason}`,
      run: (store) => store.revoke(tenantId, sessionId, reason, nowMs),
    };
  }

  private remove(): Step {
    const [tenantId, sessionId] = [this.tenant(), this.session()];
    return {
      text: `remove ${sessionId}`,
      run: async (store) => {
        const userIds = await Promise.all(this.users.map((userId) => store.idsByUser(tenantId, userId)));
        const userId = this.users[userIds.findIndex((ids) => ids.includes(sessionId))] ?? 'alice';
        await store.remove(tenantId, { sessionId, userId });
      },
    };
  }

  private revokeToken(): Step {
    const [sessionId, nowMs] = [this.session(), this.nowMs];
    const tokenId = this.accessToken(sessionId);
    const token = { tenantId: this.tenant(), tokenId, expiresAtMs: nowMs + MINUTE };
    return {
      text: `revoke token ${tokenId} of ${sessionId}`,
      run: (store) => store.revokeToken(token, nowMs),
    };
  }

  private check(): Step {
    const sessionId = this.session();
    const tokenId = this.accessToken(sessionId);
    const token = { tenantId: this.tenant(), sessionId, tokenId, nowMs: this.nowMs };
    return { text: `check ${token.tokenId} of ${token.sessionId}`, run: (store) => store.check(token) };
  }

  private look(): Step {
    const [tenantId, sessionId, userId] = [this.tenant(), this.session(), this.random.pick(this.users)];
    const nowMs = this.nowMs;
    return {
      text: `look at ${sessionId} and the list of ${userId}`,
      run: async (store) => [
        await store.find(tenantId, sessionId, nowMs),
        await store.listByUser(tenantId, userId, nowMs),
      ],
    };
  }

  /** Mostly the same tenant, so that things happen; sometimes the wrong one. */
  private tenant(): string {
    return this.random.pick([...Array<string>(7).fill(String(this.tenants[0])), String(this.tenants[1])]);
  }

  private session(): string {
    const recent = [...this.lineages.keys()].slice(-3);
    return recent.length === 0 ? newRandomId(userTag('t', 'nobody')) : this.random.pick(recent);
  }

  /** Mostly the current one of the session. */
  private refreshToken(sessionId: string): string {
    const lineage = this.lineages.get(sessionId) ?? [];
    const [current = 'r0', previous = 'r0', older = 'r0'] = lineage.toReversed();
    return this.random.pick([current, current, current, current, previous, previous, older, 'never-issued']);
  }

  private accessToken(sessionId: string): string {
    return `jti-${this.random.below(2)}-of-${sessionId}`;
  }
}

describe('two stores', () => {
  let sqlite: OpenedStores;
  let redis: OpenedStores;
  const seen = new Map<string, number>();

  beforeAll(async () => {
    [sqlite, redis] = await Promise.all([openSqliteInMemory(), openRedis()]);
  });
  afterAll(async () => {
    await sqlite.dispose();
    await redis.dispose();
  });

  test(`answer alike to ${SEQUENCES} random sequences of ${STEPS} steps`, async () => {
    for (let seed = 1; seed <= SEQUENCES; seed++) {
      const scenario = new Scenario(seed);
      const story = [`seed ${seed}`];
      for (let n = 0; n < STEPS; n++) {
        const step = scenario.next();
        story.push(step.text);
        const wanted = await step.run(sqlite.stores.sessions);
        const got = await step.run(redis.stores.sessions);
        expect({ story, answer: got }).toEqual({ story, answer: wanted });
        count(wanted);
      }
    }
  });

  test('went through every outcome while doing so', () => {
    const outcomes = ['rotated', 'repeated', 'reused', 'revoked', 'expired', 'missing'];
    for (const outcome of [...outcomes, 'check: live', 'check: revoked', 'check: missing']) {
      expect([outcome, (seen.get(outcome) ?? 0) >= 10]).toEqual([outcome, true]);
    }
  });

  function count(answer: unknown): void {
    const isOutcome = typeof answer === 'object' && answer !== null && 'outcome' in answer;
    const name = isOutcome ? String(answer.outcome) : `check: ${String(answer)}`;
    seen.set(name, (seen.get(name) ?? 0) + 1);
  }
});
