import { afterAll, beforeAll, describe, expect, test } from '@jest/globals';
import type { IssuedTokens } from '../../src/sessions/session-tokens.js';
import { SessionsService } from '../../src/sessions/sessions.service.js';
import { after, ALIVE, anyBelow, callerOf, lifeOf, refreshOrCode, rounds, times } from '../support/racing.js';
import { STORES, TestService, type TestTenant } from '../support/test-service.js';

const CONTENDERS = 50;
const GENERATIONS = 4;
const ROUNDS = 500; // on each of two stores
const HTTP_ROUNDS = 40;

describe.each(STORES)('refreshes that race, on $name', ({ prepare }) => {
  let service: TestService;
  let dispose: () => Promise<void>;
  let acme: TestTenant;

  beforeAll(async () => {
    const store = await prepare();
    dispose = store.dispose;
    service = await TestService.start(store.env);
    acme = await service.tenant();
  });

  afterAll(async () => {
    await service.stop();
    await dispose();
  });

  test('answers 50 refreshes of one token at once with one successor, generation after generation', async () => {
    const created = await service.createSession(acme, { user_id: 'fifty' });
    let refreshToken = created.refresh_token;
    for (let generation = 0; generation < GENERATIONS; generation++) {
      const answers = await Promise.all(times(CONTENDERS, () => service.refresh(acme, refreshToken)));
      expect(answers.map(({ status }) => status)).toEqual(times(CONTENDERS, () => 200));
      const successors = new Set(answers.map(({ body }) => body.refresh_token));
      expect(successors.size).toBe(1);
      expect(successors).not.toContain(refreshToken);
      const checks = answers.map(({ body }) => service.validate(acme, body.access_token, 'store'));
      expect((await Promise.all(checks)).every(({ status }) => status === 200)).toBe(true);
      [refreshToken = ''] = successors;
      service.clock.advanceSeconds(60); // far beyond the grace window of the generation before
    }
    const last = await service.refresh(acme, refreshToken);
    expect(last.status).toBe(200);
    expect((await service.validate(acme, last.body.access_token, 'store')).status).toBe(200);
  });

  test('keeps no token of a session alive whose revocation was answered, in 500 races with a refresh', async () => {
    const sessions = service.app.get(SessionsService);
    const caller = callerOf(acme);
    const outcomes = { refreshed: 0, refused: 0 };
    await rounds(
      ROUNDS,
      async (number) => {
        const userId = `revoked-${number}`;
        const issued = await sessions.create(caller, {
          tenantId: acme.tenantId,
          userId,
          scope: '',
          metadata: {},
        });
        const revoke = async (): Promise<void> => {
          await sessions.revoke(caller, number % 2 ? issued.accessToken : issued.refreshToken, {
            reason: 'admin',
          });
          expect(await sessions.validate(caller, issued.accessToken, 'store')).toMatchObject({
            valid: false,
          });
          expect(await refreshOrCode(sessions, caller, issued.refreshToken)).toBe('token_revoked');
        };
        const [refreshed] = await Promise.all([
          after(anyBelow(4), () => refreshOrCode(sessions, caller, issued.refreshToken)),
          after(anyBelow(4), revoke),
        ]);
        outcomes[typeof refreshed === 'string' ? 'refused' : 'refreshed']++;
        const candidates: IssuedTokens[] = typeof refreshed === 'string' ? [issued] : [issued, refreshed];
        for (const tokens of candidates) {
          expect(await refreshOrCode(sessions, caller, tokens.refreshToken)).toBe('token_revoked');
          expect(await sessions.validate(caller, tokens.accessToken, 'store')).toEqual({
            valid: false,
            error: 'token_revoked',
          });
        }
        expect(await sessions.list(caller, { tenantId: acme.tenantId, userId })).toEqual([]);
      },
      () => outcomes.refreshed > 0 && outcomes.refused > 0,
    );
    expect(outcomes.refreshed).toBeGreaterThan(0); // both orders were met, or it was no race
    expect(outcomes.refused).toBeGreaterThan(0);
  });

  test('keeps no token alive over HTTP either, whether the session was revoked or deleted', async () => {
    const met = { refreshed: 0, refused: 0 };
    await rounds(
      HTTP_ROUNDS,
      async (number) => {
        const created = await service.createSession(acme, { user_id: `http-${number}` });
        const end = () =>
          number % 2
            ? service.revoke(acme, created.refresh_token)
            : service.call('DELETE', `/sessions/${created.session_id}`, { apiKey: acme.apiKey });
        const [refreshed, ended] = await Promise.all([
          after(anyBelow(3), () => service.refresh(acme, created.refresh_token)),
          after(anyBelow(3), end),
        ]);
        expect(ended.status).toBe(204);
        met[refreshed.status === 200 ? 'refreshed' : 'refused']++;
        for (const tokens of refreshed.status === 200 ? [created, refreshed.body] : [created]) {
          expect(await service.refresh(acme, tokens.refresh_token)).toMatchObject({
            status: 401,
            body: { error: 'token_revoked' },
          });
          expect(await service.validate(acme, tokens.access_token, 'store')).toMatchObject({ status: 401 });
        }
        const read = await service.call('GET', `/sessions/${created.session_id}`, { apiKey: acme.apiKey });
        expect(read).toMatchObject({ status: 404, body: { error: 'session_not_found' } });
      },
      () => met.refreshed > 0 && met.refused > 0,
    );
    expect(met.refreshed).toBeGreaterThan(0); // both orders were met, or it was no race
    expect(met.refused).toBeGreaterThan(0);
  });

  test('leaves the session of another user alone while it races', async () => {
    const sessions = service.app.get(SessionsService);
    const caller = callerOf(acme);
    const wanted = { tenantId: acme.tenantId, scope: '', metadata: {} };
    const kept = await sessions.create(caller, { ...wanted, userId: 'kept' });
    const ended = await sessions.create(caller, { ...wanted, userId: 'ended' });
    await Promise.all([
      ...times(10, () => sessions.refresh(caller, kept.refreshToken)),
      sessions.revoke(caller, ended.accessToken, { reason: 'admin' }),
    ]);
    const { refreshToken } = await sessions.refresh(caller, kept.refreshToken);
    expect(await lifeOf(sessions, caller, 'kept', { ...kept, refreshToken })).toEqual(ALIVE);
  });
});
