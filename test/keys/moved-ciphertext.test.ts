/** Sealed values belong to one tenant, one kid and one purpose: moved elsewhere they open for nobody. */
import { beforeEach, describe, expect, test } from '@jest/globals';
import { KeyRingStore, type KeyRing } from '../../src/keys/key-ring.js';
import { TenantChanges } from '../../src/tenants/tenant-changes.js';
import { useService } from '../e2e/use-service.js';
import { STORES, type HttpAnswer, type TestTenant } from '../support/test-service.js';
import { fetchJwks, kidOf, kill, rotate } from './key-calls.js';

type Tampering = (ring: KeyRing, other: KeyRing) => Partial<KeyRing>;

function expectNoSecretIn(answer: HttpAnswer<unknown>, ring: KeyRing): void {
  const text = JSON.stringify(answer.body);
  if (ring.wrappedDataKey) expect(text).not.toContain(ring.wrappedDataKey);
  for (const { sealedPrivateKey } of ring.signingKeys) expect(text).not.toContain(sealedPrivateKey);
}

describe.each(STORES)('ciphertext that was moved on $name', ({ prepare }) => {
  const service = useService(prepare);

  const ringOf = async ({ tenantId }: TestTenant): Promise<KeyRing> =>
    (await service().app.get(KeyRingStore).find(tenantId)) as KeyRing;

  async function expectWorking(tenant: TestTenant): Promise<void> {
    const { access_token: token, refresh_token: refresh } = await service().createSession(tenant);
    expect((await service().validate(tenant, token)).status).toBe(200);
    expect((await service().refresh(tenant, refresh)).status).toBe(200);
  }
  const OUTAGE = {
    status: 503,
    body: {
      error: 'store_unavailable',
      error_description: "The tenant's keys cannot be read; the operator must check the master keys.",
      action: 'contact_operator',
      request_id: expect.any(String),
    },
  };
  let acme: TestTenant;
  let globex: TestTenant;
  let session: { access_token: string; refresh_token: string };

  beforeEach(async () => {
    acme = await service().tenant();
    globex = await service().tenant();
    session = await service().createSession(acme);
  });

  /** Somebody who can write to the store changes a ring, and every instance reads it again. */
  async function tamper(change: Tampering): Promise<KeyRing> {
    const ring = await ringOf(acme);
    const tampered = { ...ring, ...change(ring, await ringOf(globex)), version: ring.version + 1 };
    expect(await service().app.get(KeyRingStore).replace(tampered)).toBe('replaced');
    await service().app.get(TenantChanges).announce({ kind: 'keys_changed', tenantId: acme.tenantId });
    return tampered;
  }

  const create = () =>
    service().post(acme, '/sessions', { tenant_id: acme.tenantId, user_id: 'bob', scope: '' });
  const revokeAll = () =>
    service().asPlatform('POST', `/tenants/${acme.tenantId}/revoke-all`, { reason: 'admin' });

  test.each<[string, Tampering]>([
    ["another tenant's", (_, other) => ({ wrappedDataKey: other.wrappedDataKey })],
    ['missing', () => ({ wrappedDataKey: '' })],
    ['cut short', (ring) => ({ wrappedDataKey: ring.wrappedDataKey.slice(0, -8) })],
    ['of a provider that is not in use', () => ({ wrappedDataKey: 'vault:v1:AAAA' })],
  ])('a data key that is %s stops everything and overwrites nothing', async (_, change) => {
    const tampered = await tamper(change);
    const answers = [
      await create(),
      await service().validate(acme, session.access_token),
      await service().validate(acme, session.access_token, 'store'),
      await service().refresh(acme, session.refresh_token),
      await service().revoke(acme, session.access_token),
      await rotate(service(), acme),
      await rotate(service(), acme, '?now=true'),
      await kill(service(), acme, kidOf(session.access_token)),
      await revokeAll(),
      await fetchJwks(service(), acme),
    ];
    for (const answer of answers) {
      expect(answer).toMatchObject(OUTAGE);
      expectNoSecretIn(answer, tampered);
    }
    expect(await ringOf(acme)).toEqual(tampered);
    await expectWorking(globex);
  });

  test('a private key of another tenant signs nothing, and public keys go on verifying', async () => {
    await tamper((ring, other) => ({
      signingKeys: ring.signingKeys.map((key) => ({
        ...key,
        sealedPrivateKey: other.signingKeys[0]?.sealedPrivateKey ?? null,
      })),
    }));
    expect(await create()).toMatchObject(OUTAGE);
    expect((await service().validate(acme, session.access_token)).status).toBe(200);
  });

  test('a whole ring of another tenant, data key and all, is nobody’s', async () => {
    await tamper((_, { wrappedDataKey, signingKeys, refreshSecrets }) => ({
      wrappedDataKey,
      signingKeys,
      refreshSecrets,
    }));
    expect(await create()).toMatchObject(OUTAGE);
    expect(await service().validate(acme, session.access_token)).toMatchObject(OUTAGE);
  });

  test('a private key under another kid signs nothing, and a rotation helps', async () => {
    await rotate(service(), acme, '?now=true');
    await tamper((ring) => {
      const [one, two] = ring.signingKeys;
      const swapped = [
        { ...one!, sealedPrivateKey: two?.sealedPrivateKey ?? null },
        { ...two!, sealedPrivateKey: one?.sealedPrivateKey ?? null },
      ];
      return { signingKeys: swapped };
    });
    expect(await create()).toMatchObject(OUTAGE);
    expect((await rotate(service(), acme, '?now=true')).status).toBe(200);
    expect((await create()).status).toBe(201);
  });

  test('a refresh secret sealed as anything else verifies nothing, and calls no token bad', async () => {
    await tamper((ring, other) => ({
      refreshSecrets: ring.refreshSecrets.map((secret) => ({
        ...secret,
        sealedSecret: other.refreshSecrets[0]?.sealedSecret ?? '',
      })),
    }));
    expect(await service().refresh(acme, session.refresh_token)).toMatchObject(OUTAGE);
    expect(await create()).toMatchObject(OUTAGE);
    expect((await service().validate(acme, session.access_token)).status).toBe(200);
  });

  test('under a tenant id that is to be created brings no tenant into being', async () => {
    const tenantId = `${acme.tenantId}-2`;
    const ring = { ...(await ringOf(acme)), tenantId, version: 1 };
    await service().app.get(KeyRingStore).replace(ring);
    expect(await service().asPlatform('POST', '/tenants', { tenant_id: tenantId })).toMatchObject(OUTAGE);
    expect((await service().asPlatform('GET', `/tenants/${tenantId}`)).status).toBe(404);
    expect(await ringOf({ tenantId, apiKey: '' })).toEqual(ring);
  });

  test('can be given up: the tenant is deleted, and begins again in a later epoch', async () => {
    await tamper((_, other) => ({ wrappedDataKey: other.wrappedDataKey }));
    expect((await service().asPlatform('DELETE', `/tenants/${acme.tenantId}`)).status).toBe(204);
    const again = await service().asPlatform('POST', '/tenants', { tenant_id: acme.tenantId });
    expect(again.status).toBe(201);
    const reborn = { tenantId: acme.tenantId, apiKey: String(again.body['api_key']) };
    await expectWorking(reborn);
    expect(await service().validate(reborn, session.access_token)).toMatchObject({ status: 401 });
  });
});
