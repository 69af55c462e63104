/** What every ApiKeyStore does. */
import { beforeEach, describe, expect, test } from '@jest/globals';
import type { ApiKey } from '../../src/tenants/api-key.js';
import { storesOf, type OpenStores } from './open-stores.js';
import { aTenant, anApiKey, newTenantId, T0 } from './samples.js';

const at = (keyId: string, createdAtMs: number): ApiKey => anApiKey({ keyId, createdAtMs });

export function apiKeyStoreContract(open: OpenStores): void {
  describe('api key store', () => {
    const stores = storesOf(open);
    const first = anApiKey({ name: 'first' });
    let tenantId: string;

    beforeEach(async () => {
      tenantId = newTenantId();
      await stores().tenants.insert(aTenant({ tenantId }), first);
    });

    test('keeps a key as it is', async () => {
      const key = anApiKey({ expiresAtMs: T0 + 1, scopes: [] });
      expect(await stores().apiKeys.insert(tenantId, key)).toBe(true);
      expect(await stores().apiKeys.find(tenantId, key.keyId)).toEqual(key);
    });

    test('lists the oldest key first, and by id those of one moment', async () => {
      const keys = [
        at('ffffffffffffffff', T0 + 1),
        at('0000000000000000', T0 + 10),
        at('9aaaaaaaaaaaaaaa', T0 + 10),
        at('a999999999999999', T0 + 10),
      ];
      for (const key of keys.toReversed()) await stores().apiKeys.insert(tenantId, key);
      expect(await stores().apiKeys.list(tenantId)).toEqual([first, ...keys]);
    });

    test('finds nothing under an id that was never issued', async () => {
      expect(await stores().apiKeys.find(tenantId, '0123456789abcdef')).toBeNull();
      expect(await stores().apiKeys.find(newTenantId(), first.keyId)).toBeNull();
      expect(await stores().apiKeys.list(newTenantId())).toEqual([]);
    });

    test('keeps no key for a tenant that does not exist', async () => {
      const key = anApiKey();
      const nobody = newTenantId();
      expect(await stores().apiKeys.insert(nobody, key)).toBe(false);
      expect(await stores().apiKeys.find(nobody, key.keyId)).toBeNull();
    });

    test('keeps no key for a tenant that was deleted', async () => {
      await stores().tenants.delete(tenantId);
      expect(await stores().apiKeys.insert(tenantId, anApiKey())).toBe(false);
      expect(await stores().apiKeys.list(tenantId)).toEqual([]);
    });

    test('deletes a key once, and no other one', async () => {
      const key = anApiKey();
      await stores().apiKeys.insert(tenantId, key);
      expect(await stores().apiKeys.delete(tenantId, key.keyId)).toBe(true);
      expect(await stores().apiKeys.delete(tenantId, key.keyId)).toBe(false);
      expect(await stores().apiKeys.list(tenantId)).toEqual([first]);
    });

    test('says that an unknown key was not deleted', async () => {
      expect(await stores().apiKeys.delete(tenantId, '0123456789abcdef')).toBe(false);
      expect(await stores().apiKeys.delete(newTenantId(), first.keyId)).toBe(false);
    });

    describe.each(['from the first to the second', 'from the second to the first'])('isolates %s', (way) => {
      test('every verb finds and changes nothing of the other tenant', async () => {
        const one = newTenantId();
        const two = newTenantId();
        const ofOne = anApiKey({ name: 'of one' });
        const ofTwo = anApiKey({ name: 'of two' });
        await stores().tenants.insert(aTenant({ tenantId: one }), ofOne);
        await stores().tenants.insert(aTenant({ tenantId: two }), ofTwo);
        const swapped = way.startsWith('from the second');
        const [intruder, owner, key] = swapped ? [two, one, ofOne] : [one, two, ofTwo];

        expect(await stores().apiKeys.find(intruder, key.keyId)).toBeNull();
        expect(await stores().apiKeys.delete(intruder, key.keyId)).toBe(false);
        expect(await stores().apiKeys.list(intruder)).not.toContainEqual(key);
        expect(await stores().apiKeys.list(owner)).toEqual([key]);

        const forged = { ...key, secretHash: '0'.repeat(64) };
        expect(await stores().apiKeys.insert(intruder, forged)).toBe(true);
        expect(await stores().apiKeys.find(owner, key.keyId)).toEqual(key);
        expect(await stores().tenants.delete(intruder)).toBe(true);
        expect(await stores().apiKeys.find(owner, key.keyId)).toEqual(key);
      });
    });
  });
}
