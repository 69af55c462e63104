/** Every request counts once, whoever answers it, and one that nobody could answer too. */
import { once } from 'node:events';
import { connect } from 'node:net';
import { describe, expect, test } from '@jest/globals';
import { useService } from '../e2e/use-service.js';
import { rawRequest } from '../e2e/raw-http.js';
import { RedisServer } from '../support/redis-server.js';
import { STORES, TestService, type TestTenant } from '../support/test-service.js';
import { eventually } from '../support/eventually.js';
import { Scrape } from './scrape.js';

const COUNT = 'http_request_duration_seconds_count';

interface Kind {
  readonly name: string;
  readonly send: (service: TestService, tenant: TestTenant) => Promise<unknown>;
  readonly counts: { readonly route: string; readonly method: string; readonly status: string };
  /** The error of the table that it is answered with, if it is. */
  readonly code?: string;
}

const raw = (service: TestService, head: string, body = ''): Promise<unknown> =>
  rawRequest(service.url, `${head} HTTP/1.1\r\nhost: x\r\nconnection: close\r\n${body}`);

const KINDS: readonly Kind[] = [
  {
    name: 'answered',
    send: (service, tenant) => service.createSession(tenant),
    counts: { route: '/sessions', method: 'POST', status: '201' },
  },
  {
    name: 'answered without a body',
    send: async (service, tenant) => {
      const { access_token } = await service.createSession(tenant);
      return service.revoke(tenant, access_token);
    },
    counts: { route: '/sessions/revoke', method: 'POST', status: '204' },
  },
  {
    name: 'for a refused token, which is an answer',
    send: (service, tenant) => service.validate(tenant, 'not.a.token'),
    counts: { route: '/sessions/validate', method: 'POST', status: '401' },
  },
  {
    name: 'refused by the guard',
    send: (service) => service.call('POST', '/sessions/validate', { body: { access_token: 'x' } }),
    counts: { route: '/sessions/validate', method: 'POST', status: '401' },
    code: 'unauthorized',
  },
  {
    name: 'without a route',
    send: (service) => service.call('GET', '/nothing/here'),
    counts: { route: 'unmatched', method: 'GET', status: '404' },
    code: 'not_found',
  },
  {
    name: 'with a method of its own',
    send: (service) => raw(service, 'PROPFIND /sessions', '\r\n'),
    counts: { route: 'unmatched', method: 'OTHER', status: '404' },
    code: 'not_found',
  },
  {
    name: 'with an address that is none',
    send: (service) => raw(service, 'GET /sessions/%zz', '\r\n'),
    counts: { route: 'unmatched', method: 'GET', status: '400' },
    code: 'invalid_request',
  },
  {
    name: 'with broken JSON',
    send: (service, { apiKey }) => service.call('POST', '/sessions', { apiKey, body: '{"tenant_id":' }),
    counts: { route: '/sessions', method: 'POST', status: '400' },
    code: 'invalid_request',
  },
  {
    name: 'with a member that breaks its rule',
    send: (service, tenant) => service.post(tenant, '/sessions', { tenant_id: 1 }),
    counts: { route: '/sessions', method: 'POST', status: '400' },
    code: 'invalid_request',
  },
  {
    name: 'too large',
    send: (service, { apiKey }) => service.call('POST', '/sessions', { apiKey, body: 'x'.repeat(70_000) }),
    counts: { route: '/sessions', method: 'POST', status: '413' },
    code: 'payload_too_large',
  },
  {
    name: 'of another media type',
    send: (service, { apiKey }) =>
      service.call('POST', '/sessions', { apiKey, body: 'x', headers: { 'content-type': 'text/xml' } }),
    counts: { route: '/sessions', method: 'POST', status: '415' },
    code: 'unsupported_media_type',
  },
  {
    name: 'for what is not there',
    send: (service) => service.asPlatform('GET', '/tenants/nobody'),
    counts: { route: '/tenants/:id', method: 'GET', status: '404' },
    code: 'tenant_not_found',
  },
  {
    name: 'of health',
    send: (service) => service.call('GET', '/health/live'),
    counts: { route: '/health/live', method: 'GET', status: '200' },
  },
  {
    name: 'whose client leaves before it has sent everything',
    send: leaveEarly,
    counts: { route: '/sessions', method: 'POST', status: '499' },
  },
];

