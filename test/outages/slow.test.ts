import { afterAll, beforeAll, beforeEach, describe, expect, test } from '@jest/globals';
import { AuditTrail } from '../../src/audit/audit-trail.js';
import type { Environment } from '../../src/config.js';
import { KeyRotation } from '../../src/keys/key-rotation.js';
import { FEED_STATE } from '../../src/storage/redis/redis-keys.js';
import { eventually } from '../support/eventually.js';
import { RedisServer } from '../support/redis-server.js';
import { TcpProxy } from '../support/tcp-proxy.js';
import { IN_TIME_MS, SOON_OUT, TestService } from '../support/test-service.js';
import { makeAll, prepareFixtures, report, timed, type Answered, type Fixtures } from './every-call.js';
import { revocationOf } from './instances.js';

/** With its default bounds a request has time for so many round trips of 200 ms. */
const MAX_ROUND_TRIPS = 4;
/** A login that ends a session too many does not wait for the removal of its record. */
const NOT_WAITED_FOR: Readonly<Record<string, number>> = { 'create at the limit': 1 };
/** Calls about keys and tenants are longer chains. Repeated, they go on where they were cut short. */
const MAX_ROUND_TRIPS_OF_OTHERS = 8;

/** The feed, the time, the audit and the count of live sessions: no answer waits for them. */
const inTheBackground = ([name = '', ...args]: readonly string[]): boolean =>
  /^(xread|time)$/i.test(name) ||
  (/^hmget$/i.test(name) && args[0] === FEED_STATE) ||
  args.some((arg) => /audit|:live-sessions:/.test(arg));

function expectInTime(answers: readonly Answered[]): void {
  report(answers.map(({ name, status, tookMs }) => `${tookMs} ms ${status} ${name}`).join('\n'));
  for (const { name, tookMs } of answers) {
    expect({ name, inTime: tookMs < IN_TIME_MS, tookMs }).toEqual({ name, inTime: true, tookMs });
  }
}

/** A service that reaches its Redis through a proxy, with everything made for calls while Redis answers late. */
function useSlowRedis(env: Environment) {
  let redis: RedisServer;
  let proxy: TcpProxy;
  let service: TestService;
  let fixtures: Fixtures;

  beforeAll(async () => {
    redis = await RedisServer.start();
    proxy = await TcpProxy.start(redis.port);
    service = await TestService.start({ STORE_URL: proxy.url, ...env });
  });

  beforeEach(async () => {
    proxy.delayMs = 0;
    fixtures = await eventually(() => prepareFixtures(service));
  });

  afterAll(async () => {
    await service.stop();
    await proxy.stop();
    await redis.stop();
  });

  return () => ({ proxy, service, fixtures });
}

describe('while Redis answers late', () => {
  const slow = useSlowRedis({});

  test('calls wait for it few times, one after the other, however much they end', async () => {
    const { proxy, service, fixtures } = slow();
    proxy.delayMs = 100;
    const trail = service.app.get(AuditTrail, { strict: false });
    // Its first pass comes at a random moment of the first minute, and asks for each tenant: nobody waits for that.
    service.app.get(KeyRotation, { strict: false }).beforeApplicationShutdown();
    const roundTripsOf: Record<string, number> = {};
    const statuses: Record<string, number> = {};
    for (const call of fixtures.calls) {
      await trail.settleAll(60_000); // what the call before has told is written without anybody waiting
      const { result, roundTrips } = await proxy.roundTripsOf(() => timed(call), inTheBackground);
      roundTripsOf[call.name] = roundTrips;
      statuses[call.name] = result.status;
    }
    report(JSON.stringify(roundTripsOf));
    const daily = {
      create: 201,
      'create at the limit': 201,
      refresh: 200,
      'refresh with a reused token': 401,
      revoke: 204,
      'revoke by refresh token': 204,
      'revoke only this token': 204,
      'revoke a batch': 200,
      'revoke all of a user': 200,
      'delete a session': 204,
      'list sessions': 200,
      'read a session': 200,
      'validate in the store': 200,
      'change a tenant': 200,
      'revoke an API key': 204,
    };
    expect(statuses).toMatchObject(daily);
    for (const { name } of fixtures.calls) {
      const most = name in daily ? MAX_ROUND_TRIPS : MAX_ROUND_TRIPS_OF_OTHERS;
      const roundTrips = (roundTripsOf[name] ?? Infinity) - (NOT_WAITED_FOR[name] ?? 0);
      expect({ name, few: roundTrips <= most, roundTrips }).toEqual({ name, few: true, roundTrips });
    }
  });

  test('the feed goes on being read, so that memory decides on validations', async () => {
    const { proxy, service, fixtures } = slow();
    proxy.delayMs = 200;
    const checked = new Set<string>();
    const ages: number[] = [];
    await eventually(async () => {
      const revocation = revocationOf(await service.validate(fixtures.tenant, fixtures.alive.access_token));
      checked.add(revocation.checked);
      ages.push(revocation.age_ms);
      // It grows until a read has been completed.
      return ages.filter((age, at) => age < (ages[at - 1] ?? 0)).length >= 3;
    });
    expect([...checked]).toEqual(['replica']);
  });
});

