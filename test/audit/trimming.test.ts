/** What is old or too much goes, in steps, up to a signed place: what is left verifies from there. */
import { describe, expect, test } from '@jest/globals';
import { AuditKeeper } from '../../src/audit/audit-keeper.js';
import { useService } from '../e2e/use-service.js';
import { STORES, type TestTenant } from '../support/test-service.js';
import { entriesOf, signed, verificationOf } from './audit-calls.js';

const DAY = 86_400;

describe.each(STORES)('trimming on $name', ({ prepare }) => {
  const service = useService(prepare, { AUDIT_RETENTION_DAYS: '30', AUDIT_MAX_ENTRIES_PER_TENANT: '100' });

  const pass = () => service().app.get(AuditKeeper, { strict: false }).visitAll();

  async function createMany(acme: TestTenant, count: number, user_id = 'alice'): Promise<void> {
    for (let n = 0; n < count; n++) {
      const { access_token } = await service().createSession(acme, { user_id });
      await service().revoke(acme, access_token);
    }
  }

  test('takes what is older than the retention, and leaves a chain that verifies', async () => {
    const acme = await service().tenant();
    await createMany(acme, 3, 'long-ago');
    await signed(service(), acme);
    service().clock.advanceSeconds(20 * DAY);
    await createMany(acme, 3, 'lately');
    await signed(service(), acme);
    service().clock.advanceSeconds(11 * DAY);
    await pass();
    const entries = await entriesOf(service(), acme);
    expect(new Set(entries.map(({ user_id }) => user_id))).toEqual(new Set(['lately', undefined]));
    expect(entries.at(-1)).toMatchObject({ seq: 8, action: 'audit_checkpoint' });
    expect(await entriesOf(service(), acme, '&user_id=long-ago')).toEqual([]);
    expect(await verificationOf(service(), acme)).toMatchObject({
      intact: true,
      from: 8,
      through: 16,
      signed_through: { seq: 15 },
    });
  });

  test('takes what is beyond the largest number, and only then', async () => {
    const acme = await service().tenant();
    for (let n = 0; n < 5; n++) {
      await createMany(acme, 10);
      await signed(service(), acme);
    }
    expect((await entriesOf(service(), acme)).at(-1)?.seq).toBe(1); // 106: not worth it yet
    await createMany(acme, 10);
    await signed(service(), acme);
    const entries = await entriesOf(service(), acme);
    expect(entries[0]?.seq).toBe(127);
    expect(entries.at(-1)).toMatchObject({ seq: 22, action: 'audit_checkpoint' });
    expect(await verificationOf(service(), acme)).toMatchObject({ intact: true, from: 22, through: 127 });
  });

  test('goes on with the chain of a tenant that is gone, and says that nobody signed it', async () => {
    const acme = await service().tenant();
    await createMany(acme, 2);
    await signed(service(), acme);
    await service().asPlatform('DELETE', `/tenants/${acme.tenantId}`);
    await signed(service(), acme);
    service().clock.advanceSeconds(31 * DAY);
    await pass();
    const entries = await entriesOf(service(), acme);
    expect(entries.map(({ action }) => action)).toEqual(['audit_checkpoint', 'audit_checkpoint']);
    const verification = await verificationOf(service(), acme);
    expect(verification).toMatchObject({ intact: true });
    expect(verification).not.toHaveProperty('signed_through');
  });

  test('leaves a quiet chain alone, however often it is visited', async () => {
    const acme = await service().tenant();
    await signed(service(), acme);
    const before = await entriesOf(service(), acme);
    await pass();
    await pass();
    expect(await entriesOf(service(), acme)).toEqual(before);
  });

  test('signs what nobody has signed, because its instance is gone', async () => {
    const acme = await service().tenant();
    await entriesOf(service(), acme);
    await pass();
    expect(await verificationOf(service(), acme)).toMatchObject({ signed_through: { seq: 1 } });
  });

  test('is followed by signatures of new keys, whatever became of the old ones', async () => {
    const acme = await service().tenant();
    await signed(service(), acme);
    const old = (await verificationOf(service(), acme)).signed_through;
    await service().asPlatform('POST', `/tenants/${acme.tenantId}/revoke-all`, {
      reason: 'security_incident',
    });
    expect(await verificationOf(service(), acme)).not.toHaveProperty('signed_through');
    await signed(service(), acme);
    const { intact, signed_through: fresh } = await verificationOf(service(), acme);
    expect([intact, fresh?.seq]).toEqual([true, 3]);
    expect(fresh?.thumbprint).not.toBe(old?.thumbprint);
  });
});
