/** A SQLite file is copied while the service works on it, and put back later: what is there again, and what is not. */
import { copyFileSync, existsSync, mkdtempSync, readdirSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { createServer, type AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeAll, beforeEach, describe, expect, test } from '@jest/globals';
import { buildOnce } from '../support/service-process.js';
import { ADMIN_API_KEY, TestService } from '../support/test-service.js';
import { liveOn, liveUntilBackup, REFUSED, statusesOf } from './life.js';
import { runCli } from '../cli/run-cli.js';

describe('a backup of a SQLite file', () => {
  let directory: string;
  let service: TestService;
  const at = (name: string) => join(directory, name);
  const start = (name: string) => TestService.start({ STORE_URL: `sqlite:${at(name)}` });

  beforeAll(buildOnce);

  beforeEach(async () => {
    directory = mkdtempSync(join(tmpdir(), 'backup-test-'));
    service = await start('live/sessions.db');
  });

  afterEach(async () => {
    await service.stop();
    rmSync(directory, { recursive: true, force: true });
  });

  const backup = (of: { url: string }, file = 'backup.db', adminApiKey = ADMIN_API_KEY) =>
    runCli(['backup', at(file)], { env: { SESSION_SERVICE_URL: of.url, ADMIN_API_KEY: adminApiKey } });

  /** Another machine, with nothing but the backup. */
  async function putBack(): Promise<void> {
    await service.stop();
    rmSync(at('live'), { recursive: true });
    copyFileSync(at('backup.db'), at('restored.db'));
    service = await start('restored.db');
  }

  test('has everything that was acknowledged, and a file that only its owner may read', async () => {
    const { tenant, kept } = await liveUntilBackup(service);
    const saved = await backup(service);
    expect(saved).toEqual({
      code: 0,
      stdout: expect.stringMatching(/backup\.db: \d+ bytes\.\n$/),
      stderr: '',
    });
    expect(statSync(at('backup.db')).mode & 0o777).toBe(0o600);
    await putBack();
    const answer = await service.asPlatform('GET', `/tenants/${tenant.tenantId}`);
    expect(answer.status).toBe(200);
    const stories = await service.call('GET', `/sessions/${kept.session_id}/history`, {
      apiKey: tenant.apiKey,
    });
    expect(stories.status).toBe(200);
    const session = await service.createSession(tenant);
    expect((await service.validate(tenant, session.access_token, 'store')).status).toBe(200);
  });

  test('that is put back accepts nothing that was issued before: revoked, refreshed or neither', async () => {
    const life = await liveUntilBackup(service);
    await backup(service);
    const { late, second, third } = await liveOn(service, life);
    await putBack();
    const { tenant, kept, ended, endedLater, refreshedLater } = life;
    for (const tokens of [kept, ended, endedLater, refreshedLater, second, third, late]) {
      expect(await statusesOf(service, tenant, tokens)).toEqual(REFUSED);
    }
    const audit = await service.asPlatform<{ entries: { action: string }[] }>(
      'GET',
      `/tenants/${tenant.tenantId}/audit?action=tenant_revoked`,
    );
    expect(audit.body.entries).toHaveLength(1);
  });

  test('that is put back ends sessions once: those that began since live through the next start', async () => {
    const { tenant } = await liveUntilBackup(service);
    await backup(service);
    await putBack();
    const session = await service.createSession(tenant);
    await service.stop();
    service = await start('restored.db');
    expect(await statusesOf(service, tenant, session)).toEqual([200, 200, 200, 200]);
  });

  test('changes nothing for the service that it is made of, and leaves no file beside its own', async () => {
    const { tenant, kept } = await liveUntilBackup(service);
    await backup(service);
    expect(readdirSync(at('live')).filter((name) => name.includes('backup'))).toEqual([]);
    await service.stop();
    service = await start('live/sessions.db');
    expect(await statusesOf(service, tenant, kept)).toEqual([200, 200, 200, 200]);
  });

  test('is whole while sessions come and go', async () => {
    const tenant = await service.tenant();
    const made: string[] = [];
    const copied = { yes: false };
    const writing = (async () => {
      for (let n = 0; !copied.yes || n < 20; n++) {
        made.push((await service.createSession(tenant, { user_id: `user-${n}` })).session_id);
      }
    })();
    while (made.length < 10) await service.createSession(tenant, { user_id: 'other' });
    const before = [...made];
    await backup(service);
    copied.yes = true;
    await writing;
    await putBack();
    for (const sessionId of before) {
      const story = await service.call('GET', `/sessions/${sessionId}/history`, { apiKey: tenant.apiKey });
      expect(story.status).toBe(200);
    }
    const { body } = await service.asPlatform('GET', `/tenants/${tenant.tenantId}/audit/verification`);
    expect(body).toMatchObject({ intact: true });
  });

  test('is for the platform alone, and where there is no file there is none', async () => {
    const tenant = await service.tenant();
    expect((await service.call('GET', '/backup', { apiKey: tenant.apiKey })).status).toBe(403);
    expect((await service.call('GET', '/backup')).status).toBe(401);
    const memory = await TestService.start();
    const answer = await memory.asPlatform('GET', '/backup');
    await memory.stop();
    expect([answer.status, answer.body['error']]).toEqual([400, 'invalid_request']);
  });

  test('takes no other file’s place, and is there whole or not at all', async () => {
    writeFileSync(at('backup.db'), 'last week’s');
    const refused = await backup(service);
    expect(refused).toMatchObject({ code: 2, stderr: expect.stringContaining('is there already') });
    const stranger = await backup(service, 'new.db', 'not-the-platform-key');
    expect(stranger).toMatchObject({ code: 1, stderr: expect.stringContaining('ADMIN_API_KEY') });
    const broken = createServer((socket) => {
      socket.once('data', () => socket.end('HTTP/1.1 200 OK\r\ncontent-length: 9\r\n\r\nSQL'));
    });
    await new Promise<void>((listening) => broken.listen(0, '127.0.0.1', listening));
    const url = `http://127.0.0.1:${(broken.address() as AddressInfo).port}`;
    const cut = await backup({ url }, 'new.db');
    broken.close();
    expect(cut.code).toBe(3);
    expect([existsSync(at('new.db')), existsSync(at('new.db.part'))]).toEqual([false, false]);
  });
});
