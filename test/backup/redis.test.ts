/**
 * Redis is backed up by its own means, and put back as docs/operations.md says: what an old snapshot has forgotten,
 * what instances put back that were running all the while, and what ends everything that should not be alive.
 */
import { copyFileSync, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeAll, beforeEach, describe, expect, test } from '@jest/globals';
import { eventually } from '../support/eventually.js';
import { ask } from '../support/redis-sentinel.js';
import { RedisServer } from '../support/redis-server.js';
import { buildOnce } from '../support/service-process.js';
import { TestService } from '../support/test-service.js';
import { liveOn, liveUntilBackup, REFUSED, refreshed, statusesOf } from './life.js';
import { environmentOf, runCli } from '../cli/run-cli.js';

const LIVE = ['--appendonly', 'yes', '--appendfsync', 'always'];

describe('a snapshot of Redis', () => {
  let directory: string;
  let redis: RedisServer;
  let service: TestService;
  const start = () => TestService.start({ STORE_URL: redis.url });
  const asPlatform = (...args: string[]) => runCli(args, { env: environmentOf(service) });
  const backup = () => join(directory, 'backup.rdb');

  beforeAll(buildOnce);

  beforeEach(async () => {
    directory = mkdtempSync(join(tmpdir(), 'backup-test-'));
    redis = await RedisServer.start(LIVE);
    service = await start();
  });

  afterEach(async () => {
    await service.stop();
    await redis.stop();
    rmSync(directory, { recursive: true, force: true });
  });

  /** `BGSAVE`, and when that has succeeded its file is copied. */
  async function save(): Promise<void> {
    await ask(redis, async (client) => {
      await client.bgsave();
      await eventually(async () => {
        const info = await client.info('persistence');
        return info.includes('rdb_bgsave_in_progress:0') && info.includes('rdb_last_bgsave_status:ok');
      });
      const [, folder = ''] = await client.config('GET', 'dir');
      copyFileSync(join(folder, 'dump.rdb'), backup());
    });
  }

  /** Without the log at first: with it Redis looks for that alone, and starts empty. */
  async function putBack(): Promise<void> {
    const { port } = redis;
    await redis.stop();
    const folder = mkdtempSync(join(directory, 'redis-'));
    copyFileSync(backup(), join(folder, 'dump.rdb'));
    redis = await RedisServer.start(['--dir', folder], port);
    await ask(redis, (client) => client.config('SET', 'appendonly', 'yes'));
  }

  test('brings back an older state: what was revoked lives, and a token that was used is current', async () => {
    const life = await liveUntilBackup(service);
    await save();
    const { third } = await liveOn(service, life);
    await service.stop();
    await putBack();
    service = await start();
    const { tenant, kept, ended, endedLater, refreshedLater } = life;
    expect(await statusesOf(service, tenant, kept)).toEqual([200, 200, 200, 200]);
    expect((await service.refresh(tenant, ended.refresh_token)).status).toBe(401);
    expect((await service.refresh(tenant, endedLater.refresh_token)).status).toBe(200);
    // A newer token than the record knows goes on from where the client is, and what is older is reuse again.
    await refreshed(service, tenant, third);
    const reuse = await service.refresh(tenant, refreshedLater.refresh_token);
    expect([reuse.status, reuse.body['error']]).toEqual([401, 'refresh_token_reused']);
  });

  test('after which every session was ended accepts nothing that was issued before', async () => {
    const life = await liveUntilBackup(service);
    await save();
    const { late, second, third } = await liveOn(service, life);
    await service.stop();
    await putBack();
    service = await start();
    const { code, stdout } = await asPlatform('end-all-sessions', '--yes');
    expect({ code, stdout }).toEqual({
      code: 0,
      stdout: 'Every session of 1 tenant has ended.\n',
    });
    const { tenant, kept, ended, endedLater, refreshedLater } = life;
    for (const tokens of [kept, ended, endedLater, refreshedLater, second, third, late]) {
      expect(await statusesOf(service, tenant, tokens)).toEqual(REFUSED);
    }
    const session = await service.createSession(tenant);
    expect(await statusesOf(service, tenant, session)).toEqual([200, 200, 200, 200]);
  });

  test('under instances that run on gets back what they remember: what was revoked stays revoked', async () => {
    const life = await liveUntilBackup(service);
    await save();
    await liveOn(service, life);
    await putBack();
    const { tenant, endedLater } = life;
    await eventually(async () => {
      const newcomer = await start();
      const answer = await newcomer.validate(tenant, endedLater.access_token, 'store');
      const refresh = await newcomer.refresh(tenant, endedLater.refresh_token);
      await newcomer.stop();
      return answer.status === 401 && refresh.status === 401;
    });
    expect(await statusesOf(service, tenant, endedLater)).toEqual([401, 401, 200, 401]);
  });

  test('is not made by the service, which says so', async () => {
    const { status, body } = await service.asPlatform('GET', '/backup');
    expect([status, body['error']]).toEqual([400, 'invalid_request']);
    const command = await asPlatform('backup', join(directory, 'copy.db'));
    expect(command).toMatchObject({ code: 1, stderr: expect.stringContaining('its own means') });
  });

  test('ending every session goes on where it broke off', async () => {
    const tenants = [await service.tenant(), await service.tenant(), await service.tenant()];
    const ids = tenants.map(({ tenantId }) => tenantId).toSorted();
    const { code, stdout } = await asPlatform('end-all-sessions', '--yes', '--after', String(ids[1]));
    expect([code, stdout]).toEqual([0, 'Every session of 1 tenant has ended.\n']);
    const epochs = await Promise.all(
      tenants.map(async ({ tenantId }) => {
        const { body } = await service.asPlatform('GET', `/tenants/${tenantId}/keys`);
        return [tenantId, body['epoch']];
      }),
    );
    expect(Object.fromEntries(epochs)).toEqual({ [`${ids[0]}`]: 1, [`${ids[1]}`]: 1, [`${ids[2]}`]: 2 });
    expect((await asPlatform('end-all-sessions')).code).toBe(2);
  });
});
