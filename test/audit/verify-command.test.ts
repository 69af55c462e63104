/** `npm run audit:verify`, as a process of its own beside a running service. */
import { spawn, spawnSync } from 'node:child_process';
import { copyFileSync, mkdtempSync, rmSync, symlinkSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { afterAll, beforeAll, beforeEach, describe, expect, test } from '@jest/globals';
import type { Redis } from 'ioredis';
import { RedisServer } from '../support/redis-server.js';
import { ADMIN_API_KEY, TestService, testEnvironment, type TestTenant } from '../support/test-service.js';
import { AuditStore } from '../../src/audit/audit.js';
import { chainOf } from '../contract/audit-store.contract.js';
import { entriesOf, signed, verificationOf } from './audit-calls.js';

const ROOT = resolve(import.meta.dirname, '../..');

describe('the audit:verify command', () => {
  let build: string;
  let redis: RedisServer;
  let client: Redis;
  let service: TestService;
  let acme: TestTenant;

  beforeAll(async () => {
    build = mkdtempSync(join(tmpdir(), 'verify-build-'));
    copyFileSync(join(ROOT, 'package.json'), join(build, 'package.json'));
    symlinkSync(join(ROOT, 'node_modules'), join(build, 'node_modules'));
    const tsc = join(ROOT, 'node_modules/typescript/bin/tsc');
    const options = ['-p', 'tsconfig.build.json', '--noCheck', '--outDir', join(build, 'dist')];
    expect(spawnSync(process.execPath, [tsc, ...options], { cwd: ROOT }).status).toBe(0);
    redis = await RedisServer.start();
    client = redis.client();
    service = await TestService.start({ STORE_URL: redis.url });
  }, 120_000);
  afterAll(async () => {
    await service.stop();
    client.disconnect();
    await redis.stop();
    rmSync(build, { recursive: true, force: true });
  });
  beforeEach(async () => {
    await client.flushall();
    acme = await service.tenant();
    for (const user_id of ['alice', 'bob']) await service.createSession(acme, { user_id });
    await signed(service, acme);
  });

  function run(args: readonly string[], more: Record<string, string> = {}) {
    const child = spawn(process.execPath, [join(build, 'dist/cli.js'), 'audit', 'verify', ...args], {
      cwd: build,
      env: {
        ...(testEnvironment() as Record<string, string>),
        NODE_ENV: 'production',
        PUBLIC_URL: service.url,
        ...more,
      },
      stdio: ['ignore', 'pipe', 'pipe'],
    });
    const ended = { code: null as number | null, stdout: '', stderr: '' };
    child.stdout.on('data', (chunk: Buffer) => (ended.stdout += chunk.toString()));
    child.stderr.on('data', (chunk: Buffer) => (ended.stderr += chunk.toString()));
    return new Promise<typeof ended>((done) => child.once('close', (code) => done({ ...ended, code })));
  }

  const changeByte = async (): Promise<void> => {
    const key = `tenant:{${acme.tenantId}}:audit`;
    const text = (await client.hget(key, '3')) ?? '';
    await client.hset(key, '3', text.replace('"bob"', '"rob"'));
  };

  test('says that every tenant is intact, how far it is signed and by which key', async () => {
    const other = await service.tenant();
    await entriesOf(service, other);
    const { code, stdout, stderr } = await run([]);
    expect([code, stderr]).toEqual([0, '']);
    expect(stdout).toContain(`${acme.tenantId}: entries 1 to 4 are as they were written.\n`);
    expect(stdout).toMatch(
      new RegExp(
        `${acme.tenantId}: signed through entry 3 at \\S+ by key [0-9a-f-]{36}, thumbprint [\\w-]{43}\\.\n`,
      ),
    );
    expect(stdout).toContain(`${other.tenantId}: no signature of a present key vouches for it.\n`);
  });

  test('names the entry in which one byte was changed', async () => {
    await changeByte();
    const { code, stdout } = await run([acme.tenantId]);
    expect(code).toBe(1);
    expect(stdout).toContain(
      `${acme.tenantId}: BROKEN at entry 3. Entry 3 was changed: its text does not fit`,
    );
  });

  test('compares a head that was written down elsewhere', async () => {
    const { stdout } = await run([acme.tenantId]);
    const [, head = ''] = /ends at (4:[0-9a-f]{64})/.exec(stdout) ?? [];
    expect((await run([acme.tenantId, '--expect', head])).code).toBe(0);
    const other = await run([acme.tenantId, '--expect', `4:${'a'.repeat(64)}`]);
    expect([other.code, other.stdout]).toEqual([1, expect.stringContaining('had another hash')]);
    const later = await run(['--expect', `9:${'a'.repeat(64)}`, acme.tenantId]);
    expect([later.code, later.stdout]).toEqual([1, expect.stringContaining('BROKEN at entry 5')]);
  });

  test('goes through chains longer than one call', async () => {
    const { tenantId } = acme;
    const store = service.app.get(AuditStore, { strict: false });
    for (let batch = 0; batch < 11; batch++) {
      const head = await store.head(tenantId);
      await store.append(tenantId, head, chainOf(tenantId, 500, head));
    }
    expect(await verificationOf(service, acme)).toMatchObject({
      through: 5000,
      next_cursor: expect.stringMatching(/^5000:[0-9a-f]{64}$/),
    });
    const { code, stdout } = await run([tenantId]);
    expect(code).toBe(0);
    expect(stdout).toContain(`${tenantId}: entries 1 to 5504 are as they were written.`);
    expect(stdout).toContain(`${tenantId}: signed through entry 3 at`);
  });

  test.each([
    [['--other'], {}, "unknown option '--other'"],
    [['--expect', 'nothing'], {}, '--expect takes <seq>:<hash>'],
    [['absent'], {}, 'answers 404'],
    [[], { ADMIN_API_KEY: `${ADMIN_API_KEY}x` }, 'does not know the API key from ADMIN_API_KEY'],
    [[], { PUBLIC_URL: 'http://127.0.0.1:1' }, 'does not answer'],
  ])('says in a sentence why it cannot tell: %j %j', async (args, env, words) => {
    const { code, stdout, stderr } = await run(args, env);
    expect([code, stdout]).toEqual([2, '']);
    expect(stderr).toContain(words);
    expect(stderr.trim().split('\n')).toHaveLength(1);
  });
});
