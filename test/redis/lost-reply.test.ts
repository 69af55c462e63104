import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test } from '@jest/globals';
import type { Redis } from 'ioredis';
import { eventually } from '../support/eventually.js';
import { command, script } from '../support/redis-commands.js';
import { RedisServer } from '../support/redis-server.js';
import { TcpProxy, type Matcher } from '../support/tcp-proxy.js';
import { TestService, type HttpAnswer, type TestTenant, type Tokens } from '../support/test-service.js';

const HOUR_SECONDS = 3600;

describe('a reply of Redis that is lost after the command ran', () => {
  let redis: RedisServer;
  let look: Redis;
  let proxy: TcpProxy;
  let service: TestService;
  let acme: TestTenant;

  beforeAll(async () => {
    redis = await RedisServer.start();
    look = redis.client();
  });

  afterAll(async () => {
    look.disconnect();
    await redis.stop();
  });

  beforeEach(async () => {
    proxy = await TcpProxy.start(redis.port);
    service = await TestService.start({ STORE_URL: proxy.url });
    acme = await service.tenant();
    // Every script is known to Redis, so that what is lost next is the reply of one that ran.
    const { refresh_token } = await service.createSession(acme, { user_id: 'warm' });
    await service.refresh(acme, refresh_token);
    await service.revoke(acme, refresh_token);
  });

  afterEach(async () => {
    await service.stop();
    await proxy.stop();
  });

  /** The call answers 503 once Redis has run the command; then the service is connected again. */
  async function withoutReply<T>(matches: Matcher, call: () => Promise<HttpAnswer<T>>): Promise<void> {
    const lost = proxy.loseReplyOf(matches);
    const answer = await call();
    await lost;
    expect(answer).toMatchObject({ status: 503, body: { error: 'store_unavailable', action: 'retry' } });
    expect(Number(answer.headers.get('retry-after'))).toBeGreaterThan(0);
    await eventually(
      () => service.call('GET', '/health'),
      ({ status }) => status === 200,
    );
  }

  const record = (tokens: Tokens): Promise<Record<string, string>> =>
    look.hgetall(`tenant:{${acme.tenantId}:${tokens.session_id.slice(0, 4)}}:session:${tokens.session_id}`);

  const list = async (userId: string): Promise<string[]> => {
    const path = `/sessions?tenant_id=${acme.tenantId}&user_id=${userId}`;
    const { body } = await service.call<{ sessions: Tokens[] }>('GET', path, { apiKey: acme.apiKey });
    return body.sessions.map(({ session_id }) => session_id);
  };

  const isAlive = async (tokens: Tokens): Promise<boolean> => {
    const { status } = await service.validate(acme, tokens.access_token, 'store');
    return status === 200;
  };

  describe.each([
    { graceSeconds: 10, laterSeconds: 0 },
    { graceSeconds: 10, laterSeconds: HOUR_SECONDS },
    { graceSeconds: 0, laterSeconds: 0 },
    { graceSeconds: 0, laterSeconds: HOUR_SECONDS },
  ])('of a refresh, with $graceSeconds s of grace and a retry $laterSeconds s later', (given) => {
    beforeEach(async () => {
      const settings = { refresh_grace_seconds: given.graceSeconds };
      expect((await service.asPlatform('PATCH', `/tenants/${acme.tenantId}`, settings)).status).toBe(200);
    });

    test('costs nobody the session: the retry gets the one successor', async () => {
      const first = await service.createSession(acme);
      const { body: second } = await service.refresh(acme, first.refresh_token);
      await withoutReply(script('rotate-session'), () => service.refresh(acme, second.refresh_token));
      const afterLoss = await record(first);
      expect(afterLoss).toMatchObject({ previous_id: jtiOf(second.refresh_token), confirmed: '0' });

      service.clock.advanceSeconds(given.laterSeconds);
      const retry = await service.refresh(acme, second.refresh_token);
      expect(retry.status).toBe(200);
      expect(jtiOf(retry.body.refresh_token)).toBe(afterLoss['current_id']);
      expect(await isAlive(retry.body)).toBe(true);
      expect(await list('alice')).toEqual([first.session_id]);

      const next = await service.refresh(acme, retry.body.refresh_token);
      expect(next.status).toBe(200);
      expect(await isAlive(next.body)).toBe(true);
    });

    test('costs nobody the session when the replies to two retries are lost as well', async () => {
      const first = await service.createSession(acme);
      for (let attempt = 0; attempt < 3; attempt++) {
        await withoutReply(script('rotate-session'), () => service.refresh(acme, first.refresh_token));
        service.clock.advanceSeconds(given.laterSeconds);
      }
      const retry = await service.refresh(acme, first.refresh_token);
      expect(retry.status).toBe(200);
      expect((await service.refresh(acme, retry.body.refresh_token)).status).toBe(200);
    });

    test('does not open the door to reuse: once the retry was answered, the grace window runs', async () => {
      const first = await service.createSession(acme);
      await withoutReply(script('rotate-session'), () => service.refresh(acme, first.refresh_token));
      service.clock.advanceSeconds(given.laterSeconds);
      const retry = await service.refresh(acme, first.refresh_token);
      await eventually(
        () => record(first),
        ({ confirmed }) => confirmed === '1',
      );
      service.clock.advanceSeconds(given.graceSeconds);
      expect(await service.refresh(acme, first.refresh_token)).toMatchObject({
        status: 401,
        body: { error: 'refresh_token_reused' },
      });
      expect(await isAlive(retry.body)).toBe(false);
    });
  });

  test('of a confirmation leaves the previous token good for a retry, and the lineage one', async () => {
    const first = await service.createSession(acme);
    const lost = proxy.loseReplyOf(script('confirm-rotation'));
    const second = await service.refresh(acme, first.refresh_token);
    expect(second.status).toBe(200);
    await lost;
    await eventually(
      () => service.call('GET', '/health'),
      ({ status }) => status === 200,
    );
    expect((await service.refresh(acme, second.body.refresh_token)).status).toBe(200);
  });

  test('of a creation leaves one surplus session that nobody holds, and that can be ended like any other', async () => {
    const bob = { tenant_id: acme.tenantId, user_id: 'bob', scope: 'read' };
    await withoutReply(script('create-session'), () => service.post(acme, '/sessions', bob));
    const surplus = await list('bob');
    const created = await service.createSession(acme, { user_id: 'bob' });
    expect(await isAlive(created)).toBe(true);
    expect(surplus).toHaveLength(1);
    expect(await list('bob')).toHaveLength(2);
    expect(surplus).not.toContain(created.session_id);

    const path = `/sessions/${surplus[0]}`;
    expect((await service.call('DELETE', path, { apiKey: acme.apiKey })).status).toBe(204);
    expect(await list('bob')).toEqual([created.session_id]);
    expect(await isAlive(created)).toBe(true);
  });

  test('of a creation at the limit never ends more sessions than the limit asks for', async () => {
    await service.asPlatform('PATCH', `/tenants/${acme.tenantId}`, { max_sessions_per_user: 2 });
    const carol = { tenant_id: acme.tenantId, user_id: 'carol', scope: 'read' };
    const oldest = await service.createSession(acme, carol);
    service.clock.advanceSeconds(1);
    const older = await service.createSession(acme, carol);
    service.clock.advanceSeconds(1);
    await withoutReply(script('create-session'), () => service.post(acme, '/sessions', carol));
    expect(await isAlive(oldest)).toBe(true); // ended by the next creation only
    service.clock.advanceSeconds(1);
    const newest = await service.createSession(acme, carol);
    expect(await list('carol')).toHaveLength(2);
    expect(await list('carol')).toContain(newest.session_id);
    expect([await isAlive(oldest), await isAlive(older), await isAlive(newest)]).toEqual([
      false,
      false,
      true,
    ]);
  });

  test.each([
    { what: 'the mark', matches: script('revoke-session') },
    { what: 'the removal', matches: command('del') },
    { what: "the removal from the user's list", matches: command('zrem') },
  ])(
    'of a revocation, at $what, answers 503 and the retry 204, and the tokens are dead',
    async ({ matches }) => {
      const tokens = await service.createSession(acme, { user_id: 'dora' });
      await withoutReply(matches, () => service.revoke(acme, tokens.refresh_token));
      expect(await isAlive(tokens)).toBe(false);
      expect((await service.revoke(acme, tokens.refresh_token)).status).toBe(204);
      expect(await isAlive(tokens)).toBe(false);
      expect(await service.refresh(acme, tokens.refresh_token)).toMatchObject({
        status: 401,
        body: { error: 'token_revoked' },
      });
      expect(await list('dora')).toEqual([]);
    },
  );

  test('of a revocation that nobody repeats: whoever tries to refresh the session has it announced', async () => {
    const tokens = await service.createSession(acme);
    await withoutReply(script('revoke-session'), () => service.revoke(acme, tokens.refresh_token));
    expect((await service.validate(acme, tokens.access_token)).status).toBe(200);
    const refusal = { status: 401, body: { error: 'token_revoked' } };
    expect(await service.refresh(acme, tokens.refresh_token)).toMatchObject(refusal);
    expect(await service.validate(acme, tokens.access_token)).toMatchObject(refusal);
    expect(await record(tokens)).toEqual({});
  });

  test('of the revocation of one access token answers 503 and the retry 204, and only that token is dead', async () => {
    const tokens = await service.createSession(acme);
    const alone = { only_this_token: true };
    await withoutReply(command('set'), () => service.revoke(acme, tokens.access_token, alone));
    expect((await service.revoke(acme, tokens.access_token, alone)).status).toBe(204);
    expect(await isAlive(tokens)).toBe(false);
    const next = await service.refresh(acme, tokens.refresh_token);
    expect(await isAlive(next.body)).toBe(true);
  });

  test('of the end of a reused session answers 503, and the retry finds the reuse again', async () => {
    const first = await service.createSession(acme);
    const second = await service.refresh(acme, first.refresh_token);
    await eventually(
      () => record(first),
      ({ confirmed }) => confirmed === '1',
    );
    service.clock.advanceSeconds(HOUR_SECONDS);
    await withoutReply(script('rotate-session'), () => service.refresh(acme, first.refresh_token));
    expect(await service.refresh(acme, first.refresh_token)).toMatchObject({
      status: 401,
      body: { error: 'refresh_token_reused' },
    });
    expect(await service.refresh(acme, second.body.refresh_token)).toMatchObject({ status: 401 });
    expect(await list('alice')).toEqual([]);
  });

  test("of one of a user's revocations answers 503, and the retry ends the rest", async () => {
    const created = [];
    for (let count = 0; count < 5; count++)
      created.push(await service.createSession(acme, { user_id: 'eve' }));
    const everywhere = { tenant_id: acme.tenantId, user_id: 'eve', reason: 'password_change' };
    const oneOf = script('revoke-session', created[2]?.session_id);
    await withoutReply(oneOf, () => service.post(acme, '/sessions/revoke-all', everywhere));
    const retry = await service.post(acme, '/sessions/revoke-all', everywhere);
    expect(retry.status).toBe(200);
    for (const tokens of created) expect(await isAlive(tokens)).toBe(false);
    expect(await list('eve')).toEqual([]);
  });

  test("of a tenant's revocation answers 503, and the retry moves to an epoch of its own", async () => {
    const tokens = await service.createSession(acme);
    const path = `/tenants/${acme.tenantId}/revoke-all`;
    const incident = { reason: 'security_incident' };
    await withoutReply(script('replace-document', 'key-ring'), () =>
      service.asPlatform('POST', path, incident),
    );
    expect(await service.asPlatform('POST', path, incident)).toMatchObject({
      status: 200,
      body: { epoch: 3 },
    });
    expect(await isAlive(tokens)).toBe(false);
    expect((await service.refresh(acme, tokens.refresh_token)).status).toBe(401);
    expect(await isAlive(await service.createSession(acme))).toBe(true);
  });

  test.each([
    { what: 'its keys', matches: script('replace-document', 'key-ring') },
    { what: 'the index', matches: command('zadd', 'tenants') },
  ])('of a tenant being created, at $what, answers 503 and the retry 201', async ({ matches }) => {
    const tenantId = `retried-${Math.random().toString(36).slice(2, 10)}`;
    const create = () => service.asPlatform('POST', '/tenants', { tenant_id: tenantId });
    await withoutReply(matches, create);
    const retry = await create();
    expect(retry.status).toBe(201);
    const tenant = { tenantId, apiKey: String(retry.body['api_key']) };
    const { access_token } = await service.createSession(tenant);
    expect((await service.validate(tenant, access_token)).status).toBe(200);
  });

  test('of the tenant itself answers 503 and the retry 409: the platform then issues an API key', async () => {
    const create = () => service.asPlatform('POST', '/tenants', { tenant_id: 'lost-key' });
    await withoutReply(script('insert-tenant'), create);
    expect(await create()).toMatchObject({ status: 409, body: { error: 'tenant_exists' } });
    const grant = { name: 'second', scopes: ['sessions:create', 'sessions:validate'] };
    const issued = await service.asPlatform('POST', '/tenants/lost-key/api-keys', grant);
    expect(issued.status).toBe(201);
    const tenant = { tenantId: 'lost-key', apiKey: String(issued.body['api_key']) };
    const { access_token } = await service.createSession(tenant);
    expect((await service.validate(tenant, access_token)).status).toBe(200);
  });

  test("of a change of a tenant's settings answers 503, and the retry 200 with the change made", async () => {
    const path = `/tenants/${acme.tenantId}`;
    const change = { audience: 'elsewhere' };
    await withoutReply(script('replace-document', 'record'), () => service.asPlatform('PATCH', path, change));
    expect(await service.asPlatform('PATCH', path, change)).toMatchObject({ status: 200, body: change });
  });
});

function jtiOf(token: string): string {
  const payload = Buffer.from(token.split('.')[1] ?? '', 'base64url').toString();
  return (JSON.parse(payload) as { jti: string }).jti;
}
