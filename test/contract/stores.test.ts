/** Every contract on every store. */
import { mkdtempSync, rmSync, statSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from '@jest/globals';
import { emptyRing } from '../../src/keys/key-ring.js';
import type { FeedPosition } from '../../src/revocations/change-feed.js';
import type { Stores } from '../../src/storage/stores.js';
import { openSqliteStores } from '../../src/storage/sqlite/sqlite-stores.js';
import { eventually } from '../support/eventually.js';
import { RedisServer } from '../support/redis-server.js';
import { TurnableClock } from '../support/turnable-clock.js';
import { GENESIS } from '../../src/audit/audit.js';
import { apiKeyStoreContract } from './api-key-store.contract.js';
import { auditStoreContract, chainOf } from './audit-store.contract.js';
import { keyRingStoreContract } from './key-ring-store.contract.js';
import { connectRedis, openRedis, openSqliteFile, openSqliteInMemory } from './open-stores.js';
import { aSession, aTenant, anApiKey, kept, newTenantId, presenting, T0 } from './samples.js';
import { sessionStoreContract } from './session-store.contract.js';
import { sharedBucketsContract } from './shared-buckets.contract.js';
import { tenantStoreContract } from './tenant-store.contract.js';

describe.each([
  { name: 'SQLite in memory', open: openSqliteInMemory },
  { name: 'SQLite in a file', open: openSqliteFile },
  { name: 'Redis', open: openRedis },
])('on $name', ({ open }) => {
  tenantStoreContract(open);
  apiKeyStoreContract(open);
  keyRingStoreContract(open);
  sessionStoreContract(open);
  auditStoreContract(open);
  sharedBucketsContract(open);

  test.each(Object.entries(everyVerb()))(
    '%s says store_unavailable once the store is closed',
    async (_, call) => {
      const { stores, dispose } = await open();
      const position = await stores.changes.readWhole(() => undefined);
      await stores.close();
      await expect(call(stores, position)).rejects.toMatchObject({
        name: 'AppError',
        code: 'store_unavailable',
      });
      expect(await stores.probe.status()).toMatchObject({ up: false });
      await dispose();
    },
  );
});

/** Work that one instance does for all. */
describe('leases', () => {
  test('on SQLite are there for the one process that there is, again and again', async () => {
    const { stores, dispose } = await openSqliteInMemory();
    for (let n = 0; n < 3; n++) expect(await stores.leases.acquire('work', 60_000)).toBe(true);
    await dispose();
  });

  describe('on Redis', () => {
    let server: RedisServer;
    let instances: Stores[];

    beforeAll(async () => {
      server = await RedisServer.start();
      const clock = new TurnableClock();
      instances = await Promise.all([1, 2, 3, 4].map(() => connectRedis(server, clock)));
    });
    afterAll(async () => {
      for (const { close } of instances) await close();
      await server.stop();
    });

    const contest = (name: string, holdMs: number): Promise<boolean[]> =>
      Promise.all(instances.map(({ leases }) => leases.acquire(name, holdMs)));

    test('are given to one of many instances, and to nobody again meanwhile', async () => {
      expect((await contest('one', 60_000)).filter(Boolean)).toHaveLength(1);
      expect(await contest('one', 60_000)).toEqual([false, false, false, false]);
    });

    test('of different names do not meet', async () => {
      await contest('two', 60_000);
      expect(await contest('three', 60_000)).toContain(true);
    });

    test('end by themselves, whatever became of their holder', async () => {
      await contest('four', 60_000);
      const client = server.client();
      expect(await client.pttl('lease:four')).toBeGreaterThan(0);
      expect(await client.pttl('lease:four')).toBeLessThanOrEqual(60_000);
      client.disconnect();
      expect(await contest('five', 1)).toContain(true);
      await eventually(async () => (await contest('five', 60_000)).includes(true));
    });

    test('say store_unavailable once the store is closed', async () => {
      const closed = await connectRedis(server, new TurnableClock());
      await closed.close();
      await expect(closed.leases.acquire('six', 1)).rejects.toMatchObject({ code: 'store_unavailable' });
    });
  });
});

describe('SQLite in a file', () => {
  test('has everything that was acknowledged when it is opened again, readable by its owner only', async () => {
    const directory = mkdtempSync(join(tmpdir(), 'sqlite-test-'));
    const path = join(directory, 'deeper', 'sessions.db');
    const first = openSqliteStores(path, new TurnableClock());
    const tenant = aTenant();
    const apiKey = anApiKey();
    await first.tenants.insert(tenant, apiKey);
    const session = await kept(first.sessions, aSession(tenant.tenantId));
    const ended = await kept(first.sessions, aSession(tenant.tenantId));
    await first.sessions.revoke(tenant.tenantId, ended.sessionId, 'admin', T0);
    await first.close();

    expect(statSync(path).mode & 0o777).toBe(0o600);
    const second = openSqliteStores(path, new TurnableClock());
    expect(await second.tenants.find(tenant.tenantId)).toEqual(tenant);
    expect(await second.apiKeys.list(tenant.tenantId)).toEqual([apiKey]);
    expect(await second.sessions.listByUser(tenant.tenantId, 'alice', T0)).toEqual([session]);
    expect(await second.sessions.rotate(tenant.tenantId, ended.sessionId, presenting('r0'))).toEqual({
      outcome: 'revoked',
    });
    await second.close();
    rmSync(directory, { recursive: true, force: true });
  });

  test('refuses a second opener in words for the operator', async () => {
    const directory = mkdtempSync(join(tmpdir(), 'sqlite-test-'));
    const path = join(directory, 'sessions.db');
    const first = openSqliteStores(path, new TurnableClock());
    expect(() => openSqliteStores(path, new TurnableClock())).toThrow('is open in another process');
    await first.close();
    rmSync(directory, { recursive: true, force: true });
  });
});

function everyVerb(): Record<string, (stores: Stores, position: FeedPosition) => Promise<unknown>> {
  const tenantId = newTenantId();
  const session = aSession(tenantId);
  const { sessionId } = session;
  const token = { tenantId, tokenId: 'jti', expiresAtMs: T0 };
  const ring = { ...emptyRing(tenantId), epoch: 1, version: 1 };
  return {
    'tenants.insert': ({ tenants }) => tenants.insert(aTenant(), anApiKey()),
    'tenants.find': ({ tenants }) => tenants.find(tenantId),
    'tenants.list': ({ tenants }) => tenants.list({ after: '', limit: 1 }),
    'tenants.update': ({ tenants }) => tenants.update(aTenant()),
    'tenants.delete': ({ tenants }) => tenants.delete(tenantId),
    'apiKeys.insert': ({ apiKeys }) => apiKeys.insert(tenantId, anApiKey()),
    'apiKeys.find': ({ apiKeys }) => apiKeys.find(tenantId, 'a'),
    'apiKeys.list': ({ apiKeys }) => apiKeys.list(tenantId),
    'apiKeys.delete': ({ apiKeys }) => apiKeys.delete(tenantId, 'a'),
    'keyRings.find': ({ keyRings }) => keyRings.find(tenantId),
    'keyRings.replace': ({ keyRings }) => keyRings.replace(ring),
    'sessions.create': ({ sessions }) => sessions.create(session, 1),
    'sessions.find': ({ sessions }) => sessions.find(tenantId, sessionId, T0),
    'sessions.listByUser': ({ sessions }) => sessions.listByUser(tenantId, 'alice', T0),
    'sessions.idsByUser': ({ sessions }) => sessions.idsByUser(tenantId, 'alice'),
    'sessions.rotate': ({ sessions }) => sessions.rotate(tenantId, sessionId, presenting('r0')),
    'sessions.confirmRotation': ({ sessions }) => sessions.confirmRotation(tenantId, sessionId, 'r0'),
    'sessions.check': ({ sessions }) => sessions.check({ ...token, sessionId, nowMs: T0 }),
    'sessions.revoke': ({ sessions }) => sessions.revoke(tenantId, sessionId, 'admin', T0),
    'sessions.revokeToken': ({ sessions }) => sessions.revokeToken(token, T0),
    'sessions.remove': ({ sessions }) => sessions.remove(tenantId, session),
    'audit.head': ({ audit }) => audit.head(tenantId),
    'audit.append': ({ audit }) => audit.append(tenantId, GENESIS, chainOf(tenantId, 1)),
    'audit.read': ({ audit }) => audit.read(tenantId, { order: 'newest_first', limit: 1 }),
    'audit.trim': ({ audit }) => audit.trim(tenantId, 2, 1),
    'audit.first': ({ audit }) => audit.first(tenantId),
    'audit.chains': ({ audit }) => audit.chains({ after: '', limit: 1 }),
    'changes.announce': ({ changes }) => changes.announce([{ kind: 'keys_changed', tenantId }]),
    'changes.readWhole': ({ changes }) => changes.readWhole(() => undefined),
    'changes.readAfter': ({ changes }, position) => changes.readAfter(position, 1),
  };
}
