/** What features tell, as whoever listens hears it: once, with who did it. */
import { subscribe, unsubscribe } from 'node:diagnostics_channel';
import { beforeAll, describe, expect, test } from '@jest/globals';
import type { Happening } from '../../src/happening.js';
import { Happenings, type Circumstances } from '../../src/http/happenings.js';
import { KeyLifecycleService } from '../../src/keys/key-lifecycle.service.js';
import { ADMIN_API_KEY, STORES, type TestTenant } from '../support/test-service.js';
import { useService } from './use-service.js';

type Heard = Circumstances & { readonly happenings: readonly Happening[] };

describe.each(STORES)('on $name, what happens is told', ({ prepare }) => {
  const service = useService(prepare);
  const heard: Heard[] = [];
  let acme: TestTenant;
  let keyId: string;

  beforeAll(async () => {
    service()
      .app.get(Happenings)
      .subscribe({
        hear: (happenings, circumstances) => heard.push({ happenings, ...circumstances }),
      });
    acme = await service().tenant();
    keyId = acme.apiKey.split('_')[2] ?? '';
  });

  /** What was delivered while `act` ran. */
  async function during(act: () => Promise<unknown>): Promise<Heard[]> {
    const before = heard.length;
    await act();
    return heard.slice(before);
  }

  test('with the request, the API key and its name, the source and the comment', async () => {
    const { session_id: sessionId, access_token: token } = await service().createSession(acme);
    const told = await during(() =>
      service().call('POST', '/sessions/revoke', {
        apiKey: acme.apiKey,
        body: { token, reason: 'admin', comment: 'asked for by phone' },
        headers: { 'x-request-id': 'request-1' },
      }),
    );
    const { tenantId } = acme;
    const ended = { kind: 'session_ended', tenantId, sessionId, userId: 'alice' };
    expect(told).toEqual([
      {
        happenings: [{ ...ended, reason: 'admin', again: false }],
        atMs: service().clock.nowMs(),
        actor: { kind: 'api_key', tenantId, keyId, name: 'first' },
        requestId: 'request-1',
        sourceAddress: '127.0.0.1',
        comment: 'asked for by phone',
        outcome: 'ok',
      },
    ]);
  });

  test('before the answer leaves', async () => {
    const before = heard.length;
    const toldWhenAnswered: number[] = [];
    const answered = () => toldWhenAnswered.push(heard.length - before);
    subscribe('http.server.response.finish', answered);
    try {
      const { session_id } = await service().createSession(acme);
      await service().call('DELETE', `/sessions/${session_id}`, { apiKey: acme.apiKey });
    } finally {
      unsubscribe('http.server.response.finish', answered);
    }
    expect(toldWhenAnswered).toEqual([1, 2]);
  });

  test('by the platform as the platform, by the service as the service', async () => {
    const [byPlatform] = await during(() =>
      service().asPlatform('POST', `/tenants/${acme.tenantId}/keys/rotate`),
    );
    expect(byPlatform).toMatchObject({
      actor: { kind: 'platform' },
      happenings: [{ kind: 'signing_key_published' }],
    });
    const lifecycle = service().app.get(KeyLifecycleService);
    const [byItself] = await during(() => lifecycle.rotate(acme.tenantId, { now: true }));
    expect(byItself).toMatchObject({
      actor: { kind: 'service' },
      requestId: null,
      happenings: [{ kind: 'signing_key_activated' }],
    });
  });

  test('together with the refusal that it was answered with: a refresh token that came back', async () => {
    const first = await service().createSession(acme);
    const second = await service().refresh(acme, first.refresh_token);
    service().clock.advanceSeconds(60);
    const told = await during(() => service().refresh(acme, first.refresh_token));
    expect(second.status).toBe(200);
    expect(told).toHaveLength(1);
    expect(told[0]).toMatchObject({
      outcome: 'refresh_token_reused',
      happenings: [
        { kind: 'session_ended', reason: 'refresh_token_reused', cause: 'replaced_token', again: false },
        { kind: 'refused', code: 'refresh_token_reused', tenantId: acme.tenantId },
      ],
    });
  });

  test('of refusals once each, whoever refuses: guard, address, body, service', async () => {
    const wrong = { apiKey: acme.apiKey };
    const refusals = await during(async () => {
      await service().call('POST', '/sessions');
      await service().call('GET', '/nowhere');
      await service().call('GET', '/%zz');
      await service().call('POST', '/sessions', { ...wrong, body: '{"a":' });
      await service().call('GET', '/tenants', wrong);
      await service().call('GET', `/sessions/${'A'.repeat(26)}`, wrong);
      await service().call('DELETE', '/tenants/absent', { apiKey: ADMIN_API_KEY });
    });
    expect(refusals.map(({ outcome, actor, happenings }) => [actor.kind, outcome, happenings])).toEqual(
      (
        [
          ['anonymous', 'unauthorized', null],
          ['anonymous', 'not_found', null],
          ['anonymous', 'invalid_request', null],
          ['api_key', 'invalid_request', acme.tenantId],
          ['api_key', 'insufficient_scope', acme.tenantId],
          ['api_key', 'session_not_found', acme.tenantId],
          ['platform', 'tenant_not_found', null],
        ] as const
      ).map(([actor, code, tenantId]) => [actor, code, [{ kind: 'refused', code, tenantId }]]),
    );
  });

  test('of a session that is surplus beside the one that made it so', async () => {
    const small = await service().tenant({ max_sessions_per_user: 1 });
    const oldest = await service().createSession(small);
    service().clock.advanceSeconds(1);
    const [told] = await during(() => service().createSession(small));
    expect(told?.happenings).toMatchObject([
      { kind: 'session_created' },
      { kind: 'session_ended', sessionId: oldest.session_id, reason: 'session_limit', again: false },
    ]);
  });

  test('of a tenant in what changed, old and new', async () => {
    const body = { name: 'Acme', refresh_grace_seconds: 5, status: 'suspended' };
    const [told] = await during(() => service().asPlatform('PATCH', `/tenants/${acme.tenantId}`, body));
    expect(told?.happenings).toEqual([
      {
        kind: 'tenant_changed',
        tenantId: acme.tenantId,
        changes: [
          { setting: 'name', from: acme.tenantId, to: 'Acme' },
          { setting: 'refreshGraceSeconds', from: null, to: 5 },
        ],
      },
      { kind: 'tenant_suspended', tenantId: acme.tenantId },
    ]);
    await service().asPlatform('PATCH', `/tenants/${acme.tenantId}`, { status: 'active' });
  });

  test('of validations and of reading never', async () => {
    const { access_token } = await service().createSession(acme);
    const told = await during(async () => {
      expect((await service().validate(acme, access_token)).status).toBe(200);
      expect((await service().validate(acme, 'a.b.c')).status).toBe(401);
      await service().call('GET', `/tenants/${acme.tenantId}/api-keys`, { apiKey: acme.apiKey });
    });
    expect(told).toEqual([]);
  });
});
