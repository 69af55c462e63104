/** Rate limits as callers meet them, with time standing still unless it is turned. */
import { beforeEach, describe, expect, test } from '@jest/globals';
import { useService } from '../e2e/use-service.js';
import { STORES, type HttpAnswer, type TestTenant } from '../support/test-service.js';

const PER_SECOND = 5;
const BURST = 2 * PER_SECOND;

describe.each(STORES)('on $name', ({ prepare }) => {
  const service = useService(prepare);
  let tenant: TestTenant;
  let accessToken: string;

  beforeEach(async () => {
    tenant = await service().tenant();
    accessToken = (await service().createSession(tenant)).access_token;
    // A limit that was changed begins with a full bucket.
    await change(tenant, { rate_limit_per_second: PER_SECOND });
  });

  const change = async ({ tenantId }: TestTenant, settings: Record<string, unknown>): Promise<void> => {
    const { status } = await service().asPlatform('PATCH', `/tenants/${tenantId}`, settings);
    expect(status).toBe(200);
  };
  const validate = (by = tenant, token = accessToken): Promise<HttpAnswer> => service().validate(by, token);
  const statuses = async (requests: number, by = tenant, token = accessToken): Promise<number[]> => {
    const answers: number[] = [];
    for (let n = 0; n < requests; n++) answers.push((await validate(by, token)).status);
    return answers;
  };
  const issueKey = async (more: Record<string, unknown> = {}): Promise<TestTenant> => {
    const { tenantId } = tenant;
    const { body } = await service().asPlatform('POST', `/tenants/${tenantId}/api-keys`, {
      name: 'other',
      scopes: ['sessions:validate'],
      ...more,
    });
    return { tenantId, apiKey: String(body['api_key']) };
  };
  const times = (count: number, status: number): number[] => Array.from({ length: count }, () => status);

  test('a tenant has its burst, then 429 with the time to wait, then its rate', async () => {
    expect(await statuses(BURST)).toEqual(times(BURST, 200));
    const refused = await validate();
    expect(refused.status).toBe(429);
    expect(refused.headers.get('retry-after')).toBe('1');
    expect(refused.body).toEqual({
      error: 'rate_limited',
      error_description: 'Too many requests: wait as long as Retry-After says.',
      action: 'retry',
      request_id: refused.headers.get('x-request-id'),
    });
    service().clock.advanceSeconds(1);
    expect(await statuses(PER_SECOND + 1)).toEqual([...times(PER_SECOND, 200), 429]);
  });

  test('every answer says what the limit is and what is left of it', async () => {
    const first = await validate();
    expect(first.headers.get('ratelimit-policy')).toBe('"tenant";q=10;w=2');
    expect(first.headers.get('ratelimit')).toBe('"tenant";r=9;t=1');
    await statuses(BURST - 1);
    const refused = await validate();
    expect(refused.headers.get('ratelimit-policy')).toBe('"tenant";q=10;w=2');
    expect(refused.headers.get('ratelimit')).toBe('"tenant";r=0;t=2');
    expect(refused.headers.get('x-content-type-options')).toBe('nosniff');
    expect(refused.headers.get('cache-control')).toBe('no-store');
  });

  test('who has no limit hears of none', async () => {
    await change(tenant, { rate_limit_per_second: null });
    const { headers } = await validate();
    expect([headers.get('ratelimit'), headers.get('ratelimit-policy')]).toEqual([null, null]);
    expect(await statuses(3 * BURST)).toEqual(times(3 * BURST, 200));
  });

  test('what one tenant does, another does not feel', async () => {
    const other = await service().tenant({ rate_limit_per_second: PER_SECOND });
    const token = (await service().createSession(other)).access_token;
    await statuses(BURST + 5);
    expect(await statuses(BURST - 1, other, token)).toEqual(times(BURST - 1, 200));
    expect(await statuses(1)).toEqual([429]);
  });

  test('API keys of one tenant have limits of their own, within the tenant’s', async () => {
    await change(tenant, { api_key_rate_limit_per_second: 2 });
    const other = await issueKey();
    expect(await statuses(5)).toEqual([...times(4, 200), 429]);
    expect((await validate()).headers.get('ratelimit')).toBe('"tenant";r=6;t=1, "api_key";r=0;t=2');
    expect(await statuses(5, other)).toEqual([...times(4, 200), 429]);
    expect((await validate(other)).headers.get('ratelimit')).toBe('"tenant";r=2;t=2, "api_key";r=0;t=2');
  });

  test('a request that one limit refuses is not taken from the other', async () => {
    await change(tenant, { api_key_rate_limit_per_second: 1 });
    expect(await statuses(20)).toEqual([...times(2, 200), ...times(18, 429)]);
    expect(await statuses(3, await issueKey())).toEqual([...times(2, 200), 429]);
    expect((await validate()).headers.get('ratelimit')).toMatch(/^"tenant";r=6;/);
  });

  test('one API key can have a limit of its own, or none', async () => {
    await change(tenant, { rate_limit_per_second: 100, api_key_rate_limit_per_second: 1 });
    const larger = await issueKey({ rate_limit_per_second: 3 });
    const free = await issueKey({ rate_limit_per_second: 0 });
    expect(await statuses(7, larger)).toEqual([...times(6, 200), 429]);
    expect(await statuses(20, free)).toEqual(times(20, 200));
    expect(await statuses(3)).toEqual([...times(2, 200), 429]);
    const { body } = await service().asPlatform<{ api_keys: { rate_limit_per_second: number | null }[] }>(
      'GET',
      `/tenants/${tenant.tenantId}/api-keys`,
    );
    const limits = body.api_keys.map(({ rate_limit_per_second: limit }) => limit);
    expect(limits).toHaveLength(3);
    expect(new Set(limits)).toEqual(new Set([null, 3, 0]));
  });

  test('a tenant cannot give its own keys limits', async () => {
    const wish = { name: 'mine', scopes: ['sessions:validate'], rate_limit_per_second: 1_000_000 };
    const answer = await service().post(tenant, `/tenants/${tenant.tenantId}/api-keys`, wish);
    expect([answer.status, answer.body['error']]).toEqual([403, 'insufficient_scope']);
  });

  test('a limit that is changed holds from the next request on, with a full bucket', async () => {
    await statuses(BURST);
    expect(await statuses(1)).toEqual([429]);
    await change(tenant, { rate_limit_per_second: 3, rate_limit_burst_seconds: 1 });
    expect(await statuses(4)).toEqual([...times(3, 200), 429]);
    await change(tenant, { rate_limit_per_second: 0 });
    expect(await statuses(20)).toEqual(times(20, 200));
  });

  test('what is set is what the tenant says of itself', async () => {
    const { body } = await service().asPlatform('GET', `/tenants/${tenant.tenantId}`);
    expect(body).toMatchObject({
      rate_limit_per_second: PER_SECOND,
      api_key_rate_limit_per_second: 0,
      rate_limit_burst_seconds: 2,
    });
  });

  test('who has spent everything can still log users out, as often again as come at once', async () => {
    const session = await service().createSession(tenant, { user_id: 'bob' });
    await statuses(BURST);
    expect(await statuses(1)).toEqual([429]);
    expect((await service().revoke(tenant, session.access_token)).status).toBe(204);
    const answers: number[] = [];
    for (let n = 0; n < BURST; n++) {
      answers.push((await service().revoke(tenant, session.access_token)).status);
    }
    expect(answers).toEqual([...times(BURST - 1, 204), 429]);
  });

  test('a batch counts as a tenth of the revocations in it', async () => {
    const ids = Array.from({ length: 200 }, () => 'T1NASbYbtW2jp0d6zovEnHQP4w');
    const batch = { session_ids: ids, reason: 'admin' };
    expect((await service().post(tenant, '/sessions/revoke-batch', batch)).status).toBe(200);
    const refused = await validate();
    expect(refused.headers.get('retry-after')).toBe('3'); // 10 - 20, and 1 for itself, at 5 a second
    service().clock.advanceSeconds(3);
    expect((await validate()).status).toBe(200);
  });

  test('the platform key is never limited', async () => {
    await statuses(BURST + 1);
    for (let n = 0; n < 2 * BURST; n++) {
      expect((await service().asPlatform('GET', `/tenants/${tenant.tenantId}`)).status).toBe(200);
    }
  });

  test('a refusal comes before the body is read', async () => {
    await statuses(BURST);
    const garbage = await service().call('POST', '/sessions/validate', {
      apiKey: tenant.apiKey,
      body: '{"access_token": ',
    });
    expect(garbage.status).toBe(429);
  });

  test('each request counts once, whether this instance knows its key already or not', async () => {
    const fresh = await issueKey();
    expect((await validate(fresh)).headers.get('ratelimit')).toBe('"tenant";r=9;t=1');
    expect((await validate(fresh)).headers.get('ratelimit')).toBe('"tenant";r=8;t=1');
    const batch = { session_ids: ['x'], reason: 'admin' };
    const other = { ...(await issueKey({ scopes: ['sessions:revoke'] })) };
    for (const left of [7, 6]) {
      const { headers } = await service().post(other, '/sessions/revoke-batch', batch);
      expect(headers.get('ratelimit')).toMatch(`"tenant";r=${left};`);
    }
  });
});
