/** What is sealed stays sealed: master keys that change, are missing, or meet ciphertext that was moved. */
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, test } from '@jest/globals';
import { ConfigError } from '../../src/config.js';
import { BootError } from '../../src/errors.js';
import { KeyRingStore, type KeyRing } from '../../src/keys/key-ring.js';
import { RedisServer } from '../support/redis-server.js';
import { TestService, type TestTenant } from '../support/test-service.js';
import { rotate } from './key-calls.js';

const bytes = (fill: number): string => Buffer.alloc(32, fill).toString('base64');
const M1 = `m1:${bytes(1)}`;
const M2 = `m2:${bytes(2)}`;
const M3 = `m3:${bytes(3)}`;

const STORES_THAT_STAY = [
  {
    name: 'SQLite',
    prepare: async () => {
      const directory = mkdtempSync(join(tmpdir(), 'master-keys-'));
      return {
        url: `sqlite:${join(directory, 'sessions.db')}`,
        dispose: async () => rmSync(directory, { recursive: true, force: true }),
      };
    },
  },
  {
    name: 'Redis',
    prepare: async () => {
      const redis = await RedisServer.start();
      return { url: redis.url, dispose: () => redis.stop() };
    },
  },
];

interface ResealReport {
  resealed: number;
  in_use: Record<string, number>;
}

