/** What a stream may cost: readers that do not read, too many of them, more than an instance can know, and a leaving one. */
import { connect, type Socket } from 'node:net';
import { afterEach, describe, expect, test } from '@jest/globals';
import { Scrape } from '../metrics/scrape.js';
import { eventually } from '../support/eventually.js';
import { RedisServer } from '../support/redis-server.js';
import { buildOnce, ServiceProcess } from '../support/service-process.js';
import { ADMIN_API_KEY, TestService, type TestTenant } from '../support/test-service.js';
import { FeedClient } from './feed-client.js';
import { announceMany } from './many-revocations.js';

/** Asks for a stream and reads nothing of it. */
function openUnread(url: string, { tenantId, apiKey }: TestTenant): Socket {
  const { hostname, port } = new URL(url);
  const head = [
    `GET /tenants/${tenantId}/revocations HTTP/1.1`,
    'host: x',
    `x-api-key: ${apiKey}`,
    'accept: text/event-stream',
  ];
  const socket = connect(Number(port), hostname, () => socket.write(`${head.join('\r\n')}\r\n\r\n`));
  socket.on('error', () => undefined).pause();
  return socket;
}

const openStreams = async (service: TestService) =>
  (await Scrape.of(service)).value('revocation_streams_open') ?? 0;
const sentEvents = async (service: TestService, event: string) =>
  (await Scrape.of(service)).value('revocation_stream_events_total', { event }) ?? 0;
const ended = async (service: TestService, reason: string) =>
  (await Scrape.of(service)).value('revocation_streams_ended_total', { reason }) ?? 0;

describe('streams of revocations', () => {
  let service: TestService;

  afterEach(() => service.stop());

  test('of a reader that does not read are cut, and the others hear everything', async () => {
    service = await TestService.start();
    const tenant = await service.tenant();
    const before = [await openStreams(service), await ended(service, 'slow_reader')];
    const client = await FeedClient.opened(service, tenant);
    const socket = openUnread(service.url, tenant);
    await eventually(async () => (await openStreams(service)) === (before[0] ?? 0) + 2);
    await eventually(async () => (await sentEvents(service, 'snapshot')) > 1);
    let last = '';
    await eventually(async () => {
      [last = ''] = (await announceMany(service, tenant.tenantId, 10_000)).slice(-1);
      return (await ended(service, 'slow_reader')) > (before[1] ?? 0);
    });
    await client.untilRevoked(last);
    expect(await openStreams(service)).toBe((before[0] ?? 0) + 1);
    socket.destroy();
    client.close();
  });

  test('are told everything as fast as they read, and what is revoked meanwhile too', async () => {
    service = await TestService.start();
    const tenant = await service.tenant();
    const many = 200_000;
    const ids = await announceMany(service, tenant.tenantId, many);
    const before = await sentEvents(service, 'snapshot');
    const client = await FeedClient.open(service, tenant);
    client.answer.pause();
    const sent = async () => (await sentEvents(service, 'snapshot')) - before;
    // As much as the network takes, and no more.
    let count = 0;
    await eventually(async () => {
      const earlier = count;
      count = await sent();
      return count > 0 && count === earlier;
    });
    expect(count).toBeLessThan(many / 1000);
    // Many, because what was not looked at yet would be found anyway.
    const during = await announceMany(service, tenant.tenantId, 50);
    expect(client.named('age')).toEqual([]);
    client.answer.resume();
    await client.until(() => client.ageMs < Number.POSITIVE_INFINITY);
    expect([...ids, ...during].filter((id) => !client.revoked.has(id))).toEqual([]);
    expect(client.revoked.size).toBe(many + during.length);
    client.close();
  });

  test('are so many as may be, for one tenant and for all, and then refused with the time to wait', async () => {
    service = await TestService.start({
      REVOCATION_STREAMS_MAX: '3',
      REVOCATION_STREAMS_MAX_PER_TENANT: '2',
    });
    const [acme, bravo] = [await service.tenant(), await service.tenant()];
    const [first, ...others] = [
      await FeedClient.opened(service, acme),
      await FeedClient.opened(service, acme),
      await FeedClient.opened(service, bravo),
    ];
    const listOf = ({ tenantId, apiKey }: TestTenant) =>
      service.call('GET', `/tenants/${tenantId}/revocations`, { apiKey });
    expect(await listOf(acme)).toMatchObject({ status: 429, body: { error: 'rate_limited' } });
    expect(await listOf(bravo)).toMatchObject({ status: 503, body: { error: 'store_unavailable' } });
    const refused = await FeedClient.open(service, acme);
    expect([refused.status, refused.answer.headers['retry-after']]).toEqual([429, '5']);
    first?.close();
    await eventually(async () => (await listOf(acme)).status === 200);
    for (let at = 0; at < 5; at++) expect((await listOf(bravo)).status).toBe(200);
    for (const client of others) client.close();
  });

  test('end when not every revocation fits into memory, and come back when it does', async () => {
    service = await TestService.start({ REVOCATION_REPLICA_MAX_ENTRIES: '100' });
    const [tenant, busy] = [await service.tenant(), await service.tenant()];
    const client = await FeedClient.opened(service, tenant);
    await announceMany(service, busy.tenantId, 130);
    await client.until(() => client.isEnded);
    const refused = await FeedClient.open(service, tenant);
    expect(refused.status).toBe(503);
    const path = `/tenants/${tenant.tenantId}/revocations`;
    expect(await service.call('GET', path, { apiKey: tenant.apiKey })).toMatchObject({
      status: 503,
      body: { error: 'store_unavailable' },
    });
    service.clock.advanceSeconds(900 + 61);
    await eventually(async () => (await FeedClient.open(service, tenant)).status === 200);
  });
});

