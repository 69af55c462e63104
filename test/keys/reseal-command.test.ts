/** `npm run reseal`, as a process of its own beside a running service. */
import { spawn } from 'node:child_process';
import { mkdtempSync, mkdirSync, rmSync, writeFileSync } from 'node:fs';
import { createServer } from 'node:http';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { beforeAll, beforeEach, describe, expect, test } from '@jest/globals';
import { freePort } from '../support/redis-server.js';
import { buildOnce } from '../support/service-process.js';
import { ADMIN_API_KEY, TestService } from '../support/test-service.js';

const M1 = `m1:${Buffer.alloc(32, 1).toString('base64')}`;
const M2 = `m2:${Buffer.alloc(32, 2).toString('base64')}`;
const M3 = `m3:${Buffer.alloc(32, 3).toString('base64')}`;

interface Ended {
  code: number | null;
  stdout: string;
  stderr: string;
}

describe('the reseal command', () => {
  let directory: string;
  let service: TestService;
  let env: Record<string, string>;

  beforeAll(buildOnce);

  beforeEach(() => {
    directory = mkdtempSync(join(tmpdir(), 'reseal-test-'));
  });

  async function serving(masterKeys: string, storeUrl = 'sqlite::memory:'): Promise<void> {
    service = await TestService.start({ STORE_URL: storeUrl, MASTER_KEYS: masterKeys });
    env = {
      NODE_ENV: 'production',
      PUBLIC_URL: service.url,
      ADMIN_API_KEY,
      MASTER_KEYS: masterKeys,
      STORE_URL: storeUrl,
    };
  }

  async function stopped(): Promise<void> {
    await service.stop();
    rmSync(directory, { recursive: true, force: true });
  }

  function run(more: Record<string, string> = {}): Promise<Ended> {
    const child = spawn(process.execPath, [resolve('dist/cli.js'), 'reseal'], {
      cwd: directory,
      env: { ...env, ...more },
      stdio: ['ignore', 'pipe', 'pipe'],
    });
    const ended: Ended = { code: null, stdout: '', stderr: '' };
    child.stdout.on('data', (chunk: Buffer) => (ended.stdout += chunk.toString()));
    child.stderr.on('data', (chunk: Buffer) => (ended.stderr += chunk.toString()));
    return new Promise((resolve) => child.once('close', (code) => resolve({ ...ended, code })));
  }

  test('moves everything under the first master key, and says which others may go', async () => {
    const storeUrl = `sqlite:${join(directory, 'sessions.db')}`;
    await serving(M1, storeUrl);
    await service.tenant();
    await service.tenant();
    await service.stop();
    await serving(`${M2},${M1},${M3}`, storeUrl);
    await service.tenant();
    expect(await run()).toEqual({
      code: 0,
      stdout:
        '2 tenants resealed.\nStill in use: m2 (3 tenants).\nMay be dropped from MASTER_KEYS: m1, m3.\n',
      stderr: '',
    });
    // The command was given a list that the service does not have yet.
    expect((await run({ MASTER_KEYS: `${M3},${M2}` })).stdout).toBe(
      '0 tenants resealed.\nStill in use: m2 (3 tenants).\nNone of MASTER_KEYS may be dropped.\n',
    );
    await stopped();
  });

  test('keeps the only master key, also where it seals nothing yet', async () => {
    await serving(M1);
    expect((await run()).stdout).toBe(
      '0 tenants resealed.\nNo master key is in use: there are no tenants.\nNone of MASTER_KEYS may be dropped.\n',
    );
    await stopped();
  });

  test('takes the secrets of a first boot outside production, and makes none', async () => {
    await serving(M1);
    await service.tenant();
    const bare = { NODE_ENV: '', ADMIN_API_KEY: '', MASTER_KEYS: '', STORE_URL: '' };
    const missing = await run(bare);
    expect(missing).toMatchObject({ code: 2, stdout: '' });
    expect(missing.stderr).toMatch(/^There is no API key: set ADMIN_API_KEY/);
    mkdirSync(join(directory, 'data'));
    writeFileSync(join(directory, 'data/admin-api-key'), `${ADMIN_API_KEY}\n`, { mode: 0o600 });
    writeFileSync(join(directory, 'data/master-keys'), `${M1}\n`);
    expect(await run(bare)).toMatchObject({
      code: 0,
      stdout: expect.stringContaining('Still in use: m1 (1 tenant)'),
    });
    expect(await run({ ...bare, NODE_ENV: 'production' })).toMatchObject({ code: 2 });
    await stopped();
  });

  test('says in one sentence why it cannot, and quotes no secret', async () => {
    await serving(M1);
    const acme = await service.tenant();
    const nowhere = `http://127.0.0.1:${await freePort()}`;
    const other = createServer((_, response) => response.end('hello'));
    const port = await freePort();
    await new Promise<void>((resolve) => other.listen(port, '127.0.0.1', resolve));
    const cases: [Record<string, string>, number, RegExp][] = [
      [{ PUBLIC_URL: nowhere }, 3, new RegExp(`^The service does not answer at ${nowhere} `)],
      [{ PUBLIC_URL: `http://127.0.0.1:${port}` }, 3, /is not this service: check --url\.\n$/],
      [{ ADMIN_API_KEY: 'some-other-platform-key' }, 1, /does not know the API key from ADMIN_API_KEY\.\n$/],
      [
        { ADMIN_API_KEY: acme.apiKey },
        1,
        /answers 403 insufficient_scope: This call needs the platform key\./,
      ],
    ];
    for (const [more, code, sentence] of cases) {
      const ended = await run(more);
      expect(ended).toEqual({ code, stdout: '', stderr: expect.stringMatching(sentence) });
      expect(ended.stderr).not.toMatch(/some-other|sk_|-----/);
      expect(ended.stderr.trim().split('\n')).toHaveLength(1);
    }
    other.closeAllConnections();
    await new Promise((resolve) => other.close(resolve));
    await stopped();
  });
});
