/** The audit over HTTP: what is kept of each change and refusal, and how it is found. */
import { beforeEach, describe, expect, test } from '@jest/globals';
import { STORES, type TestTenant } from '../support/test-service.js';
import { useService } from '../e2e/use-service.js';
import { entriesOf, signed, verificationOf } from './audit-calls.js';

describe.each(STORES)('the audit on $name', ({ prepare }) => {
  const service = useService(prepare);
  let acme: TestTenant;
  let actor: unknown;

  beforeEach(async () => {
    acme = await service().tenant();
    actor = { kind: 'api_key', key_id: acme.apiKey.split('_')[2], name: 'first' };
  });

  const list = (query = '', apiKey = acme.apiKey) =>
    service().call('GET', `/tenants/${acme.tenantId}/audit${query}`, { apiKey });

  test('tells of a session from its beginning to its end, newest first', async () => {
    const { session_id, refresh_token } = await service().createSession(acme);
    await service().refresh(acme, refresh_token);
    await service().revoke(acme, refresh_token, { reason: 'admin', comment: 'asked for by phone' });
    const entries = await entriesOf(service(), acme);
    expect(entries.map(({ seq, action }) => [seq, action])).toEqual([
      [4, 'session_ended'],
      [3, 'session_refreshed'],
      [2, 'session_created'],
      [1, 'tenant_created'],
    ]);
    expect(entries[0]).toEqual({
      seq: 4,
      hash: expect.stringMatching(/^[0-9a-f]{64}$/),
      time: new Date(service().clock.nowMs()).toISOString(),
      tenant_id: acme.tenantId,
      action: 'session_ended',
      actor,
      outcome: 'ok',
      request_id: expect.any(String),
      source_address: '127.0.0.1',
      user_id: 'alice',
      session_id,
      reason: 'admin',
      comment: 'asked for by phone',
    });
  });

  test('finds entries by user, session, action and time, and pages through them', async () => {
    const sessions = [];
    for (const user_id of ['alice', 'bob', 'alice']) {
      service().clock.advanceSeconds(10);
      sessions.push(await service().createSession(acme, { user_id }));
    }
    const [first, second, third] = sessions;
    await service().revoke(acme, String(second?.access_token));
    const ids = async (query: string) =>
      (await entriesOf(service(), acme, query)).map(({ session_id }) => session_id);
    expect(await ids('&user_id=alice')).toEqual([third?.session_id, first?.session_id]);
    expect(await ids(`&session_id=${second?.session_id}`)).toEqual([second?.session_id, second?.session_id]);
    expect(await ids('&action=session_ended')).toEqual([second?.session_id]);
    expect(await ids('&action=session_ended&user_id=alice')).toEqual([]);
    const times = (await entriesOf(service(), acme, '&action=session_created')).map(({ time }) => time);
    expect(await ids(`&action=session_created&from=${times[1]}`)).toEqual([
      third?.session_id,
      second?.session_id,
    ]);
    expect(await ids(`&action=session_created&to=${times[1]}`)).toEqual([first?.session_id]);
    const page = await list('?limit=2');
    expect(page.body).toMatchObject({ entries: [{ seq: 5 }, { seq: 4 }], next_cursor: '4' });
    await service().createSession(acme);
    expect((await list('?limit=2&cursor=4')).body).toMatchObject({ entries: [{ seq: 3 }, { seq: 2 }] });
  });

  test.each([
    ['?from=yesterday', 'from must be'],
    ['?from=2026-02-30T00:00:00Z', 'from must be'],
    ['?to=2026-13-01T00:00:00Z', 'to must be'],
    ['?action=tea', 'action'],
    ['?limit=501', 'limit'],
    ['?cursor=-1', 'cursor'],
    ['?other=1', 'not known'],
  ])('refuses %s in words', async (query, words) => {
    const { status, body } = await list(query);
    expect([status, body['error']]).toEqual([400, 'invalid_request']);
    expect(body['error_description']).toContain(words);
  });

  test('shows nothing of one tenant to another, nor to a key without the scope', async () => {
    const other = await service().tenant();
    expect((await list('', other.apiKey)).body).toMatchObject({ error: 'tenant_not_found' });
    const { body } = await service().asPlatform('POST', `/tenants/${acme.tenantId}/api-keys`, {
      name: 'no audit',
      scopes: ['sessions:read'],
    });
    expect((await list('', String(body['api_key']))).body).toMatchObject({ error: 'insufficient_scope' });
  });

  test('records who was refused, once a minute for each kind, with how many more there were', async () => {
    for (let n = 0; n < 5; n++) await service().call('GET', '/tenants', { apiKey: acme.apiKey });
    await service().call('GET', '/tenants/other/audit', { apiKey: acme.apiKey });
    service().clock.advanceSeconds(61);
    await service().call('GET', '/tenants', { apiKey: acme.apiKey });
    const refusals = await entriesOf(service(), acme, '&action=request_refused');
    expect(refusals.map((entry) => [entry.outcome, entry.details, entry.actor])).toEqual([
      ['insufficient_scope', { repeated: 4 }, actor],
      ['tenant_not_found', undefined, actor],
      ['insufficient_scope', undefined, actor],
    ]);
  });

  test('keeps what happened to a tenant beyond its end, for the platform alone', async () => {
    await service().asPlatform('DELETE', `/tenants/${acme.tenantId}`);
    expect((await entriesOf(service(), acme)).map(({ action }) => action)).toEqual([
      'tenant_deleted',
      'tenant_created',
    ]);
    service().clock.advanceSeconds(1);
    const { body } = await service().asPlatform('POST', '/tenants', { tenant_id: acme.tenantId });
    const seen = await list('', String(body['api_key']));
    expect(seen.body).toMatchObject({ entries: [{ seq: 3, action: 'tenant_created' }] });
  });

  test('is signed when its time has come, and verifies', async () => {
    await service().createSession(acme);
    await signed(service(), acme);
    const verification = await verificationOf(service(), acme);
    expect(verification).toMatchObject({
      intact: true,
      from: 1,
      through: 3,
      losses: [],
      signed_through: { seq: 2, kid: expect.any(String), thumbprint: expect.any(String) },
      head: { seq: 3 },
    });
    expect(verification).not.toHaveProperty('problem');
  });
});