describe('while Redis answers too late', () => {
  const slow = useSlowRedis(SOON_OUT);

  test('a chain of calls to it is cut short, although each of them is answered in time', async () => {
    const { proxy, fixtures } = slow();
    proxy.delayMs = 700;
    const answers = await makeAll(fixtures.calls);
    expectInTime(answers);
    for (const { name, needs, status } of answers) {
      if (needs === 'nothing') expect({ name, status }).toEqual({ name, status: 200 });
    }
    expect(answers.find(({ name }) => name === 'create at the limit')).toMatchObject({
      status: 503,
      error: 'store_unavailable',
      retryAfter: '1',
    });
  });

  test('by more than a command may take, calls are answered in time, and nothing is pretended', async () => {
    const { proxy, service, fixtures } = slow();
    proxy.delayMs = 3 * IN_TIME_MS;
    const [lonely] = fixtures.calls;
    if (!lonely) throw new Error('no call');
    const answers = [
      await timed(lonely),
      ...(await makeAll(fixtures.calls)),
      ...(await makeAll(fixtures.calls)),
    ];
    expectInTime(answers);
    for (const { name, needs, status, error, retryAfter } of answers) {
      if (needs === 'nothing') expect({ name, status }).toEqual({ name, status: 200 });
      else {
        expect({ name, status, error, retryAfter }).toEqual({
          name,
          status: 503,
          error: 'store_unavailable',
          retryAfter: '1',
        });
      }
    }
    proxy.delayMs = 0;
    await eventually(() => service.createSession(fixtures.tenant));
  });

  test('connections that fall silent are given up for new ones', async () => {
    const { proxy, service, fixtures } = slow();
    const silentAtMs = performance.now();
    proxy.blackHole();
    await expect(service.createSession(fixtures.tenant)).rejects.toThrow('503');
    await eventually(() => service.createSession(fixtures.tenant));
    await eventually(
      () => service.call('GET', '/health'),
      ({ status }) => status === 200,
    );
    report(`silent connections: well after ${performance.now() - silentAtMs} ms`);
  });
});

describe('while Redis answers too late, and all else is known from memory', () => {
  const knowing = useSlowRedis({ ...SOON_OUT, REVOCATION_REPLICA_MAX_AGE_MS: '60000' });

  test('what is asked before the body is read counts as well', async () => {
    const { proxy, service, fixtures } = knowing();
    const { tenant, alive } = fixtures;
    const { body } = await service.post(tenant, `/tenants/${tenant.tenantId}/api-keys`, {
      name: 'not seen here yet',
      scopes: ['sessions:revoke'],
    });
    const unknown = { ...tenant, apiKey: String(body['api_key']) };
    const batch = { session_ids: [alive.session_id], reason: 'admin' };
    // A request may wait so long three times, as for a batch, but not also for the API key.
    proxy.delayMs = 550;
    const answer = await service.post(unknown, '/sessions/revoke-batch', batch);
    expect(answer).toMatchObject({ status: 503, body: { error: 'store_unavailable' } });
    proxy.delayMs = 0;
    await eventually(
      () => service.post(unknown, '/sessions/revoke-batch', batch),
      ({ status }) => status === 200,
    );
  });
});