describe.each(STORES_THAT_STAY)('master keys on $name', ({ prepare }) => {
  let store: { url: string; dispose: () => Promise<void> };
  let service: TestService;

  beforeEach(async () => {
    store = await prepare();
    service = await TestService.start({ STORE_URL: store.url, MASTER_KEYS: M1 });
  });

  afterEach(async () => {
    await service.stop();
    await store.dispose();
  });

  /** The service is restarted with other master keys; time goes on. */
  async function restart(masterKeys: string): Promise<void> {
    await service.stop();
    service = await TestService.start({ STORE_URL: store.url, MASTER_KEYS: masterKeys }, service.clock);
  }

  /** @returns why the service, stopped meanwhile, does not come up */
  async function refusedBoot(masterKeys: string): Promise<unknown> {
    await service.stop();
    return TestService.start({ STORE_URL: store.url, MASTER_KEYS: masterKeys }).then(
      (unwanted) => unwanted.stop(),
      (error: unknown) => error,
    );
  }

  const ringOf = async ({ tenantId }: TestTenant): Promise<KeyRing> =>
    (await service.app.get(KeyRingStore).find(tenantId)) as KeyRing;

  const reseal = () => service.asPlatform<ResealReport>('POST', '/master-keys/reseal');

  async function expectWorking(tenant: TestTenant): Promise<void> {
    const { access_token: token, refresh_token: refresh } = await service.createSession(tenant);
    expect((await service.validate(tenant, token)).status).toBe(200);
    expect((await service.refresh(tenant, refresh)).status).toBe(200);
  }

  describe('that are replaced', () => {
    test('open what they sealed for as long as they are listed, and are let go after a reseal', async () => {
      const acme = await service.tenant();
      const session = await service.createSession(acme);
      await restart(`${M2},${M1}`);
      expect((await service.validate(acme, session.access_token)).status).toBe(200);
      await expectWorking(acme);
      const meanwhile = await service.tenant();
      expect((await reseal()).body).toEqual({ resealed: 1, in_use: { m2: 2 } });
      await expectWorking(acme);
      expect((await reseal()).body).toEqual({ resealed: 0, in_use: { m2: 2 } });
      await restart(M2);
      for (const tenant of [acme, meanwhile]) await expectWorking(tenant);
      expect((await service.validate(acme, session.access_token)).status).toBe(200);
      expect((await service.refresh(acme, session.refresh_token)).status).toBe(200);
      expect((await rotate(service, acme, '?now=true')).status).toBe(200);
      await expectWorking(acme);
    });

    test('are replaced in a ring and nothing else with them, and a ring without keys has none', async () => {
      const acme = await service.tenant();
      const ring = await ringOf(acme);
      await restart(`${M2},${M1}`);
      expect((await reseal()).body).toEqual({ resealed: 1, in_use: { m2: 1 } });
      expect(await ringOf(acme)).toEqual({
        ...ring,
        wrappedDataKey: expect.stringMatching(/^local\.v1\.m2\./),
        version: ring.version + 1,
      });
      const emptied = await service.tenant();
      const kept = await ringOf(emptied);
      await service.app.get(KeyRingStore).replace({
        ...kept,
        wrappedDataKey: '',
        signingKeys: [],
        refreshSecrets: [],
        version: kept.version + 1,
      }); // its deletion was cut short
      expect((await reseal()).body).toEqual({ resealed: 0, in_use: { m2: 1 } });
    });

    test('are named to the platform alone while they are still in use', async () => {
      const acme = await service.tenant();
      expect((await reseal()).body).toEqual({ resealed: 0, in_use: { m1: 1 } });
      expect(await service.post(acme, '/master-keys/reseal', undefined)).toMatchObject({
        status: 403,
        body: { error: 'insufficient_scope' },
      });
      expect((await service.call('POST', '/master-keys/reseal')).status).toBe(401);
    });

    test('are resealed beside rotations and logouts of everybody, and nothing is lost', async () => {
      const tenants = [await service.tenant(), await service.tenant()];
      await restart(`${M2},${M1}`);
      const acme = tenants[0] as TestTenant;
      const answers = await Promise.all([
        reseal(),
        rotate(service, acme, '?now=true'),
        service.asPlatform('POST', `/tenants/${acme.tenantId}/revoke-all`, { reason: 'admin' }),
        reseal(),
        rotate(service, acme),
        reseal(),
      ]);
      expect(answers.map(({ status }) => status)).toEqual([200, 200, 200, 200, 200, 200]);
      expect((await reseal()).body).toEqual({ resealed: 0, in_use: { m2: 2 } });
      await restart(M2);
      for (const tenant of tenants) await expectWorking(tenant);
    });
  });

  describe('that do not open what is sealed', () => {
    const SENTENCE =
      'MASTER_KEYS does not open the keys in this store: add the master key that sealed them to the list.';

    test('keep the service from booting, and nothing is overwritten', async () => {
      const acme = await service.tenant();
      const before = await ringOf(acme);
      const wrong = [
        M3,
        `m1:${bytes(9)}`, // the right name
        `m9:${bytes(1)}`, // the right bytes
      ];
      for (const masterKeys of wrong) {
        const refusal = await refusedBoot(masterKeys);
        expect(refusal).toBeInstanceOf(BootError);
        expect((refusal as BootError).message).toBe(SENTENCE);
      }
      await restart(M1);
      expect(await ringOf(acme)).toEqual(before);
      await expectWorking(acme);
    });

    test('are an error of the configuration when shortened, cut off or missing', async () => {
      const acme = await service.tenant();
      const before = await ringOf(acme);
      for (const masterKeys of [`m1:${Buffer.alloc(31, 1).toString('base64')}`, M1.slice(0, -4), '']) {
        const refusal = await refusedBoot(masterKeys);
        expect(refusal).toBeInstanceOf(ConfigError);
        expect((refusal as ConfigError).message).toMatch(/^MASTER_KEYS (must be|is required)/);
        expect((refusal as ConfigError).message).not.toContain(bytes(1).slice(0, 16));
      }
      await restart(M1);
      expect(await ringOf(acme)).toEqual(before);
    });

    test('are not told apart from ciphertext that was moved: the boot is refused as well', async () => {
      const acme = await ringOf(await service.tenant());
      const { wrappedDataKey } = await ringOf(await service.tenant());
      await service.app.get(KeyRingStore).replace({ ...acme, wrappedDataKey, version: acme.version + 1 });
      await service.stop();
      const env = { STORE_URL: store.url, MASTER_KEYS: M1 };
      await expect(TestService.start(env)).rejects.toBeInstanceOf(BootError);
      service = await TestService.start();
    });

    test('do not matter to a store in which nothing is sealed', async () => {
      await restart(M3);
      await expectWorking(await service.tenant());
    });
  });
});
