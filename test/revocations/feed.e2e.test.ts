/** A tenant's revocations as a list and as a stream: what a reader hears, in which order, and what ends it. */
import { describe, expect, test } from '@jest/globals';
import { rawRequest } from '../e2e/raw-http.js';
import { partsOf } from '../e2e/token-parts.js';
import { useService } from '../e2e/use-service.js';
import { Scrape } from '../metrics/scrape.js';
import { eventually } from '../support/eventually.js';
import { ADMIN_API_KEY, STORES, type TestTenant } from '../support/test-service.js';
import { FeedClient, type FeedRevocation } from './feed-client.js';

interface List {
  tenant_id: string;
  event_id: string;
  age_ms: number;
  kids: string[];
  revocations: FeedRevocation[];
}

describe.each(STORES)('the revocations of a tenant on $name', ({ prepare }) => {
  const service = useService(prepare);

  const path = ({ tenantId }: TestTenant) => `/tenants/${tenantId}/revocations`;
  const listOf = (tenant: TestTenant) => service().call<List>('GET', path(tenant), { apiKey: tenant.apiKey });
  const endSession = async (tenant: TestTenant) => {
    const { session_id: id, access_token: token } = await service().createSession(tenant);
    await service().revoke(tenant, token);
    return id;
  };
  const publishedKids = async ({ tenantId }: TestTenant) => {
    const { body } = await service().call<{ keys: { kid: string }[] }>('GET', `/tenants/${tenantId}/jwks`);
    return body.keys.map(({ kid }) => kid);
  };
  const issueKey = async ({ tenantId }: TestTenant, more: Record<string, unknown> = {}) => {
    const grant = { name: 'x', scopes: ['revocations:read'], ...more };
    const { body } = await service().asPlatform('POST', `/tenants/${tenantId}/api-keys`, grant);
    return { apiKey: String(body['api_key']), keyId: String(body['key_id']) };
  };

  describe('as a list', () => {
    test('has sessions and single tokens, until when they matter, and the kids of the JWKS', async () => {
      const tenant = await service().tenant();
      const session = await service().createSession(tenant);
      const cut = await service().createSession(tenant);
      await service().revoke(tenant, session.access_token);
      await service().revoke(tenant, cut.access_token, { only_this_token: true });
      const { jti } = partsOf(cut.access_token).claims;
      const { status, headers, body } = await listOf(tenant);
      expect(status).toBe(200);
      expect(headers.get('content-type')).toBe('application/json; charset=utf-8');
      expect(headers.get('cache-control')).toBe('no-store');
      expect(headers.get('vary')).toBe('accept');
      expect(body).toEqual({
        tenant_id: tenant.tenantId,
        event_id: expect.stringMatching(/^[\w-]{22}$/),
        age_ms: expect.any(Number),
        kids: await publishedKids(tenant),
        revocations: expect.any(Array),
      });
      expect(body.revocations.toSorted((a, b) => (a.kind < b.kind ? -1 : 1))).toEqual([
        { id: session.session_id, kind: 'session', expires_at: expect.any(Number) },
        { id: jti, kind: 'token', expires_at: expect.any(Number) },
      ]);
      const { exp } = partsOf(session.access_token).claims;
      for (const { expires_at } of body.revocations) expect(expires_at).toBeGreaterThanOrEqual(Number(exp));
    });

    test('is empty for a tenant that revoked nothing, and open to the platform', async () => {
      const tenant = await service().tenant();
      const { status, body } = await service().asPlatform<List>('GET', path(tenant));
      expect([status, body.revocations]).toEqual([200, []]);
    });

    test('is what whoever does not ask for events by name gets', async () => {
      const tenant = await service().tenant();
      for (const accept of ['*/*', 'text/*', 'application/json', 'text/event-stream;q=0', 'text/html, */*']) {
        const answer = await service().call('GET', path(tenant), {
          apiKey: tenant.apiKey,
          headers: { accept },
        });
        expect(answer.headers.get('content-type')).toBe('application/json; charset=utf-8');
      }
    });

    test('is refused to a key without the scope', async () => {
      const tenant = await service().tenant();
      const { apiKey } = await issueKey(tenant, { scopes: ['sessions:read', 'sessions:validate'] });
      const { status, body } = await service().call('GET', path(tenant), { apiKey });
      expect([status, body['error']]).toEqual([403, 'insufficient_scope']);
    });

    test('of a suspended tenant is refused, to the platform too', async () => {
      const tenant = await service().tenant();
      await service().asPlatform('PATCH', `/tenants/${tenant.tenantId}`, { status: 'suspended' });
      const { status, body } = await service().asPlatform('GET', path(tenant));
      expect([status, body['error']]).toEqual([403, 'tenant_suspended']);
    });

    test('answers HEAD without a body, whatever is asked for', async () => {
      const tenant = await service().tenant();
      await endSession(tenant);
      for (const accept of ['application/json', 'text/event-stream']) {
        const { status, headers, body } = await service().call('HEAD', path(tenant), {
          apiKey: tenant.apiKey,
          headers: { accept },
        });
        expect([status, body]).toEqual([200, undefined]);
        expect(headers.get('content-type')).toContain(accept);
      }
    });
  });

  describe('as a stream', () => {
    test('begins with everything, then tells of each revocation, and how old its knowledge is', async () => {
      const tenant = await service().tenant();
      const before = await endSession(tenant);
      const client = await FeedClient.opened(service(), tenant);
      expect(client.status).toBe(200);
      expect(client.answer.headers).toMatchObject({
        'content-type': 'text/event-stream',
        'cache-control': 'no-store',
        'x-accel-buffering': 'no',
        'x-content-type-options': 'nosniff',
        'x-request-id': expect.any(String),
        connection: 'close',
        vary: 'accept',
      });
      const [first] = client.events;
      expect(first).toMatchObject({ name: 'snapshot', data: { complete: true } });
      expect([...client.revoked.keys()]).toEqual([before]);
      expect(client.kids).toEqual(await publishedKids(tenant));

      const { access_token: cut } = await service().createSession(tenant);
      await service().revoke(tenant, cut, { only_this_token: true });
      await client.untilRevoked(String(partsOf(cut).claims['jti']));
      const after = await endSession(tenant);
      await client.untilRevoked(after);
      const told = client.named('revoked');
      expect(told.map(({ data }) => data.revocations?.map(({ kind }) => kind))).toEqual([
        ['token'],
        ['session'],
      ]);
      expect(new Set(told.map(({ id }) => id)).size).toBe(2);

      const ages = client.named('age').length;
      await client.until(() => client.named('age').length > ages + 1);
      expect(client.named('age').every(({ id }) => id === undefined)).toBe(true);
      expect(client.ageMs).toBeLessThan(60_000);
      client.close();
    });

    test('comes in parts where there is much, and says which is the last', async () => {
      const tenant = await service().tenant({ max_sessions_per_user: 1000 });
      const ids: string[] = [];
      for (let at = 0; at < 22; at++) {
        const some = await Promise.all(Array.from({ length: 50 }, () => service().createSession(tenant)));
        ids.push(...some.map(({ session_id }) => session_id));
        const [reason, session_ids] = ['admin', some.map(({ session_id }) => session_id)];
        await service().post(tenant, '/sessions/revoke-batch', { reason, session_ids });
      }
      const client = await FeedClient.opened(service(), tenant);
      const parts = client.named('snapshot').map(({ id, data }) => ({
        count: data.revocations?.length ?? 0,
        complete: data.complete,
        hasId: id !== undefined,
      }));
      expect(parts).toEqual([
        { count: 1000, complete: false, hasId: false },
        { count: 100, complete: true, hasId: true },
      ]);
      expect([...client.revoked.keys()].toSorted()).toEqual(ids.toSorted());
      client.close();
    });

    test('and list never have an id of another tenant', async () => {
      const [acme, bravo] = [await service().tenant(), await service().tenant()];
      const clients = [await FeedClient.opened(service(), acme), await FeedClient.opened(service(), bravo)];
      const ids = { acme: [] as string[], bravo: [] as string[] };
      for (let at = 0; at < 10; at++) {
        ids.acme.push(await endSession(acme));
        ids.bravo.push(await endSession(bravo));
      }
      await service().asPlatform('POST', `/tenants/${bravo.tenantId}/keys/rotate`, { now: true });
      for (const [at, own, foreign] of [
        [0, ids.acme, ids.bravo],
        [1, ids.bravo, ids.acme],
      ] as const) {
        const client = clients[at];
        if (!client) throw new Error('no client');
        await client.until(() => own.every((id) => client.revoked.has(id)));
        // Whoever resumes is told no more than its own either.
        const tenant = at === 0 ? acme : bravo;
        const resumed = await FeedClient.opened(service(), tenant, { lastEventId: client.events[0]?.id });
        await resumed.until(() => own.every((id) => resumed.revoked.has(id)));
        const list = JSON.stringify((await listOf(tenant)).body);
        for (const text of [client.text, resumed.text, list]) {
          expect(foreign.filter((id) => text.includes(id))).toEqual([]);
        }
        resumed.close();
      }
      expect(clients[0]?.named('keys')).toEqual([]);
      const stolen = await FeedClient.open(service(), acme, { tenantId: bravo.tenantId });
      expect(stolen.status).toBe(404);
      for (const client of clients) client.close();
    });

    test('goes on after the last event that a reader has, and says which keys verify', async () => {
      const tenant = await service().tenant();
      const client = await FeedClient.opened(service(), tenant);
      client.close();
      const missed = [await endSession(tenant), await endSession(tenant)];
      const again = await FeedClient.opened(service(), tenant, { lastEventId: client.lastEventId });
      expect(again.named('snapshot')).toEqual([]);
      expect([...again.revoked.keys()].toSorted()).toEqual(missed.toSorted());
      expect(again.kids).toEqual(client.kids);
      // And after the position that the list gives.
      const { body } = await listOf(tenant);
      const further = await FeedClient.opened(service(), tenant, { lastEventId: body.event_id });
      expect([further.named('snapshot').length, further.revoked.size]).toEqual([0, 0]);
      const live = await endSession(tenant);
      await Promise.all([again.untilRevoked(live), further.untilRevoked(live)]);
      again.close();
      further.close();
    });

    test.each(['', 'x', '0'.repeat(22), '-'.repeat(5000), '%00', '7', 'é'])(
      'begins with everything for a last event that nobody knows (%#)',
      async (lastEventId) => {
        const tenant = await service().tenant();
        const id = await endSession(tenant);
        const client = await FeedClient.opened(service(), tenant, { lastEventId });
        expect(client.named('snapshot').length).toBe(1);
        expect(client.revoked.has(id)).toBe(true);
        client.close();
      },
    );

    test('tells of keys that are published, killed, or replaced with the epoch', async () => {
      const tenant = await service().tenant();
      const client = await FeedClient.opened(service(), tenant);
      const [old = ''] = client.kids;
      const agree = async () => {
        const wanted = await publishedKids(tenant);
        await client.until(() => JSON.stringify(client.kids) === JSON.stringify(wanted));
      };
      await service().asPlatform('POST', `/tenants/${tenant.tenantId}/keys/rotate`, {});
      await client.until(() => client.kids.length === 2 && client.kids.includes(old));
      await agree();
      await service().asPlatform('DELETE', `/tenants/${tenant.tenantId}/keys/${old}`);
      await client.until(() => !client.kids.includes(old));
      await agree();
      const before = client.kids;
      await service().asPlatform('POST', `/tenants/${tenant.tenantId}/revoke-all`, { reason: 'admin' });
      await client.until(() => client.kids.length === 1 && !before.includes(client.kids[0] ?? ''));
      await agree();
      expect(client.named('keys').every(({ id }) => id !== undefined)).toBe(true);
      client.close();
    });

    test('lets a retired key go when nothing that it signed is alive', async () => {
      const tenant = await service().tenant();
      const client = await FeedClient.opened(service(), tenant);
      const [old = ''] = client.kids;
      await service().asPlatform('POST', `/tenants/${tenant.tenantId}/keys/rotate`, { now: true });
      await client.until(() => client.kids.length === 2);
      service().clock.advanceSeconds(86_400 + 61);
      await client.until(() => client.kids.length === 1);
      expect(client.kids).not.toContain(old);
      expect(client.kids).toEqual(await publishedKids(tenant));
      client.close();
    });

    test.each([
      [
        'suspended',
        403,
        ({ tenantId }: TestTenant) =>
          service().asPlatform('PATCH', `/tenants/${tenantId}`, { status: 'suspended' }),
      ],
      ['deleted', 401, ({ tenantId }: TestTenant) => service().asPlatform('DELETE', `/tenants/${tenantId}`)],
    ] as const)('ends with its tenant, when that is %s', async (how, status, end) => {
      const tenant = await service().tenant();
      const clients = [
        await FeedClient.opened(service(), tenant),
        await FeedClient.opened(service(), tenant, { apiKey: ADMIN_API_KEY }),
      ];
      const endings = async () =>
        (await Scrape.of(service())).value('revocation_streams_ended_total', { reason: `tenant_${how}` }) ??
        0;
      const before = await endings();
      await end(tenant);
      for (const client of clients) await client.until(() => client.isEnded);
      await eventually(async () => (await endings()) - before === 2);
      expect((await FeedClient.open(service(), tenant)).status).toBe(status);
    });

    test('ends with the API key that opened it, revoked or expired, and no other', async () => {
      const tenant = await service().tenant();
      const { apiKey, keyId } = await issueKey(tenant);
      const expiring = await issueKey(tenant, { expires_in: 60 });
      const stays = await FeedClient.opened(service(), tenant);
      const revoked = await FeedClient.opened(service(), tenant, { apiKey });
      const expired = await FeedClient.opened(service(), tenant, { apiKey: expiring.apiKey });
      await service().asPlatform('DELETE', `/tenants/${tenant.tenantId}/api-keys/${keyId}`);
      await revoked.until(() => revoked.isEnded);
      expect(expired.isEnded).toBe(false);
      service().clock.advanceSeconds(60);
      await expired.until(() => expired.isEnded);
      await stays.untilRevoked(await endSession(tenant));
      expect(stays.isEnded).toBe(false);
      for (const key of [apiKey, expiring.apiKey]) {
        expect((await FeedClient.open(service(), tenant, { apiKey: key })).status).toBe(401);
      }
      stays.close();
    });

    test('counts once, from its head to its first byte, and as left by its client', async () => {
      const tenant = await service().tenant();
      const labels = { route: '/tenants/:id/revocations', method: 'GET', status: '200' };
      const before = await Scrape.of(service());
      const askedAtMs = performance.now();
      const client = await FeedClient.open(service(), tenant);
      const answeredSeconds = (performance.now() - askedAtMs) / 1000;
      await client.until(() => client.named('age').length > 2);
      const during = await Scrape.of(service());
      client.close();
      const left = { reason: 'client_left' };
      const after = await eventually(
        () => Scrape.of(service()),
        (scrape) =>
          scrape.sum('revocation_streams_ended_total', left) >
          before.sum('revocation_streams_ended_total', left),
      );
      const more = (name: string) => after.sum(name, labels) - before.sum(name, labels);
      expect(more('http_request_duration_seconds_count')).toBe(1);
      expect(more('http_request_duration_seconds_sum')).toBeLessThan(answeredSeconds);
      const open = [before, during, after].map((scrape) => scrape.value('revocation_streams_open') ?? 0);
      expect(open).toEqual([open[0], (open[0] ?? 0) + 1, open[0]]);
      const sent = { event: 'snapshot' };
      expect(
        after.sum('revocation_stream_events_total', sent) -
          before.sum('revocation_stream_events_total', sent),
      ).toBe(1);
    });

    test('reaches a client of HTTP/1.0 too, and ends with the connection', async () => {
      const tenant = await service().tenant();
      const id = await endSession(tenant);
      const head = [
        `GET ${path(tenant)} HTTP/1.0`,
        `x-api-key: ${tenant.apiKey}`,
        'accept: text/event-stream',
        'connection: keep-alive',
      ];
      const reading = rawRequest(service().url, `${head.join('\r\n')}\r\n\r\n`, 60_000);
      await eventuallyOpen();
      await service().asPlatform('PATCH', `/tenants/${tenant.tenantId}`, { status: 'suspended' });
      const answer = await reading;
      expect(answer.head).toMatch(/^HTTP\/1\.1 200/);
      expect(answer.head.toLowerCase()).not.toContain('transfer-encoding');
      expect(answer.body).toMatch(/^id: \S+\nevent: snapshot\ndata: /);
      expect(answer.body).toContain(id);
    });

    const eventuallyOpen = async (): Promise<void> => {
      await eventually(async () => ((await Scrape.of(service())).value('revocation_streams_open') ?? 0) > 0);
    };
  });
});