/** Half of a body, and then nothing more. */
async function leaveEarly(service: TestService, { apiKey }: TestTenant): Promise<void> {
  const { hostname, port } = new URL(service.url);
  const leftOnes = async () => (await Scrape.of(service)).sum(COUNT, { status: '499' });
  const before = await leftOnes();
  const socket = connect(Number(port), hostname);
  const head = [
    'POST /sessions HTTP/1.1',
    'host: x',
    `x-api-key: ${apiKey}`,
    'content-type: application/json',
    'content-length: 100',
    'expect: 100-continue', // so that the server says when it has the head
  ];
  socket.write(`${head.join('\r\n')}\r\n\r\n{"tenant_id"`);
  await once(socket, 'data');
  socket.destroy();
  await eventually(async () => (await leftOnes()) > before);
}

describe.each(STORES)('on $name', ({ prepare }) => {
  const service = useService(prepare);

  /** Without what the scrapes themselves add. */
  const counted = (scrape: Scrape): Map<string, number> =>
    new Map(scrape.series(COUNT).filter(([series]) => !series.includes('route="/metrics"')));
  const increase = (before: Map<string, number>, after: Map<string, number>): [string, number][] =>
    [...after]
      .map(([series, value]): [string, number] => [series, value - (before.get(series) ?? 0)])
      .filter(([, more]) => more > 0);

  test.each(KINDS)('a request counts once: $name', async ({ send, counts, code }) => {
    const tenant = await service().tenant();
    const before = await Scrape.of(service());
    await send(service(), tenant);
    const after = await Scrape.of(service());
    const more = increase(counted(before), counted(after));
    // Some kinds need a session first.
    const own = more.filter(
      ([series]) =>
        series === `${COUNT}{route="${counts.route}",method="${counts.method}",status="${counts.status}"}`,
    );
    expect(own.map(([, times]) => times)).toEqual([1]);
    const prepared = more.filter(([series]) => !own.some(([name]) => name === series));
    expect(
      prepared.every(([series]) => series.includes('route="/sessions",method="POST",status="201"')),
    ).toBe(true);
    const refused = (scrape: Scrape) => new Map(scrape.series('requests_refused_total'));
    expect(increase(refused(before), refused(after))).toEqual(
      code ? [[`requests_refused_total{code="${code}"}`, 1]] : [],
    );
  });

  test('many at once count as many', async () => {
    const tenant = await service().tenant();
    const { access_token } = await service().createSession(tenant);
    const validations = { route: '/sessions/validate', status: '200' };
    const before = (await Scrape.of(service())).sum(COUNT, validations);
    await Promise.all(Array.from({ length: 200 }, () => service().validate(tenant, access_token)));
    const after = await Scrape.of(service());
    expect(after.sum(COUNT, validations) - before).toBe(200);
    expect(after.value('sessions_validated_total', { tenant_id: tenant.tenantId, result: 'valid' })).toBe(
      200,
    );
    expect(
      after.value('session_validation_duration_seconds_count', {
        tenant_id: tenant.tenantId,
        check: 'replica',
      }),
    ).toBe(200);
  });
});

test('a request counts once: when the store is out', async () => {
  const redis = await RedisServer.start();
  const service = await TestService.start({ STORE_URL: redis.url });
  const tenant = await service.tenant();
  await service.createSession(tenant);
  await redis.stop();
  const labels = { route: '/sessions', method: 'POST', status: '503' };
  const before = await Scrape.of(service);
  const { status } = await service.post(tenant, '/sessions', {
    tenant_id: tenant.tenantId,
    user_id: 'a',
    scope: '',
  });
  expect(status).toBe(503);
  const after = await Scrape.of(service);
  const more = (name: string, of: Record<string, string>) => after.sum(name, of) - before.sum(name, of);
  expect(more(COUNT, labels)).toBe(1);
  expect(more('requests_refused_total', { code: 'store_unavailable' })).toBe(1);
  expect(after.value('store_up')).toBe(0);
  expect(after.value('sessions_active', { tenant_id: tenant.tenantId })).toBeUndefined();
  expect(more('redis_operations_total', { operation: 'create-session', status: 'ok' })).toBe(0);
  const notDone = ['timeout', 'failed', 'not_sent'].map((status) =>
    more('redis_operations_total', { status }),
  );
  expect(notDone.reduce((sum, times) => sum + times, 0)).toBeGreaterThan(0);
  await service.stop();
});
