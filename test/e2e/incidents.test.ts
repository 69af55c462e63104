/** Ending many sessions by a query: what matches, what is ended, and what is left behind when it is cut short. */
import { beforeEach, describe, expect, test } from '@jest/globals';
import { SessionStore, type Session } from '../../src/sessions/session.js';
import { entriesOf } from '../audit/audit-calls.js';
import { aSession } from '../contract/samples.js';
import { STORES, type HttpAnswer, type TestTenant } from '../support/test-service.js';
import { useService } from './use-service.js';

interface Step {
  incident_id: string | null;
  scanned: number;
  matched: number;
  revoked_count: number;
  live: number;
  sample: { session_id: string; user_id: string }[];
  next_cursor?: string;
}

describe.each(STORES)('an incident on $name', ({ prepare }) => {
  const service = useService(prepare);
  let acme: TestTenant;

  beforeEach(async () => {
    acme = await service().tenant();
  });

  const store = () => service().app.get(SessionStore, { strict: false });
  const step = (body: object, tenant = acme, apiKey = tenant.apiKey): Promise<HttpAnswer<Step>> =>
    service().call<Step>('POST', `/tenants/${tenant.tenantId}/revoke-matching`, {
      apiKey,
      body: { reason: 'security_incident', ...body },
    });

  /** All steps, one after the other. */
  const run = async (body: object): Promise<Step & { steps: number }> => {
    let named: object = {};
    for (let steps = 1; ; steps++) {
      const { status, body: answer } = await step({ ...body, ...named });
      if (status !== 200) throw new Error(`answered ${status}: ${JSON.stringify(answer)}`);
      if (answer.next_cursor === undefined) return { ...answer, steps };
      named = {
        cursor: answer.next_cursor,
        ...(answer.incident_id === null ? {} : { incident_id: answer.incident_id }),
      };
    }
  };

  /** Straight into the store: it is many times faster than logins. */
  const sessionsOf = (users: readonly string[], more: Partial<Session> = {}): Promise<Session[]> => {
    const createdAtMs = service().clock.nowMs();
    return Promise.all(
      users.map(async (userId) => {
        const session = aSession(acme.tenantId, { userId, epoch: 1, createdAtMs, ...more });
        await store().create(session, 1000);
        return session;
      }),
    );
  };
  const users = (count: number, prefix = 'user-') => Array.from({ length: count }, (_, at) => prefix + at);
  const isLive = async ({ sessionId }: Session): Promise<boolean> =>
    (await store().find(acme.tenantId, sessionId, service().clock.nowMs())) !== null;
  const aliveOf = async (sessions: readonly Session[]): Promise<number> =>
    (await Promise.all(sessions.map(isLive))).filter(Boolean).length;

  test('counts and shows in a dry run, ends nothing and leaves nothing in the audit', async () => {
    const matching = await sessionsOf(users(30, 'temp-'));
    await sessionsOf(users(10));
    const dry = await run({ user_prefix: 'temp-', dry_run: true });
    expect(dry).toMatchObject({ incident_id: null, matched: 30, scanned: 40, revoked_count: 0, live: 40 });
    expect(dry.sample).toHaveLength(20);
    expect(dry.sample.every(({ user_id: user }) => user.startsWith('temp-'))).toBe(true);
    expect(await aliveOf(matching)).toBe(30);
    const entries = await entriesOf(service(), acme);
    expect(entries.filter(({ action }) => action.startsWith('incident'))).toEqual([]);
  });

  test('takes what a caller wrote for text: no character of it is a pattern', async () => {
    const names = [
      'a.c',
      'abc',
      'a*',
      'axx',
      '[a]',
      'a',
      '^a',
      '.*',
      '%',
      '_',
      "a' OR '1'='1",
      'a\\',
      '{}',
      '🔑',
    ];
    await sessionsOf(names);
    for (const user_prefix of ['a.', 'a*', '[a]', '^', '.*', '%', '_', "a'", 'a\\', '{', '🔑', '*', '?']) {
      const wanted = names.filter((name) => name.startsWith(user_prefix)).length;
      expect([user_prefix, (await run({ user_prefix, dry_run: true })).matched]).toEqual([
        user_prefix,
        wanted,
      ]);
    }
    expect((await run({ user_prefix: 'A', dry_run: true })).matched).toBe(0);
  });

  test('goes by when a session began, and by all criteria together', async () => {
    const [old] = await sessionsOf(['alice']);
    service().clock.advanceSeconds(60);
    const boundary = new Date(service().clock.nowMs()).toISOString();
    const [fresh] = await sessionsOf(['alice']);
    expect((await run({ created_before: boundary, dry_run: true })).sample).toMatchObject([
      { session_id: old?.sessionId },
    ]);
    expect((await run({ created_after: boundary, dry_run: true })).sample).toMatchObject([
      { session_id: fresh?.sessionId },
    ]);
    const both = { created_after: boundary, user_prefix: 'bob', dry_run: true };
    expect((await run(both)).matched).toBe(0);
  });

  test('compares metadata as text, of whole values and of entries', async () => {
    const device = 'phone*';
    await sessionsOf(['alice'], { metadata: { device, mfa: true, level: 2, roles: ['admin', 'audit'] } });
    await sessionsOf(['bob'], { metadata: { device: 'phone7' } });
    const found = async (metadata: object) => (await run({ metadata, dry_run: true })).matched;
    expect(await found({ device })).toBe(1);
    expect(await found({ mfa: 'true', level: '2', roles: 'audit' })).toBe(1);
    expect(await found({ roles: 'admin,audit' })).toBe(0);
    expect(await found({ device, level: '3' })).toBe(0);
    expect(await found({ toString: 'function toString() { [native code] }' })).toBe(0);
  });

  test('finds every session that may have a token by a key', async () => {
    const { clock } = service();
    const kidOf = (token: string) =>
      (JSON.parse(Buffer.from(token.split('.')[0] ?? '', 'base64url').toString()) as { kid: string }).kid;
    const before = await service().createSession(acme, { user_id: 'before' });
    clock.advanceSeconds(600);
    await service().asPlatform('POST', `/tenants/${acme.tenantId}/keys/rotate?now=true`);
    clock.advanceSeconds(600);
    const after = await service().createSession(acme, { user_id: 'after' });
    const [old, young] = [kidOf(before.access_token), kidOf(after.access_token)];
    expect(old).not.toBe(young);
    const usersBy = async (kid: string) =>
      (await run({ kid, dry_run: true })).sample.map(({ user_id: user }) => user).toSorted();
    expect([await usersBy(old), await usersBy(young)]).toEqual([['before'], ['after']]);
    await service().refresh(acme, before.refresh_token);
    expect(await usersBy(young)).toEqual(['after', 'before']);
    await service().asPlatform('DELETE', `/tenants/${acme.tenantId}/keys/${young}`);
    expect(await usersBy(young)).toEqual(['after', 'before']);
    expect((await step({ kid: 'of-nobody' })).status).toBe(400);
  });

  test('ends all that match and no other in bounded steps, while others log in and refresh', async () => {
    const matching = await sessionsOf(users(900, 'temp-'));
    const others = await sessionsOf(users(100));
    const real = await Promise.all(
      users(5, 'temp-real-').map((user_id) => service().createSession(acme, { user_id })),
    );
    service().clock.advanceSeconds(1);
    const created_before = new Date(service().clock.nowMs()).toISOString();
    const [done, late] = await Promise.all([
      run({ user_prefix: 'temp-', created_before }),
      Promise.all(users(10, 'temp-late-').map((user_id) => service().createSession(acme, { user_id }))),
      ...real.map(({ refresh_token: token }) => service().refresh(acme, token)),
    ]);
    expect(done.steps).toBeGreaterThan(1);
    expect(done.revoked_count).toBe(905);
    expect([await aliveOf(matching), await aliveOf(others)]).toEqual([0, 100]);
    for (const { access_token: token } of real) {
      expect((await service().validate(acme, token)).body['error']).toBe('token_revoked');
      expect((await service().validate(acme, token, 'store')).body['error']).toBe('token_revoked');
    }
    for (const { access_token: token } of late) {
      expect((await service().validate(acme, token, 'store')).status).toBe(200);
    }
  });

  test('is one incident in the audit, and in the story of each session', async () => {
    const sessions = await sessionsOf(['temp-1', 'temp-2']);
    const { incident_id: id } = await run({ user_prefix: 'temp-', comment: 'stolen laptop' });
    const entries = await entriesOf(service(), acme);
    const ofIncident = entries.filter(({ details }) => details?.['incident_id'] === id).toReversed();
    expect(ofIncident.map(({ action, user_id: user, comment }) => [action, user, comment])).toEqual([
      ['incident_begun', undefined, 'stolen laptop'],
      ['session_ended', expect.stringMatching(/^temp-[12]$/), 'stolen laptop'],
      ['session_ended', expect.stringMatching(/^temp-[12]$/), 'stolen laptop'],
      ['incident_completed', undefined, 'stolen laptop'],
    ]);
    expect(ofIncident[0]?.details).toMatchObject({ query: { user_prefix: 'temp-' } });
    expect(ofIncident[3]?.details).toMatchObject({ matched: 2, ended: 2 });
    const path = `/sessions/${sessions[0]?.sessionId}/history`;
    const { body } = await service().call('GET', path, { apiKey: acme.apiKey });
    expect(body['summary']).toContain(`It was part of incident ${id}.`);
  });

  test('goes on after it was cut short, from a step or from the beginning, and ends nothing twice', async () => {
    const sessions = await sessionsOf(users(900));
    const first = (await step({ user_prefix: 'user-' })).body;
    expect(first.next_cursor).toBeDefined();
    expect(first.revoked_count).toBeLessThan(900);
    // One more ending was cut short: blocked, and not announced.
    const live = await Promise.all(sessions.map(isLive));
    const half = sessions.find((_, at) => live[at]);
    await store().revoke(acme.tenantId, half?.sessionId ?? '', 'admin', service().clock.nowMs());
    const resumed = await run({ user_prefix: 'user-', incident_id: first.incident_id });
    expect(resumed.incident_id).toBe(first.incident_id);
    expect(resumed.revoked_count).toBe(900 - first.revoked_count - 1);
    // The step that had been answered already is asked for again.
    const again = await run({
      user_prefix: 'user-',
      incident_id: first.incident_id,
      cursor: first.next_cursor,
    });
    expect(again.revoked_count).toBe(first.revoked_count);
    expect(await aliveOf(sessions)).toBe(0);
    const { body } = await service().call<{ entries: { details: object }[] }>(
      'GET',
      `/tenants/${acme.tenantId}/audit?action=session_ended&session_id=${half?.sessionId}`,
      { apiKey: acme.apiKey },
    );
    expect(body.entries).toMatchObject([{ details: { again: true, incident_id: first.incident_id } }]);
  });

  test('ends each session once when two run at once', async () => {
    const sessions = await sessionsOf(users(600));
    const both = await Promise.all([run({ user_prefix: 'user-' }), run({ user_prefix: 'user-' })]);
    expect(both[0].incident_id).not.toBe(both[1].incident_id);
    expect(both[0].revoked_count + both[1].revoked_count).toBe(600);
    expect(await aliveOf(sessions)).toBe(0);
  });

  test('is for its own tenant: with tenants swapped there is nothing', async () => {
    const bravo = await service().tenant();
    const sessions = await sessionsOf(users(700));
    const query = { user_prefix: 'user-' };
    expect(await step(query, acme, bravo.apiKey)).toMatchObject({
      status: 404,
      body: { error: 'tenant_not_found' },
    });
    expect((await step(query, bravo)).body).toMatchObject({ scanned: 0, matched: 0, revoked_count: 0 });
    expect(await aliveOf(sessions)).toBe(700);
    const { incident_id, next_cursor: cursor } = (await step(query)).body;
    for (const [tenant, body] of [
      [bravo, { ...query, incident_id }],
      [bravo, { ...query, incident_id, cursor }],
      [acme, { user_prefix: 'user', incident_id, cursor }],
      [acme, { ...query, incident_id, reason: 'admin' }],
      [acme, { ...query, cursor }],
      [acme, { ...query, incident_id, cursor: `${cursor}x` }],
      [acme, { ...query, incident_id: `${incident_id}x` }],
      [acme, { ...query, dry_run: true, cursor }],
      [acme, { ...query, incident_id: 'x', cursor: 'e30.x' }],
    ] as const) {
      expect((await step(body, tenant)).status).toBe(400);
    }
    const { api_key: reader } = (
      await service().post<{ api_key: string }>(acme, `/tenants/${acme.tenantId}/api-keys`, {
        name: 'reader',
        scopes: ['sessions:read'],
      })
    ).body;
    expect((await step({ ...query, dry_run: true }, acme, reader)).status).toBe(403);
  });

  test.each([
    [{}],
    [{ user_prefix: '' }],
    [{ user_prefix: 'a\u0000' }],
    [{ created_before: 'yesterday' }],
    [{ created_before: '2026-13-01T00:00:00Z' }],
    [{ created_before: 1795000000 }],
    [{ metadata: {} }],
    [{ metadata: { level: 2 } }],
    [{ metadata: ['device'] }],
    [{ kid: '*' }],
    [{ user_prefix: 'a', reason: 'boredom' }],
    [{ user_prefix: 'a', sessions: 'all' }],
  ])('refuses %j', async (body) => {
    expect((await step(body)).status).toBe(400);
  });
});
