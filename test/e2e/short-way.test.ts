/** The short way through a validation and the ordinary one, side by side: nobody can tell which of them answered. */
import { afterAll, beforeAll, describe, expect, test } from '@jest/globals';
import { WarmValidation } from '../../src/sessions/warm-validation.js';
import { STORES, TestService, type HttpAnswer, type TestTenant } from '../support/test-service.js';
import { TurnableClock } from '../support/turnable-clock.js';
import { RedisServer } from '../support/redis-server.js';

let redis: RedisServer;
let clock: TurnableClock;
let short: TestService;
let ordinary: TestService;
let acme: TestTenant;

beforeAll(async () => {
  redis = await RedisServer.start();
  clock = new TurnableClock();
  const env = { STORE_URL: redis.url };
  short = await TestService.start(env, clock);
  // With traces each step is gone; here nobody takes them.
  ordinary = await TestService.start({ ...env, OTEL_EXPORTER_OTLP_ENDPOINT: 'http://127.0.0.1:9' }, clock);
  acme = await short.tenant();
});

afterAll(async () => {
  await short.stop();
  await ordinary.stop();
  await redis.stop();
});

/** Without what is another one for each request. */
function comparable({ status, headers, body }: HttpAnswer): unknown {
  const { request_id: requestId, revocation, ...rest } = body;
  const { checked } = (revocation ?? {}) as { checked?: string };
  const varying = new Set(['date', 'x-request-id', 'keep-alive', 'connection', 'content-length']);
  const kept = [...headers].filter(([name]) => !varying.has(name));
  return { status, kept, rest, checked, hasRequestId: requestId !== undefined };
}

async function sameOfBoth(body: unknown, apiKey = acme.apiKey): Promise<number> {
  const asked = { apiKey, body };
  // Twice: what is in memory may take another way than what is not.
  for (let time = 0; time < 2; time++) {
    const [one, other] = [
      await short.call('POST', '/sessions/validate', asked),
      await ordinary.call('POST', '/sessions/validate', asked),
    ];
    expect(comparable(one)).toEqual(comparable(other));
    if (time === 1) return one.status;
  }
  throw new Error('unreachable');
}

describe('a validation is answered alike by both ways', () => {
  test.each([undefined, 'replica', 'store', 'skip'])(
    'of good, revoked and expired tokens, checked by %s',
    async (check) => {
      const asked = (access_token: string) => ({
        access_token,
        ...(check ? { revocation_check: check } : {}),
      });
      const { access_token: token, refresh_token: refresh } = await short.createSession(acme);
      expect(await sameOfBoth(asked(token))).toBe(200);
      for (const bad of [refresh, token.slice(1), `${token.slice(0, -10)}AAAAAAAAAA`, '', 'x'.repeat(9000)]) {
        expect(await sameOfBoth(asked(bad))).toBe(401);
      }
      const leaked = await short.createSession(acme);
      await short.revoke(acme, leaked.access_token, { only_this_token: true });
      await short.revoke(acme, token);
      await sameOfBoth(asked(leaked.access_token));
      await sameOfBoth(asked(token));
      const old = await short.createSession(acme);
      clock.advanceSeconds(901);
      expect(await sameOfBoth(asked(old.access_token))).toBe(401);
    },
  );

  test('of bodies that are not as they should be', async () => {
    const { access_token: token } = await short.createSession(acme);
    for (const body of [
      {},
      { access_token: 1 },
      { access_token: token, revocation_check: 'never' },
      { access_token: token, more: true },
      { access_token: [token] },
      '{"access_token":',
      `{"access_token":"${token}","access_token":"${token}"}`,
    ]) {
      expect(await sameOfBoth(body)).toBe(400);
    }
    // null is as good as left out.
    expect(await sameOfBoth({ access_token: token, revocation_check: null })).toBe(200);
  });

  test('of callers who may not, and of other tenants’ tokens', async () => {
    const { access_token: token } = await short.createSession(acme);
    const other = await short.tenant();
    const issued = await short.call('POST', `/tenants/${acme.tenantId}/api-keys`, {
      apiKey: acme.apiKey,
      body: { name: 'reader', scopes: ['sessions:read'] },
    });
    expect(await sameOfBoth({ access_token: token }, other.apiKey)).toBe(401);
    expect(await sameOfBoth({ access_token: token }, String(issued.body['api_key']))).toBe(403);
    expect(await sameOfBoth({ access_token: token }, `${acme.apiKey}0`)).toBe(401);
    expect(await sameOfBoth({ access_token: token }, '')).toBe(401);
  });

  test('of a tenant that is suspended, and whose epoch has ended', async () => {
    const tenant = await short.tenant();
    const { access_token: token } = await short.createSession(tenant);
    expect(await sameOfBoth({ access_token: token }, tenant.apiKey)).toBe(200);
    await short.asPlatform('PATCH', `/tenants/${tenant.tenantId}`, { status: 'suspended' });
    await ordinary.asPlatform('PATCH', `/tenants/${tenant.tenantId}`, { status: 'suspended' });
    expect(await sameOfBoth({ access_token: token }, tenant.apiKey)).toBe(403);
    await short.asPlatform('PATCH', `/tenants/${tenant.tenantId}`, { status: 'active' });
    await ordinary.asPlatform('PATCH', `/tenants/${tenant.tenantId}`, { status: 'active' });
    await short.asPlatform('POST', `/tenants/${tenant.tenantId}/revoke-all`, { reason: 'admin' });
    await ordinary.asPlatform('POST', `/tenants/${tenant.tenantId}/revoke-all`, { reason: 'admin' });
    expect(await sameOfBoth({ access_token: token }, tenant.apiKey)).toBe(401);
  });
});

describe.each(STORES)('the short way on $name', ({ prepare }) => {
  test('is taken by what memory can answer, and by nothing else', async () => {
    const { env, dispose } = await prepare();
    const service = await TestService.start(env);
    try {
      const tenant = await service.tenant();
      const warm = service.app.get(WarmValidation, { strict: false });
      const taken = async (body: unknown): Promise<boolean> => {
        let wasTaken = false;
        const answer = warm['answer'].bind(warm);
        warm['answer'] = (request, reply) => (wasTaken = answer(request, reply));
        await service.post(tenant, '/sessions/validate', body);
        warm['answer'] = answer;
        return wasTaken;
      };
      const { access_token: token } = await service.createSession(tenant);
      await service.validate(tenant, token);
      expect(await taken({ access_token: token })).toBe(true);
      expect(await taken({ access_token: token, revocation_check: 'skip' })).toBe(true);
      expect(await taken({ access_token: token, revocation_check: 'store' })).toBe(false);
      expect(await taken({ access_token: token, more: 1 })).toBe(false);
      await service.revoke(tenant, token);
      expect(await taken({ access_token: token })).toBe(true);
    } finally {
      await service.stop();
      await dispose();
    }
  });
});
