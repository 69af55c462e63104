import { afterAll, beforeAll, describe, expect, test } from '@jest/globals';
import { SessionsService } from '../../src/sessions/sessions.service.js';
import { after, ALIVE, anyBelow, callerOf, DEAD, lifeOf, rounds, times } from '../support/racing.js';
import { STORES, TestService, type Tokens } from '../support/test-service.js';

const ROUNDS = 500; // on each of two stores

describe.each(STORES)('creations that race, on $name', ({ prepare }) => {
  let service: TestService;
  let dispose: () => Promise<void>;

  beforeAll(async () => {
    const store = await prepare();
    dispose = store.dispose;
    service = await TestService.start(store.env);
  });

  afterAll(async () => {
    await service.stop();
    await dispose();
  });

  test('ends what was acknowledged before revoke-all, and leaves the rest whole, in 500 races', async () => {
    const acme = await service.tenant();
    const sessions = service.app.get(SessionsService);
    const caller = callerOf(acme);
    const met = { alive: 0, dead: 0 };
    await rounds(
      ROUNDS,
      async (number) => {
        const user = { tenantId: acme.tenantId, userId: `user-${number}` };
        const create = () => sessions.create(caller, { ...user, scope: '', metadata: {} });
        const before = await create();
        const [first, second, ended] = await Promise.all([
          after(anyBelow(4), create),
          after(anyBelow(4), create),
          after(anyBelow(4), () => sessions.revokeUser(caller, user, 'security_incident')),
        ]);
        expect(await lifeOf(sessions, caller, user.userId, before)).toEqual(DEAD);
        const lives = [
          await lifeOf(sessions, caller, user.userId, first),
          await lifeOf(sessions, caller, user.userId, second),
        ];
        for (const life of lives) expect([ALIVE, DEAD]).toContainEqual(life);
        const dead = lives.filter(({ listed }) => !listed).length;
        expect(ended).toBe(1 + dead);
        met.dead += dead;
        met.alive += lives.length - dead;
      },
      () => met.alive > 0 && met.dead > 0,
    );
    expect(met.alive).toBeGreaterThan(0); // both orders were met, or it was no race
    expect(met.dead).toBeGreaterThan(0);
  });

  test('never leaves a user with more sessions than the limit, and the newest are those that stay', async () => {
    const limit = 3;
    const acme = await service.tenant({ max_sessions_per_user: limit });
    let known: Tokens[] = [];
    for (const newcomers of [1, 2, 5, 1, 8, 3, 2, 10, 1, 4]) {
      service.clock.advanceSeconds(1);
      const created = await Promise.all(times(newcomers, () => service.createSession(acme)));
      const listed = await listOf(acme.apiKey, acme.tenantId);
      const expected = Math.min(limit, known.length + newcomers);
      expect(listed).toHaveLength(expected);
      const newest = created.filter(({ session_id }) => listed.includes(session_id)).length;
      expect(newest).toBe(Math.min(limit, newcomers));
      for (const tokens of [...known, ...created]) {
        const { status } = await service.validate(acme, tokens.access_token, 'store');
        expect(status).toBe(listed.includes(tokens.session_id) ? 200 : 401);
      }
      known = [...known, ...created].filter(({ session_id }) => listed.includes(session_id));
    }
    for (const { refresh_token } of known)
      expect((await service.refresh(acme, refresh_token)).status).toBe(200);
  });

  async function listOf(apiKey: string, tenantId: string): Promise<string[]> {
    const path = `/sessions?tenant_id=${tenantId}&user_id=alice`;
    const { body } = await service.call<{ sessions: { session_id: string }[] }>('GET', path, { apiKey });
    return body.sessions.map(({ session_id }) => session_id);
  }
});
