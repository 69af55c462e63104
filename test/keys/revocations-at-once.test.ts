/** Many revocations of a whole tenant at once: each holds, and nobody else waits for all of them. */
import { describe, expect, test } from '@jest/globals';
import { useService } from '../e2e/use-service.js';
import { STORES, type TestTenant } from '../support/test-service.js';

describe.each(STORES)('on $name', ({ prepare }) => {
  const service = useService(prepare);
  const revokeAll = async ({ tenantId, apiKey }: TestTenant): Promise<number> => {
    const body = { reason: 'security_incident' };
    const answer = await service().call('POST', `/tenants/${tenantId}/revoke-all`, { apiKey, body });
    expect(answer.status).toBe(200);
    return Number(answer.body['epoch']);
  };

  test('share epochs, and end what was signed before any of them', async () => {
    const tenant = await service().tenant({ rsa_modulus_bits: 4096 });
    const before = await service().createSession(tenant);
    const epochs = await Promise.all(Array.from({ length: 20 }, () => revokeAll(tenant)));
    expect(new Set(epochs).size).toBeLessThan(20);
    const { body } = await service().validate(tenant, before.access_token);
    expect(body).toMatchObject({ valid: false, error: 'token_revoked' });
    const after = await service().createSession(tenant);
    expect((await service().validate(tenant, after.access_token)).status).toBe(200);
  });

  test('one that begins after another has ended is an epoch of its own', async () => {
    const tenant = await service().tenant();
    const first = await revokeAll(tenant);
    const between = await service().createSession(tenant);
    expect(await revokeAll(tenant)).toBe(first + 1);
    expect((await service().validate(tenant, between.access_token)).body).toMatchObject({ valid: false });
  });

  test('a session that was answered before a revocation began is ended by it, however many are under way', async () => {
    const tenant = await service().tenant();
    const survivors: string[] = [];
    await Promise.all(
      Array.from({ length: 12 }, async (_, n) => {
        const { access_token: token } = await service().createSession(tenant, { user_id: `user-${n}` });
        await revokeAll(tenant);
        if ((await service().validate(tenant, token)).status === 200) survivors.push(token);
      }),
    );
    expect(survivors).toEqual([]);
  });
});
