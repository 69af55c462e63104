/** What every TenantStore does. */
import { describe, expect, test } from '@jest/globals';
import type { Tenant } from '../../src/tenants/tenant.js';
import { storesOf, type OpenStores } from './open-stores.js';
import { aTenant, anApiKey, newTenantId, T0 } from './samples.js';

export function tenantStoreContract(open: OpenStores): void {
  describe('tenant store', () => {
    const stores = storesOf(open);

    async function inserted(tenant: Tenant): Promise<Tenant> {
      expect(await stores().tenants.insert(tenant, anApiKey())).toBe('created');
      return tenant;
    }

    test('keeps a new tenant as it is, with its first API key', async () => {
      const tenant = aTenant();
      const apiKey = anApiKey();
      expect(await stores().tenants.insert(tenant, apiKey)).toBe('created');
      expect(await stores().tenants.find(tenant.tenantId)).toEqual(tenant);
      expect(await stores().apiKeys.list(tenant.tenantId)).toEqual([apiKey]);
    });

    test('refuses a tenant id that is taken and keeps neither the tenant nor its API key', async () => {
      const tenant = await inserted(aTenant());
      const before = await stores().apiKeys.list(tenant.tenantId);
      expect(await stores().tenants.insert({ ...tenant, name: 'thief' }, anApiKey())).toBe('exists');
      expect(await stores().tenants.find(tenant.tenantId)).toEqual(tenant);
      expect(await stores().apiKeys.list(tenant.tenantId)).toEqual(before);
    });

    test('lets one of many simultaneous inserts of an id win, with its API key', async () => {
      const tenantId = newTenantId();
      const rivals = Array.from({ length: 8 }, (_, n) => ({
        tenant: aTenant({ tenantId, name: `rival ${n}` }),
        apiKey: anApiKey(),
      }));
      const outcomes = await Promise.all(
        rivals.map(({ tenant, apiKey }) => stores().tenants.insert(tenant, apiKey)),
      );
      const winners = rivals.filter((_, n) => outcomes[n] === 'created');
      expect(winners).toHaveLength(1);
      expect(await stores().tenants.find(tenantId)).toEqual(winners[0]?.tenant);
      expect(await stores().apiKeys.list(tenantId)).toEqual([winners[0]?.apiKey]);
    });

    test('finds nothing for an id that was never inserted', async () => {
      expect(await stores().tenants.find(newTenantId())).toBeNull();
    });

    test('replaces a tenant that is at the version before', async () => {
      const tenant = await inserted(aTenant());
      const changed: Tenant = {
        ...tenant,
        status: 'suspended',
        overrides: {},
        updatedAtMs: T0 + 1,
        version: 2,
      };
      expect(await stores().tenants.update(changed)).toBe('updated');
      expect(await stores().tenants.find(tenant.tenantId)).toEqual(changed);
    });

    test.each([1, 3, 4])('does not replace a tenant at version 1 by version %d', async (version) => {
      const tenant = await inserted(aTenant());
      expect(await stores().tenants.update({ ...tenant, name: 'late', version })).toBe('conflict');
      expect(await stores().tenants.find(tenant.tenantId)).toEqual(tenant);
    });

    test('lets one of many simultaneous updates win', async () => {
      const tenant = await inserted(aTenant());
      const outcomes = await Promise.all(
        ['a', 'b', 'c', 'd'].map((name) => stores().tenants.update({ ...tenant, name, version: 2 })),
      );
      expect(outcomes.toSorted()).toEqual(['conflict', 'conflict', 'conflict', 'updated']);
    });

    test.each([1, 2, 7])('does not make a missing tenant by updating it to version %d', async (version) => {
      const tenant = aTenant({ version });
      expect(await stores().tenants.update(tenant)).toBe('missing');
      expect(await stores().tenants.find(tenant.tenantId)).toBeNull();
    });

    test('deletes a tenant and its API keys, once', async () => {
      const tenant = await inserted(aTenant());
      const [first] = await stores().apiKeys.list(tenant.tenantId);
      expect(await stores().tenants.delete(tenant.tenantId)).toBe(true);
      expect(await stores().tenants.delete(tenant.tenantId)).toBe(false);
      expect(await stores().tenants.find(tenant.tenantId)).toBeNull();
      expect(await stores().apiKeys.list(tenant.tenantId)).toEqual([]);
      expect(await stores().apiKeys.find(tenant.tenantId, String(first?.keyId))).toBeNull();
      expect(await stores().tenants.update({ ...tenant, version: 2 })).toBe('missing');
    });

    test('takes a deleted id again, without the API keys it had', async () => {
      const tenant = await inserted(aTenant());
      await stores().tenants.delete(tenant.tenantId);
      const apiKey = anApiKey();
      expect(await stores().tenants.insert(tenant, apiKey)).toBe('created');
      expect(await stores().apiKeys.list(tenant.tenantId)).toEqual([apiKey]);
    });

    test('deletes and changes no tenant but the one that is named', async () => {
      const prefix = newTenantId();
      const neighbours = [prefix, `${prefix}-`, `${prefix}-a`, `${prefix}0`];
      for (const tenantId of neighbours) await inserted(aTenant({ tenantId }));
      const [gone = '', ...others] = neighbours;
      const before = await Promise.all(others.map((id) => stores().tenants.find(id)));
      await stores().tenants.update(aTenant({ tenantId: gone, name: 'changed', version: 2 }));
      await stores().tenants.delete(gone);
      expect(await Promise.all(others.map((id) => stores().tenants.find(id)))).toEqual(before);
      for (const id of others) expect(await stores().apiKeys.list(id)).toHaveLength(1);
    });
  });

  describe('tenant list', () => {
    const stores = storesOf(open);
    const ids = ['0', '00', 'a', 'a-', 'a-b', 'a0', 'aa', 'b'];

    async function page(after: string, limit: number): Promise<string[]> {
      return (await stores().tenants.list({ after, limit })).map(({ tenantId }) => tenantId);
    }

    test('is empty at first', async () => {
      expect(await page('', 10)).toEqual([]);
    });

    test('is in the order of the ids, whatever the order of their creation', async () => {
      for (const tenantId of ids.toReversed())
        await stores().tenants.insert(aTenant({ tenantId }), anApiKey());
      expect(await page('', 100)).toEqual(ids);
      expect(await stores().tenants.list({ after: 'aa', limit: 1 })).toEqual([aTenant({ tenantId: 'b' })]);
    });

    test('begins after the id that is named, which need not exist', async () => {
      expect(await page('a', 3)).toEqual(['a-', 'a-b', 'a0']);
      expect(await page('a-a', 2)).toEqual(['a-b', 'a0']);
      expect(await page('b', 10)).toEqual([]);
    });

    test('gives every tenant once when it is read page by page', async () => {
      const seen: string[] = [];
      for (let last = await page('', 3); last.length > 0; last = await page(String(last.at(-1)), 3)) {
        seen.push(...last);
      }
      expect(seen).toEqual(ids);
    });

    test('fills a page although tenants were deleted', async () => {
      await stores().tenants.delete('a');
      await stores().tenants.delete('a-');
      expect(await page('', 4)).toEqual(['0', '00', 'a-b', 'a0']);
    });
  });
}
