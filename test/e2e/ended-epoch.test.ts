/** Sessions of an ended epoch are as if they were not there, also for those who would end them. */
import { beforeEach, describe, expect, test } from '@jest/globals';
import { STORES, type TestTenant, type Tokens } from '../support/test-service.js';
import { useService } from './use-service.js';

describe.each(STORES)('on $name, after everything of the tenant was revoked', ({ prepare }) => {
  const service = useService(prepare);
  let tenant: TestTenant;
  let dead: Tokens;
  let alive: Tokens;

  beforeEach(async () => {
    tenant = await service().tenant();
    dead = await service().createSession(tenant);
    const path = `/tenants/${tenant.tenantId}/revoke-all`;
    expect((await service().post(tenant, path, { reason: 'security_incident' })).status).toBe(200);
    alive = await service().createSession(tenant);
  });

  const end = async ({ session_id: id }: Tokens) => {
    const { status, body } = await service().call('DELETE', `/sessions/${id}`, { apiKey: tenant.apiKey });
    return [status, body?.['error']];
  };

  test('a session of before cannot be ended by its id', async () => {
    expect(await end(dead)).toEqual([404, 'session_not_found']);
    expect(await end(dead)).toEqual([404, 'session_not_found']);
    expect(await end(alive)).toEqual([204, undefined]);
  });

  test('revoking a user counts the sessions of now only', async () => {
    const user = { tenant_id: tenant.tenantId, user_id: 'alice', reason: 'admin' };
    expect((await service().post(tenant, '/sessions/revoke-all', user)).body).toEqual({ revoked_count: 1 });
    expect((await service().post(tenant, '/sessions/revoke-all', user)).body).toEqual({ revoked_count: 0 });
  });

  test('a batch finds the sessions of now only', async () => {
    const batch = { session_ids: [dead.session_id, alive.session_id], reason: 'admin' };
    const { body } = await service().post(tenant, '/sessions/revoke-batch', batch);
    expect(body).toEqual({
      revoked_count: 1,
      results: [
        { session_id: dead.session_id, status: 'not_found' },
        { session_id: alive.session_id, status: 'revoked' },
      ],
    });
  });
});
