import { describe, expect, test } from '@jest/globals';
import { KeyLifecycleService } from '../../src/keys/key-lifecycle.service.js';
import { STORES } from '../support/test-service.js';
import { useService } from '../e2e/use-service.js';

describe.each(STORES)('keys of a tenant that is being deleted on $name', ({ prepare }) => {
  const service = useService(prepare);

  test('are not made by a change that comes meanwhile, and the id can be used again', async () => {
    const { tenantId } = await service().tenant();
    const lifecycle = service().app.get(KeyLifecycleService, { strict: false });
    // The deletion has taken the keys, and has not yet come to the tenant's record.
    await lifecycle.deprovision(tenantId);
    const path = `/tenants/${tenantId}`;
    const gone = { status: 404, body: { error: 'tenant_not_found' } };
    expect(await service().asPlatform('POST', `${path}/keys/rotate?now=true`)).toMatchObject(gone);
    expect(await service().asPlatform('POST', `${path}/revoke-all`, { reason: 'admin' })).toMatchObject(gone);
    expect((await service().asPlatform('DELETE', path)).status).toBe(204);

    const again = await service().asPlatform('POST', '/tenants', { tenant_id: tenantId });
    expect(again.status).toBe(201);
    const reborn = { tenantId, apiKey: String(again.body['api_key']) };
    const tokens = await service().createSession(reborn);
    expect((await service().validate(reborn, tokens.access_token)).status).toBe(200);
  });
});
