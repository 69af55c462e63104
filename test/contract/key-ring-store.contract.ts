/** What every KeyRingStore does. */
import { describe, expect, test } from '@jest/globals';
import { emptyRing, nextEpoch, type FreshKeys, type KeyRing } from '../../src/keys/key-ring.js';
import { storesOf, type OpenStores } from './open-stores.js';
import { aTenant, anApiKey, newTenantId, T0 } from './samples.js';

const fresh = (name: string): FreshKeys => ({
  wrappedDataKey: 'local.v1.m1.iv.body',
  signingKey: { kid: `${name}-signing`, publicKey: 'AAEC+/8=', sealedPrivateKey: 'iv.body' },
  refreshSecret: { kid: `${name}-refresh`, sealedSecret: 'iv.body' },
});

const first = (tenantId = newTenantId()): KeyRing => nextEpoch(emptyRing(tenantId), fresh('first'), T0);

export function keyRingStoreContract(open: OpenStores): void {
  describe('key ring store', () => {
    const stores = storesOf(open);

    async function kept(ring: KeyRing): Promise<KeyRing> {
      expect(await stores().keyRings.replace(ring)).toBe('replaced');
      return ring;
    }

    test('finds nothing for a tenant that never had a ring', async () => {
      expect(await stores().keyRings.find(newTenantId())).toBeNull();
    });

    test('keeps the first ring as it is', async () => {
      const ring = await kept(first());
      expect(await stores().keyRings.find(ring.tenantId)).toEqual(ring);
    });

    test('replaces a ring that is at the version before, again and again', async () => {
      const one = await kept(first());
      const two = await kept(nextEpoch(one, fresh('second'), T0 + 1));
      const three = await kept(nextEpoch(two, null, T0 + 2));
      expect(await stores().keyRings.find(one.tenantId)).toEqual(three);
    });

    test.each([1, 2, 4, 9])('does not replace a ring at version 2 by version %d', async (version) => {
      const one = await kept(first());
      const two = await kept(nextEpoch(one, fresh('second'), T0 + 1));
      expect(await stores().keyRings.replace({ ...two, version, epoch: 99 })).toBe('conflict');
      expect(await stores().keyRings.find(two.tenantId)).toEqual(two);
    });

    test('does not begin a ring with a later version', async () => {
      const ring = first();
      expect(await stores().keyRings.replace({ ...ring, version: 2 })).toBe('conflict');
      expect(await stores().keyRings.find(ring.tenantId)).toBeNull();
    });

    test('lets one of many simultaneous replacements win', async () => {
      const ring = await kept(first());
      const rivals = ['a', 'b', 'c', 'd'].map((name) => nextEpoch(ring, fresh(name), T0 + 1));
      const outcomes = await Promise.all(rivals.map((rival) => stores().keyRings.replace(rival)));
      expect(outcomes.toSorted()).toEqual(['conflict', 'conflict', 'conflict', 'replaced']);
      const winner = rivals[outcomes.indexOf('replaced')];
      expect(await stores().keyRings.find(ring.tenantId)).toEqual(winner);
    });

    test('keeps the ring when its tenant is deleted: the epoch never begins again', async () => {
      const tenant = aTenant();
      await stores().tenants.insert(tenant, anApiKey());
      const ring = await kept(first(tenant.tenantId));
      await stores().tenants.delete(tenant.tenantId);
      expect(await stores().keyRings.find(tenant.tenantId)).toEqual(ring);
      expect(await stores().keyRings.replace(first(tenant.tenantId))).toBe('conflict');
    });

    test.each(['as created', 'swapped'])('keeps two tenants apart, %s', async (order) => {
      const rings = [first(), first()];
      const [intruder, owner] = order === 'swapped' ? rings.toReversed() : rings;
      if (!intruder || !owner) throw new Error('two rings');
      await kept(owner);
      expect(await stores().keyRings.find(intruder.tenantId)).toBeNull();
      await kept(intruder);
      await kept(nextEpoch(intruder, fresh('intruder'), T0 + 1));
      expect(await stores().keyRings.find(owner.tenantId)).toEqual(owner);
    });
  });
}
