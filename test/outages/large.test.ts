import { request } from 'node:http';
import { afterAll, beforeAll, describe, expect, test } from '@jest/globals';
import { eventually } from '../support/eventually.js';
import { RedisServer } from '../support/redis-server.js';
import { SOON_OUT, TestService, type TestTenant, type Tokens } from '../support/test-service.js';
import { report } from './every-call.js';

const MANY = 1000;

describe.each([0, 1])('on a Redis that is well, with %i replicas that must confirm', (replicas) => {
  let redis: RedisServer;
  let replica: RedisServer | null = null;
  let service: TestService;
  let tenant: TestTenant;

  beforeAll(async () => {
    redis = await RedisServer.start(['--repl-diskless-sync-delay', '0']);
    if (replicas > 0) replica = await RedisServer.start(['--replicaof', '127.0.0.1', String(redis.port)]);
    service = await TestService.start({ STORE_URL: redis.url, REDIS_WAIT_REPLICAS: String(replicas) });
    const made = await eventually(
      () => service.tenant({ max_sessions_per_user: MANY }).catch(() => null),
      (one) => one !== null,
    );
    tenant = made as TestTenant;
  });

  afterAll(async () => {
    await service.stop();
    await replica?.stop();
    await redis.stop();
  });

  async function sessions(userOf: (at: number) => string): Promise<Tokens[]> {
    const made: Tokens[] = [];
    while (made.length < MANY) {
      const some = Array.from({ length: 50 }, (_, at) =>
        service.createSession(tenant, { user_id: userOf(made.length + at) }),
      );
      made.push(...(await Promise.all(some)));
    }
    return made;
  }

  test('a batch of 1,000 is not called an outage, and ends each of them', async () => {
    const doomed = await sessions((at) => `user-${at}`);
    const startedMs = performance.now();
    const { status, body } = await service.post(tenant, '/sessions/revoke-batch', {
      tokens: doomed.slice(0, MANY / 2).map(({ access_token }) => access_token),
      session_ids: doomed.slice(MANY / 2).map(({ session_id }) => session_id),
      reason: 'security_incident',
    });
    report(`batch of ${MANY}, ${replicas} replicas: ${Math.round(performance.now() - startedMs)} ms`);
    expect({ status, count: body['revoked_count'] }).toEqual({ status: 200, count: MANY });
    for (const { access_token } of [doomed[0], doomed[MANY - 1]] as Tokens[]) {
      expect((await service.validate(tenant, access_token, 'store')).status).toBe(401);
    }
  });

  test('1,000 sessions of one user end at once', async () => {
    await sessions(() => 'everywhere');
    const startedMs = performance.now();
    const { status, body } = await service.post(tenant, '/sessions/revoke-all', {
      tenant_id: tenant.tenantId,
      user_id: 'everywhere',
      reason: 'password_change',
    });
    report(
      `${MANY} sessions of a user, ${replicas} replicas: ${Math.round(performance.now() - startedMs)} ms`,
    );
    expect({ status, count: body['revoked_count'] }).toEqual({ status: 200, count: MANY });
  });
});

test('a client that takes longer to send its request than the store may to answer it is served all the same', async () => {
  const redis = await RedisServer.start();
  const service = await TestService.start({ ...SOON_OUT, STORE_URL: redis.url });
  const tenant = await service.tenant();
  const body = JSON.stringify({ tenant_id: tenant.tenantId, user_id: 'slow', scope: 'read' });
  const status = await new Promise<number | undefined>((resolve, reject) => {
    const upload = request(`${service.url}/sessions`, {
      method: 'POST',
      headers: { 'x-api-key': tenant.apiKey, 'content-type': 'application/json' },
    });
    upload.on('response', (answer) => {
      answer.resume();
      resolve(answer.statusCode);
    });
    upload.on('error', reject);
    upload.write(body.slice(0, 10));
    setTimeout(() => upload.end(body.slice(10)), 2500);
  });
  expect(status).toBe(201);
  await service.stop();
  await redis.stop();
});
