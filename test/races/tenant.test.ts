import { afterAll, beforeAll, describe, expect, test } from '@jest/globals';
import type { TenantPrincipal } from '../../src/http/principal.js';
import type { IssuedTokens } from '../../src/sessions/session-tokens.js';
import { SessionsService } from '../../src/sessions/sessions.service.js';
import { after, anyBelow, callerOf, DEAD, lifeOf, refreshOrCode, times } from '../support/racing.js';
import { STORES, TestService } from '../support/test-service.js';

const EPOCHS = 12;

describe.each(STORES)('changes of a tenant that race, on $name', ({ prepare }) => {
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

  test('creates a tenant once, however many ask for its id at once, and that one works', async () => {
    for (const tenantId of ['contested-1', 'contested-2']) {
      const body = { tenant_id: tenantId };
      const answers = await Promise.all(times(10, () => service.asPlatform('POST', '/tenants', body)));
      const count = (wanted: number): number => answers.filter(({ status }) => status === wanted).length;
      expect([count(201), count(409)]).toEqual([1, 9]);
      const winner = answers.find(({ status }) => status === 201);
      const tenant = { tenantId, apiKey: String(winner?.body['api_key']) };
      const { access_token } = await service.createSession(tenant);
      expect((await service.validate(tenant, access_token, 'store')).status).toBe(200);
      const { body: keys } = await service.call<{ keys: unknown[] }>('GET', `/tenants/${tenantId}/jwks`);
      expect(keys.keys).toHaveLength(1);
    }
  });

  test('loses none of the changes made to different settings at once', async () => {
    const { tenantId } = await service.tenant();
    for (let round = 1; round <= 5; round++) {
      const changes: Record<string, unknown>[] = [
        { access_token_ttl_seconds: 100 + round },
        { refresh_token_ttl_seconds: 1000 + round },
        { session_max_lifetime_seconds: 10_000 + round },
        { refresh_grace_seconds: 20 + round },
        { max_sessions_per_user: 30 + round },
        { audience: `audience-${round}` },
        { on_store_outage: round % 2 ? 'refuse' : 'serve' },
        { name: `name-${round}` },
      ];
      const answers = await Promise.all(
        changes.map((change) => service.asPlatform('PATCH', `/tenants/${tenantId}`, change)),
      );
      expect(answers.map(({ status }) => status)).toEqual(changes.map(() => 200));
      const { body } = await service.asPlatform('GET', `/tenants/${tenantId}`);
      expect(body).toMatchObject(Object.assign({}, ...changes) as Record<string, unknown>);
    }
  });

  test('gives several revocations of a tenant at once a later epoch each, though perhaps the same', async () => {
    const acme = await service.tenant();
    const before = await service.createSession(acme);
    const path = `/tenants/${acme.tenantId}/revoke-all`;
    const revocation = { reason: 'security_incident' };
    const answers = await Promise.all(times(8, () => service.asPlatform('POST', path, revocation)));
    expect(answers.map(({ status }) => status)).toEqual(times(8, () => 200));
    for (const { body } of answers) expect(body['epoch']).toBeGreaterThan(1);
    expect((await service.validate(acme, before.access_token, 'skip')).status).toBe(401);
    expect((await service.refresh(acme, before.refresh_token)).status).toBe(401);
    const { access_token } = await service.createSession(acme);
    expect((await service.validate(acme, access_token, 'store')).status).toBe(200);
  });

  test('lets nothing of an ended epoch validate, whatever was under way when it ended', async () => {
    const acme = await service.tenant();
    const sessions = service.app.get(SessionsService);
    const caller = callerOf(acme);
    const create = (userId: string) =>
      sessions.create(caller, { tenantId: acme.tenantId, userId, scope: '', metadata: {} });
    const met = { alive: 0, dead: 0 };
    for (let epoch = 0; epoch < EPOCHS || (met.dead === 0 && epoch < 10 * EPOCHS); epoch++) {
      const old = await Promise.all(times(4, (at) => create(`old-${epoch}-${at}`)));
      const race = { isOver: false };
      const ending = sessions
        .revokeTenant(acme.tenantId, 'security_incident')
        .finally(() => (race.isOver = true));
      const lineages = Promise.all(old.map((first) => refreshUntilOver(sessions, caller, first, race)));
      const created: { userId: string; tokens: IssuedTokens }[] = [];
      while (!race.isOver) {
        const userId = `new-${epoch}-${created.length}`;
        created.push({ userId, tokens: await after(anyBelow(3), () => create(userId)) });
      }
      await ending;
      for (const tokens of (await lineages).flat()) {
        expect(await sessions.validate(caller, tokens.accessToken, 'store')).toMatchObject({ valid: false });
        expect(await lifeOf(sessions, caller, 'nobody', tokens)).toEqual(DEAD);
      }
      for (const { userId, tokens } of created) {
        const life = await lifeOf(sessions, caller, userId, tokens);
        expect(new Set(Object.values(life)).size).toBe(1); // wholly alive or wholly dead
        met[life.listed ? 'alive' : 'dead']++;
      }
    }
    expect(met.dead).toBeGreaterThan(0);
  });
});

/** Refreshes again and again. @returns every pair of tokens that came of it */
async function refreshUntilOver(
  sessions: SessionsService,
  caller: TenantPrincipal,
  first: IssuedTokens,
  race: { isOver: boolean },
): Promise<IssuedTokens[]> {
  const lineage = [first];
  while (!race.isOver) {
    const newest = lineage.at(-1) ?? first;
    const refreshed = await after(anyBelow(3), () => refreshOrCode(sessions, caller, newest.refreshToken));
    if (typeof refreshed === 'string') {
      expect(refreshed).toBe('token_revoked');
      break;
    }
    lineage.push(refreshed);
  }
  return lineage;
}
