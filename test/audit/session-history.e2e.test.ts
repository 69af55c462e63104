/** Why did this session end? Told in words that can be read out. */
import { beforeEach, describe, expect, test } from '@jest/globals';
import type { SessionHistoryDto } from '../../src/audit/session-history.dto.js';
import { useService } from '../e2e/use-service.js';
import { STORES, type TestTenant } from '../support/test-service.js';

describe.each(STORES)('the history of a session on $name', ({ prepare }) => {
  const service = useService(prepare);
  let acme: TestTenant;
  let by: string;

  beforeEach(async () => {
    acme = await service().tenant();
    by = `API key “first” (${acme.apiKey.split('_')[2]})`;
  });

  const spoken = () =>
    `${new Date(service().clock.nowMs()).toISOString().slice(0, 19).replace('T', ' ')} UTC`;

  async function history(sessionId: string, apiKey = acme.apiKey): Promise<SessionHistoryDto> {
    const answer = await service().call<SessionHistoryDto>('GET', `/sessions/${sessionId}/history`, {
      apiKey,
    });
    expect(answer.status).toBe(200);
    return answer.body;
  }

  const texts = async (sessionId: string) => (await history(sessionId)).events.map(({ text }) => text);

  test('begins with who created it, and says that it lives', async () => {
    const created = spoken();
    const { session_id } = await service().createSession(acme);
    expect(await history(session_id)).toMatchObject({
      session_id,
      user_id: 'alice',
      state: 'live',
      summary: expect.stringContaining(`The session of user “alice” was created at ${created} by ${by}.`),
      events: [{ what: 'session_created', text: `Created for user “alice” by ${by}.`, seq: 2 }],
    });
  });

  test('ends with who ended it and why, also when it is gone', async () => {
    const { session_id, refresh_token } = await service().createSession(acme);
    await service().refresh(acme, refresh_token);
    await service().refresh(acme, refresh_token);
    await service().revoke(acme, refresh_token, { reason: 'admin', comment: 'lost phone' });
    const told = await history(session_id);
    const ending = `Ended by an administrator, through ${by}. Comment: “lost phone”.`;
    expect(told.state).toBe('ended');
    expect(told.summary).toContain(`At ${spoken()}: ${ending}`);
    expect(told.events.map(({ text }) => text)).toEqual([
      `Created for user “alice” by ${by}.`,
      `Refreshed by ${by}: new tokens were issued.`,
      `Refreshed again with the same token by ${by}, and answered as before: an answer was lost, or two asked at once.`,
      ending,
    ]);
  });

  test('tells of a stolen refresh token, and which one came back', async () => {
    const { session_id, refresh_token } = await service().createSession(acme);
    await service().refresh(acme, refresh_token);
    service().clock.advanceSeconds(3600);
    await service().refresh(acme, refresh_token);
    const [, , ending] = await texts(session_id);
    expect(ending).toContain(
      'Ended for safety: an old refresh token came back (the one that had been replaced last',
    );
  });

  test('tells of too many sessions, and of whose login it was', async () => {
    const small = await service().tenant({ max_sessions_per_user: 1 });
    const { session_id } = await service().createSession(small);
    await service().createSession(small);
    const told = await history(session_id, small.apiKey);
    expect(told.events.at(-1)?.text).toContain('as many sessions as allowed and this was the oldest');
  });

  test('tells of an end of all sessions of the tenant', async () => {
    const { session_id } = await service().createSession(acme);
    await service().asPlatform('POST', `/tenants/${acme.tenantId}/revoke-all`, {
      reason: 'security_incident',
    });
    const told = await history(session_id);
    expect(told.state).toBe('ended');
    expect(told.events.at(-1)).toMatchObject({
      what: 'tenant_revoked',
      text: 'All sessions of the tenant were ended by the platform (security_incident).',
    });
  });

  test('tells that it ran out', async () => {
    const brief = await service().tenant({ refresh_token_ttl_seconds: 60 });
    const { session_id } = await service().createSession(brief);
    service().clock.advanceSeconds(61);
    const told = await history(session_id, brief.apiKey);
    expect(told.state).toBe('expired');
    expect(told.events.at(-1)?.text).toBe('It ran out: nobody had refreshed it in time.');
  });

  test('gathers refreshes in a row into one event', async () => {
    let { session_id, refresh_token } = await service().createSession(acme);
    for (let n = 0; n < 5; n++) {
      service().clock.advanceSeconds(60);
      ({ refresh_token } = (await service().refresh(acme, refresh_token)).body);
    }
    expect(await texts(session_id)).toEqual([
      `Created for user “alice” by ${by}.`,
      `Refreshed 5 times by ${by}, the last time at ${spoken()}.`,
    ]);
  });

  test('tells of one token that was revoked alone', async () => {
    const { session_id, access_token } = await service().createSession(acme);
    await service().revoke(acme, access_token, { reason: 'security_incident', only_this_token: true });
    const told = await history(session_id);
    expect(told.state).toBe('live');
    expect(told.events.at(-1)?.text).toContain('One of its access tokens was revoked');
  });

  test('is not there for another tenant, nor for a session that never was', async () => {
    const { session_id } = await service().createSession(acme);
    const other = await service().tenant();
    for (const [id, apiKey] of [
      [session_id, other.apiKey],
      ['A'.repeat(26), acme.apiKey],
      ['nothing', acme.apiKey],
    ] as const) {
      const { status, body } = await service().call('GET', `/sessions/${id}/history`, { apiKey });
      expect([status, body['error']]).toEqual([404, 'session_not_found']);
    }
  });
});
