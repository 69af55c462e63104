/** Somebody who can write to the store puts the ring of one tenant, as it is, in the place of another's. */
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { DatabaseSync } from 'node:sqlite';
import { afterEach, describe, expect, test } from '@jest/globals';
import { KeyRingStore } from '../../src/keys/key-ring.js';
import { TenantChanges } from '../../src/tenants/tenant-changes.js';
import { RedisServer } from '../support/redis-server.js';
import { TestService } from '../support/test-service.js';
import { rotate } from './key-calls.js';

let cleanUp: (() => Promise<void> | void)[] = [];
afterEach(async () => {
  for (const step of cleanUp.toReversed()) await step();
  cleanUp = [];
});

async function start(storeUrl: string): Promise<TestService> {
  const service = await TestService.start({ STORE_URL: storeUrl });
  cleanUp.push(() => service.stop());
  return service;
}

describe('a ring that was moved whole to another tenant', () => {
  test('opens for nobody on Redis, and its own tenant keeps it', async () => {
    const redis = await RedisServer.start();
    cleanUp.push(() => redis.stop());
    const service = await start(redis.url);
    const [acme, globex] = [await service.tenant(), await service.tenant()];
    const client = redis.client();
    cleanUp.push(() => client.disconnect());
    const place = ({ tenantId }: { tenantId: string }): string => `tenant:{${tenantId}}:key-ring`;
    await client.hset(place(acme), await client.hgetall(place(globex)));
    await service.app.get(TenantChanges).announce({ kind: 'keys_changed', tenantId: acme.tenantId });
    const session = { tenant_id: acme.tenantId, user_id: 'alice', scope: '' };
    const kept = await service.app.get(KeyRingStore).find(globex.tenantId);

    expect(await service.post(acme, '/sessions', session)).toMatchObject({ status: 503 });
    expect(await rotate(service, acme, '?now=true')).toMatchObject({ status: 503 });
    expect(await service.app.get(KeyRingStore).find(globex.tenantId)).toEqual(kept);
    await service.createSession(globex);
  });

  test('is found when a service on SQLite starts', async () => {
    const directory = mkdtempSync(join(tmpdir(), 'moved-ring-'));
    cleanUp.push(() => rmSync(directory, { recursive: true, force: true }));
    const file = join(directory, 'sessions.db');
    const service = await start(`sqlite:${file}`);
    const [acme, globex] = [await service.tenant(), await service.tenant()];
    await service.stop();
    cleanUp.pop();
    const database = new DatabaseSync(file);
    database
      .prepare(
        `UPDATE key_rings SET document = (SELECT document FROM key_rings WHERE tenant_id = ?) WHERE tenant_id = ?`,
      )
      .run(globex.tenantId, acme.tenantId);
    database.close();

    await expect(start(`sqlite:${file}`)).rejects.toThrow('MASTER_KEYS does not open the keys');
  });
});
