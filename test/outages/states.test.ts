import { afterAll, beforeAll, beforeEach, describe, expect, test } from '@jest/globals';
import { eventually } from '../support/eventually.js';
import type { Redis } from 'ioredis';
import { freePort, RedisServer } from '../support/redis-server.js';
import { IN_TIME_MS, SOON_OUT, TestService } from '../support/test-service.js';
import { makeAll, prepareFixtures, report, timed, type Answered, type Fixtures } from './every-call.js';

const AGE_BOUND_MS = 400;

interface State {
  readonly name: string;
  /** What still works. */
  readonly serves: 'nothing' | 'reads';
  readonly reason: RegExp;
  readonly begin: (redis: RedisServer, admin: Redis) => Promise<unknown>;
  readonly end: (redis: RedisServer, admin: Redis) => Promise<unknown>;
}

const STATES: readonly State[] = [
  {
    name: 'hanging',
    serves: 'nothing',
    reason: /does not answer/,
    begin: async (redis) => redis.signal('SIGSTOP'),
    end: async (redis) => redis.signal('SIGCONT'),
  },
  {
    name: 'killed',
    serves: 'nothing',
    reason: /does not answer/,
    begin: (redis) => redis.kill(),
    end: (redis) => redis.restart(),
  },
  {
    name: 'out of memory',
    serves: 'reads',
    reason: /refuses writes: it is full/,
    begin: (_, admin) => admin.config('SET', 'maxmemory', '1mb'),
    end: (_, admin) => admin.config('SET', 'maxmemory', '0'),
  },
  {
    name: 'without the replicas that it wants',
    serves: 'reads',
    reason: /refuses writes: too few replicas/,
    begin: (_, admin) => admin.config('SET', 'min-replicas-to-write', '1'),
    end: (_, admin) => admin.config('SET', 'min-replicas-to-write', '0'),
  },
  {
    name: 'a replica of a dead master',
    serves: 'reads',
    reason: /refuses writes: it is a replica/,
    begin: async (_, admin) => admin.replicaof('127.0.0.1', await freePort()),
    end: (_, admin) => admin.replicaof('NO', 'ONE'),
  },
];

/** Nothing takes longer than it may, and nothing is called what it is not. */
function expectHonest(answers: readonly Answered[], serves: State['serves']): void {
  for (const answer of answers) {
    expect(answer.tookMs).toBeLessThan(IN_TIME_MS);
    const { name, status, error, retryAfter } = answer;
    if (answer.needs === 'nothing') {
      expect({ name, status }).toEqual({ name, status: 200 });
    } else if (answer.needs === 'writes' || serves === 'nothing') {
      expect({ name, status, error, retryAfter }).toEqual({
        name,
        status: 503,
        error: 'store_unavailable',
        retryAfter: '1',
      });
    } else {
      // A connection that was told READONLY is given up, and takes with it what is under way.
      expect([200, 503]).toContain(status);
    }
  }
}

function reportAnswers(name: string, answers: readonly Answered[]): void {
  const slowest = answers.toSorted((a, b) => b.tookMs - a.tookMs)[0];
  const counts: Record<string, number> = {};
  for (const { status } of answers) counts[status] = (counts[status] ?? 0) + 1;
  report(`${name}: slowest ${slowest?.tookMs} ms (${slowest?.name}), ${JSON.stringify(counts)}`);
}