test('an instance that leaves ends its streams, also those that nobody reads', async () => {
  const service = await TestService.start();
  const [tenant, big] = [await service.tenant(), await service.tenant()];
  // More than the network takes of a reader that does not read.
  await announceMany(service, big.tenantId, 200_000);
  const before = await sentEvents(service, 'snapshot');
  const socket = openUnread(service.url, big);
  const client = await FeedClient.opened(service, tenant);
  await eventually(async () => (await sentEvents(service, 'snapshot')) > before + 10);
  await service.app.close();
  await client.until(() => client.isEnded);
  expect(client.answer.complete).toBe(true);
  socket.destroy();
});

describe('processes', () => {
  let redis: RedisServer;
  let service: ServiceProcess;

  afterEach(async () => {
    await service.stop();
    await redis.stop();
  });

  test('that share a port tell all their readers, and leave at once when they are asked to', async () => {
    buildOnce();
    redis = await RedisServer.start();
    service = await ServiceProcess.start({
      STORE_URL: redis.url,
      WORKERS: '2',
      // Held up by a stream, they would be here for longer than anybody waits.
      SHUTDOWN_TIMEOUT_SECONDS: '600',
    });
    await eventually(async () => /listening[^]*listening/.test(service.log));
    const send = async (path: string, apiKey: string, body: object) => {
      const headers = { 'x-api-key': apiKey, 'content-type': 'application/json' };
      const answer = await fetch(service.url + path, { method: 'POST', headers, body: JSON.stringify(body) });
      return (answer.status === 204 ? {} : await answer.json()) as Record<string, string>;
    };
    const { api_key: apiKey = '' } = await send('/tenants', ADMIN_API_KEY, { tenant_id: 'acme' });
    const tenant = { tenantId: 'acme', apiKey };
    const clients = [];
    for (let at = 0; at < 4; at++) clients.push(await FeedClient.opened(service, tenant));
    const wanted = { tenant_id: 'acme', user_id: 'alice', scope: '' };
    const { session_id: id = '', access_token: token } = await send('/sessions', apiKey, wanted);
    await send('/sessions/revoke', apiKey, { token, reason: 'admin' });
    for (const client of clients) await client.untilRevoked(id);
    const unread = openUnread(service.url, tenant);
    const body = await (await fetch(`${service.url}/metrics`)).text();
    expect(body).toMatch(/^revocation_streams_open [45]$/m);
    expect(await service.terminate()).toBe(0);
    for (const client of clients) {
      await client.until(() => client.isEnded);
      expect(client.answer.complete).toBe(true);
    }
    unread.destroy();
  });
});
