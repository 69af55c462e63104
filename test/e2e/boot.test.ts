import { afterEach, beforeAll, beforeEach, describe, expect, test } from '@jest/globals';
import { spawnSync } from 'node:child_process';
import { mkdtempSync, readdirSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { connect } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { Tokens } from '../support/test-service.js';
import { buildOnce } from '../support/service-process.js';
import { runBuilt, type ServiceProcess } from './built-service.js';

const SECRETS = {
  ADMIN_API_KEY: 'a-platform-key-for-the-boot-tests',
  MASTER_KEYS: `m1:${Buffer.alloc(32, 9).toString('base64')}`,
};

async function post(
  url: string,
  apiKey: string,
  body: unknown,
): Promise<{ status: number; body: Tokens & Record<string, unknown> }> {
  const answer = await fetch(url, {
    method: 'POST',
    headers: { 'x-api-key': apiKey, 'content-type': 'application/json' },
    body: JSON.stringify(body),
  });
  return { status: answer.status, body: JSON.parse((await answer.text()) || 'null') };
}

describe('the built service', () => {
  let directory: string;
  let running: ServiceProcess[];

  beforeAll(buildOnce);

  beforeEach(() => {
    directory = mkdtempSync(join(tmpdir(), 'service-boot-'));
    running = [];
  });

  afterEach(async () => {
    await Promise.all(running.map((service) => service.stop()));
    rmSync(directory, { recursive: true, force: true });
  });

  const run = (env: Readonly<Record<string, string>> = {}): ServiceProcess => {
    const service = runBuilt(directory, env);
    running.push(service);
    return service;
  };

  const read = (file: string) => readFileSync(join(directory, 'data', file), 'utf8').trim();

  const login = { tenant_id: 'demo', user_id: 'alice', scope: 'read' };

  describe('at its first boot', () => {
    test('makes what it needs, for the eyes of its owner only', async () => {
      const service = run();
      await service.printed(/(token_revoked)/);
      const files = readdirSync(join(directory, 'data'));
      expect(files).toEqual(
        expect.arrayContaining(['admin-api-key', 'demo-api-key', 'master-keys', 'sessions.db']),
      );
      for (const file of files) {
        const mode = (statSync(join(directory, 'data', file)).mode & 0o777).toString(8);
        expect({ file, mode }).toEqual({ file, mode: '600' });
      }
      expect((statSync(join(directory, 'data')).mode & 0o777).toString(8)).toBe('700');
      expect(read('master-keys')).toMatch(/^m1:[A-Za-z0-9+/]{43}=$/);
      expect(read('admin-api-key')).toMatch(/^[0-9a-f]{64}$/);
    });

    test('offers a walk that works when it is pasted into a shell', async () => {
      const service = run();
      await service.listening();
      await service.printed(/(validate again: token_revoked)/);
      const walk = await service.printed(/(^ {2}KEY="[\s\S]*?)\n\n(?! {2}echo)/m);
      const { status, stdout, stderr } = spawnSync('bash', ['-eu', '-o', 'pipefail', '-c', walk], {
        encoding: 'utf8',
        cwd: tmpdir(),
      });
      expect({ status, stderr }).toEqual({ status: 0, stderr: '' });
      const answers: Record<string, unknown>[] = stdout
        .trim()
        .split('\n')
        .filter((line) => !line.startsWith('--- '))
        .map((line) => JSON.parse(line));
      expect(answers).toHaveLength(4);
      const [created, validated, refreshed, refused] = answers;
      expect(created).toMatchObject({ token_type: 'Bearer', session_id: expect.any(String) });
      expect(validated).toMatchObject({
        valid: true,
        claims: { sub: 'alice', metadata: { device: 'laptop' } },
      });
      expect(refreshed).toMatchObject({ token_type: 'Bearer', session_id: created?.['session_id'] });
      expect(refused).toMatchObject({ valid: false, error: 'token_revoked' });
    });

    test('lets the platform key that it made do its work', async () => {
      const service = run();
      const url = await service.listening();
      const created = await post(`${url}/tenants`, read('admin-api-key'), { tenant_id: 'acme' });
      expect(created.status).toBe(201);
    });

    test('prints no secret', async () => {
      const service = run({ LOG_LEVEL: 'trace' });
      const url = await service.listening();
      await service.printed(/(token_revoked)/);
      const { body } = await post(`${url}/sessions`, read('demo-api-key'), login);
      await post(`${url}/sessions/validate`, read('demo-api-key'), { access_token: body.access_token });
      await post(`${url}/sessions/refresh`, read('demo-api-key'), { refresh_token: body.refresh_token });
      await post(`${url}/sessions/revoke`, read('demo-api-key'), {
        token: body.refresh_token,
        reason: 'admin',
      });
      await post(`${url}/sessions/validate`, `${read('demo-api-key')}x`, { access_token: body.access_token });
      expect(await service.stop()).toBe(0);
      expect(service.output).toContain('session_ended');
      for (const secret of [
        read('admin-api-key'),
        read('demo-api-key'),
        read('demo-api-key').split('_').at(-1) ?? '',
        read('master-keys'),
        read('master-keys').split(':')[1] ?? '',
        body.access_token,
        body.refresh_token,
        body.refresh_token.split('.')[2] ?? '',
      ]) {
        expect(secret.length).toBeGreaterThan(20);
        expect(service.output).not.toContain(secret);
      }
    });
  });

  test('keeps its keys and its sessions over a restart', async () => {
    const first = run();
    const firstUrl = await first.listening();
    await first.printed(/(token_revoked)/);
    const secrets = ['admin-api-key', 'demo-api-key', 'master-keys'].map(read);
    const kept = (await post(`${firstUrl}/sessions`, read('demo-api-key'), login)).body;
    const ended = (await post(`${firstUrl}/sessions`, read('demo-api-key'), login)).body;
    await post(`${firstUrl}/sessions/revoke`, read('demo-api-key'), {
      token: ended.access_token,
      reason: 'admin',
    });
    expect(await first.stop()).toBe(0);

    const second = run();
    const url = await second.listening();
    await second.printed(/(token_revoked)/);
    expect(['admin-api-key', 'demo-api-key', 'master-keys'].map(read)).toEqual(secrets);
    const validate = (token: string) =>
      post(`${url}/sessions/validate`, read('demo-api-key'), {
        access_token: token,
        revocation_check: 'store',
      });
    expect((await validate(kept.access_token)).status).toBe(200);
    expect(await validate(ended.access_token)).toMatchObject({
      status: 401,
      body: { error: 'token_revoked' },
    });
    const refreshed = await post(`${url}/sessions/refresh`, read('demo-api-key'), {
      refresh_token: kept.refresh_token,
    });
    expect(refreshed.status).toBe(200);
  });

  test('makes no new master key for a database that is sealed under a lost one', async () => {
    const first = run();
    await first.printed(/(token_revoked)/);
    await first.stop();
    rmSync(join(directory, 'data/master-keys'));
    const second = run();
    expect(await second.exited()).toBe(1);
    expect(second.stderr).toMatch(/^MASTER_KEYS is not set and .*\n$/);
    expect(readdirSync(join(directory, 'data'))).not.toContain('master-keys');
  });

  describe('in production', () => {
    test.each([
      ['ADMIN_API_KEY', 'openssl rand -hex 32'],
      ['MASTER_KEYS', 'openssl rand -base64 32'],
    ] as const)(
      'refuses to boot without %s, in one sentence that says how to make one',
      async (name, recipe) => {
        const service = run({ ...SECRETS, [name]: '', NODE_ENV: 'production' });
        expect(await service.exited()).toBe(1);
        expect(service.stdout).toBe('');
        expect(service.stderr.trimEnd().split('\n')).toHaveLength(1);
        expect(service.stderr).toMatch(new RegExp(`^${name} is required \\(make one with: .*\\)\\.\n$`));
        expect(service.stderr).toContain(recipe);
        expect(readdirSync(directory)).toEqual([]);
      },
    );

    test('names everything that is wrong at once, and no value', async () => {
      const service = run({
        NODE_ENV: 'production',
        ADMIN_API_KEY: 'too-short',
        MASTER_KEYS: 'm1:not-a-key',
        STORE_URL: 'redis://user:hunter2@:bad:port/',
        ACCESS_TOKEN_TTL_SECONDS: '15m',
        PUBLIC_URL: 'ftp://x',
      });
      expect(await service.exited()).toBe(1);
      const lines = service.stderr.trimEnd().split('\n');
      expect(lines.map((line) => line.split(' ', 1).join('')).toSorted()).toEqual([
        'ACCESS_TOKEN_TTL_SECONDS',
        'ADMIN_API_KEY',
        'MASTER_KEYS',
        'PUBLIC_URL',
        'STORE_URL',
      ]);
      expect(service.output).not.toMatch(/too-short|not-a-key|hunter2|15m|ftp:\/\/x|\n\s+at /);
    });

    test('boots with both, makes nothing up and prints no walk', async () => {
      const service = run({ ...SECRETS, NODE_ENV: 'production' });
      const url = await service.listening();
      expect((await fetch(`${url}/health/ready`)).status).toBe(200);
      expect((await post(`${url}/tenants`, SECRETS.ADMIN_API_KEY, { tenant_id: 'acme' })).status).toBe(201);
      const files = readdirSync(join(directory, 'data'));
      expect(files.filter((file) => !file.startsWith('sessions.db'))).toEqual([]);
      expect(await service.stop()).toBe(0);
      expect(service.output).not.toContain('curl');
    });

    test('does not read .env', async () => {
      writeFileSync(join(directory, '.env'), `ADMIN_API_KEY=${SECRETS.ADMIN_API_KEY}\n`);
      const service = run({ NODE_ENV: 'production', MASTER_KEYS: SECRETS.MASTER_KEYS });
      expect(await service.exited()).toBe(1);
      expect(service.stderr).toMatch(/^ADMIN_API_KEY is required/);
    });
  });

  test('reads .env in development, beneath the environment', async () => {
    writeFileSync(join(directory, '.env'), `ADMIN_API_KEY=${SECRETS.ADMIN_API_KEY}\nLOG_LEVEL=error\n`);
    const service = run({ LOG_LEVEL: 'info' });
    const url = await service.listening();
    expect((await post(`${url}/tenants`, SECRETS.ADMIN_API_KEY, { tenant_id: 'acme' })).status).toBe(201);
  });

  test('refuses to share its database with a second process, in one sentence', async () => {
    const first = run();
    const url = await first.listening();
    await first.printed(/(token_revoked)/);
    const second = run();
    expect(await second.exited()).toBe(1);
    expect(second.stderr).toMatch(
      /^\S*sessions\.db is open in another process; SQLite serves one at a time\n$/,
    );
    expect((await fetch(`${url}/health/ready`)).status).toBe(200);
  });

  test.each([
    ['is something else', 'other.txt'],
    ['is a folder', '.'],
    ['lies below a file', 'other.txt/sessions.db'],
  ])('refuses a database file that %s, in one sentence', async (_, path) => {
    writeFileSync(join(directory, 'other.txt'), 'anything but a database\n'.repeat(100));
    const service = run({ NODE_ENV: 'production', ...SECRETS, STORE_URL: `sqlite:./${path}` });
    expect(await service.exited()).toBe(1);
    expect(service.stderr).toMatch(/^STORE_URL names a database file that cannot be opened: [^\n]+\n$/);
  });

  test('refuses a port that is taken, in one sentence', async () => {
    const first = run();
    const port = new URL(await first.listening()).port;
    const second = run({ PORT: port, STORE_URL: 'sqlite::memory:' });
    expect(await second.exited()).toBe(1);
    expect(second.stderr).toMatch(/EADDRINUSE/);
    expect(second.stderr.trimEnd().split('\n')).toHaveLength(1);
  });

  describe.each(['SIGTERM', 'SIGINT'] as const)('on %s', (signal) => {
    test('finishes the request under way, takes no other and leaves with 0', async () => {
      const service = run();
      const url = await service.listening();
      await service.printed(/(token_revoked)/);
      const body = JSON.stringify(login);
      const { hostname, port } = new URL(url);
      let answer = '';
      const socket = connect(Number(port), hostname);
      socket.on('data', (chunk) => (answer += chunk.toString()));
      const closed = new Promise((resolve) => socket.once('close', resolve));
      const answered = (pattern: RegExp) =>
        new Promise<void>((resolve) => {
          const look = () => (pattern.test(answer) ? resolve() : socket.once('data', look));
          look();
        });
      socket.write(
        `POST /sessions HTTP/1.1\r\nHost: x\r\nX-API-Key: ${read('demo-api-key')}\r\n` +
          `Content-Type: application/json\r\nContent-Length: ${body.length}\r\nExpect: 100-continue\r\n\r\n`,
      );
      await answered(/^HTTP\/1\.1 100/); // it has the request, but not its body

      service.signal(signal);
      await service.printed(/(finishing requests under way)/);
      socket.write(body);
      await closed;
      expect(answer).toMatch(/HTTP\/1\.1 201 /);
      expect(answer.toLowerCase()).toContain('connection: close');
      expect(answer).toContain('"access_token"');
      expect(await service.exited(10_000)).toBe(0);
      await expect(fetch(`${url}/health`)).rejects.toThrow('fetch failed');
    });

    test('does not wait for connections that only idle', async () => {
      const service = run();
      const url = await service.listening();
      await (await fetch(`${url}/health`)).text(); // keeps its connection
      service.signal(signal);
      expect(await service.exited(5000)).toBe(0);
    });
  });
});