describe('while Redis is', () => {
  let redis: RedisServer;
  let admin: Redis;
  let service: TestService;
  let fixtures: Fixtures;
  const rejections: unknown[] = [];
  const remember = (reason: unknown): void => void rejections.push(reason);

  beforeAll(async () => {
    process.on('unhandledRejection', remember);
    redis = await RedisServer.start(['--appendonly', 'yes', '--appendfsync', 'always']);
    admin = redis.client();
    admin.on('error', () => undefined);
    service = await TestService.start({
      ...SOON_OUT,
      STORE_URL: redis.url,
      REVOCATION_REPLICA_MAX_AGE_MS: String(AGE_BOUND_MS),
    });
  });

  beforeEach(async () => {
    fixtures = await prepareFixtures(service);
  });

  afterAll(async () => {
    await service.stop();
    admin.disconnect();
    await redis.stop();
    process.off('unhandledRejection', remember);
    expect(rejections).toEqual([]);
  });

  const ready = () => service.call<ReadyBody>('GET', '/health/ready');
  const health = () => service.call('GET', '/health');

  test.each(STATES)(
    '$name, every call is answered in time and honestly, and all is well again afterwards',
    async ({ name, serves, reason, begin, end }) => {
      const { tenant, refusing, alive, aliveOfRefusing, revoked } = fixtures;
      await begin(redis, admin);

      const first = await makeAll(fixtures.calls);
      const second = await makeAll(fixtures.calls);
      reportAnswers(name, [...first, ...second]);
      expectHonest(first, serves);
      expectHonest(second, serves);

      const summary = await eventually(health, ({ body }) => reason.test(String(body['reason'])));
      const redisIs = serves === 'nothing' ? 'down' : 'degraded';
      expect(summary).toMatchObject({ status: 503, body: { status: 'error', redis: redisIs } });
      const readiness = await eventually(ready, ({ body }) =>
        reason.test(body.details['store']?.message ?? ''),
      );
      // It validates from memory, and the others have no better store: taking it out would help nobody.
      expect(readiness).toMatchObject({
        status: 200,
        body: { status: 'degraded', details: { store: { status: 'degraded' }, keys: { status: 'up' } } },
      });
      expect((await service.call('GET', '/health/live')).status).toBe(200);

      if (serves === 'nothing') {
        const stale = await eventually(
          () => service.validate(tenant, alive.access_token),
          ({ body }) => checkedBy(body).checked === 'stale',
        );
        const later = await service.validate(tenant, alive.access_token);
        expect(checkedBy(stale.body).age_ms).toBeGreaterThan(AGE_BOUND_MS);
        expect(checkedBy(later.body).age_ms).toBeGreaterThanOrEqual(checkedBy(stale.body).age_ms);
        expect(await service.validate(refusing, aliveOfRefusing.access_token)).toMatchObject({
          status: 503,
          body: { error: 'store_unavailable', action: 'retry' },
        });
      } else {
        // The feed can be read, so memory is as good as ever.
        const answer = await eventually(
          () => service.validate(refusing, aliveOfRefusing.access_token),
          ({ body }) => checkedBy(body)?.checked === 'replica',
        );
        expect(answer.status).toBe(200);
      }
      for (const check of ['replica', 'store']) {
        expect(await service.validate(tenant, revoked.access_token, check)).toMatchObject({
          status: 401,
          body: { error: 'token_revoked' },
        });
      }

      await end(redis, admin);
      const mendedMs = performance.now();
      await eventually(
        () => service.post(tenant, '/sessions', { tenant_id: tenant.tenantId, user_id: 'u', scope: 'read' }),
        ({ status }) => status === 201,
      );
      await eventually(health, ({ status }) => status === 200);
      expect(await ready()).toMatchObject({ status: 200, body: { status: 'ok' } });
      report(`${name}: well after ${performance.now() - mendedMs} ms`);
      expect((await service.validate(tenant, alive.access_token, 'store')).status).toBe(200);
      expect(await service.validate(tenant, revoked.access_token, 'store')).toMatchObject({
        status: 401,
        body: { error: 'token_revoked' },
      });
      await eventually(
        () => service.validate(refusing, aliveOfRefusing.access_token),
        ({ body }) => checkedBy(body)?.checked === 'replica',
      );

      // What was refused as unavailable can be repeated, and is then done.
      for (const name of ['refresh', 'revoke', 'revoke a batch', 'revoke all of a user', 'delete a tenant']) {
        const call = fixtures.calls.find((each) => each.name === name);
        if (!call) throw new Error(name);
        await eventually(
          () => timed(call),
          ({ status }) => status !== 503,
        );
      }
    },
  );
});

interface ReadyBody {
  details: Record<string, { status: string; message?: string }>;
}

function checkedBy(body: Record<string, unknown>): { checked: string; age_ms: number } {
  return body['revocation'] as { checked: string; age_ms: number };
}
