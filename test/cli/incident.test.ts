/** `incident revoke` as an operator runs it: counted first, asked for, and gone on with after a crash. */
import { spawnSync } from 'node:child_process';
import { resolve } from 'node:path';
import { afterEach, beforeAll, beforeEach, describe, expect, test } from '@jest/globals';
import { freePort } from '../support/redis-server.js';
import { buildOnce, ServiceProcess } from '../support/service-process.js';
import { ADMIN_API_KEY } from '../support/test-service.js';
import { runCli } from './run-cli.js';

interface Entry {
  action: string;
  details?: { incident_id?: string };
}

describe('incident revoke', () => {
  let service: ServiceProcess;
  let env: Record<string, string>;
  let port: string;

  beforeAll(buildOnce);
  beforeEach(async () => {
    port = String(await freePort());
    service = await ServiceProcess.start({ PORT: port, STORE_URL: 'sqlite:./sessions.db' });
    env = { SESSION_SERVICE_URL: service.url, ADMIN_API_KEY };
    await call('POST', '/tenants', { tenant_id: 'acme' });
  });
  afterEach(() => service.stop());

  async function call<T>(method: string, path: string, body?: object, key = ADMIN_API_KEY): Promise<T> {
    const answer = await fetch(service.url + path, {
      method,
      headers: { 'x-api-key': key, ...(body ? { 'content-type': 'application/json' } : {}) },
      ...(body ? { body: JSON.stringify(body) } : {}),
    });
    return (await answer.json()) as T;
  }

  async function logIn(users: readonly string[]): Promise<string[]> {
    const grant = { name: 'login', scopes: ['sessions:create', 'sessions:validate'] };
    const { api_key: key } = await call<{ api_key: string }>('POST', '/tenants/acme/api-keys', grant);
    const login = (user_id: string) => ({
      tenant_id: 'acme',
      user_id,
      scope: '',
      metadata: { device: 'phone' },
    });
    const made = await Promise.all(
      users.map((user) => call<{ session_id: string }>('POST', '/sessions', login(user), key)),
    );
    return made.map(({ session_id: id }) => id);
  }

  const revoke = (...args: string[]) => runCli(['incident', 'revoke', '--tenant', 'acme', ...args], { env });

  test('counts and shows, asks, and ends; and says what it needs', async () => {
    await logIn(['temp-1', 'temp-2', 'user-1']);
    const dry = await revoke('--user-prefix', 'temp-', '--metadata', 'device=phone', '--dry-run');
    expect(dry).toMatchObject({ code: 0, stdout: expect.stringMatching(/\n2 of 3 sessions match\.\n$/) });
    expect(dry.stdout).toMatch(/^[\w-]{26} +temp-1 /m);
    const unsure = await revoke('--user-prefix', 'temp-');
    expect(unsure).toMatchObject({ code: 2, stderr: expect.stringContaining('say --yes') });
    expect(unsure.stdout).toContain('2 of 3 sessions match.');
    const done = await revoke('--user-prefix', 'temp-', '--yes', '--comment', 'stolen laptop');
    expect(done.stdout).toMatch(/Ended 2 sessions; 3 were looked at\. Incident \S+\.\n$/);
    expect(done.stderr).toMatch(/has begun\. If this is cut short: --resume \S+\n$/);
    const json = await revoke('--json', '--yes', '--issued-before', 'now');
    expect(JSON.parse(json.stdout)).toMatchObject({ scanned: 1, matched: 1, revoked_count: 1 });
    expect((await revoke('--yes')).code).toBe(2);
    expect((await revoke('--metadata', 'device', '--yes')).code).toBe(2);
    expect((await revoke('--kid', 'of-nobody', '--dry-run')).code).toBe(1);
    expect((await revoke('--resume', 'x', '--yes')).code).toBe(1);
  });

  test('goes on after the service was killed in the middle, as the same incident', async () => {
    await logIn(Array.from({ length: 500 }, (_, at) => `temp-${at}`));
    // The first step is answered, and what begins the second dies with the service.
    const body = { user_prefix: 'temp-', reason: 'security_incident', comment: 'stolen laptop' };
    const first = await call<{ incident_id: string; next_cursor?: string; revoked_count: number }>(
      'POST',
      '/tenants/acme/revoke-matching',
      body,
    );
    expect(first.next_cursor).toBeDefined();
    const { incident_id: id, next_cursor: cursor } = first;
    const audited = await untilAudited(id, first.revoked_count + 1);
    expect(audited).toBeGreaterThan(first.revoked_count);
    const second = call('POST', '/tenants/acme/revoke-matching', { ...body, incident_id: id, cursor });
    await Promise.all([second.catch(() => undefined), service.kill()]);
    const { directory } = service;
    service = await ServiceProcess.start({ PORT: port, STORE_URL: 'sqlite:./sessions.db' }, directory);
    const resumed = await revoke('--json', '--resume', id, '--yes');
    expect(resumed).toMatchObject({ code: 0 });
    expect(JSON.parse(resumed.stdout)).toMatchObject({ incident_id: id });
    const left = await revoke('--json', '--user-prefix', 'temp-', '--dry-run');
    expect(JSON.parse(left.stdout)).toMatchObject({ scanned: 0, matched: 0 });
    const actions = (await entriesOf(id)).map(({ action }) => action);
    expect(actions.filter((action) => action === 'incident_begun')).toHaveLength(1);
    expect(actions.filter((action) => action === 'incident_completed')).toHaveLength(1);
  });

  test('waits for a service that is away for a moment', async () => {
    await logIn(['temp-1']);
    const { directory } = service;
    await service.kill();
    const waiting = revoke('--user-prefix', 'temp-', '--yes');
    service = await ServiceProcess.start({ PORT: port, STORE_URL: 'sqlite:./sessions.db' }, directory);
    expect(await waiting).toMatchObject({ code: 0, stdout: expect.stringContaining('Ended 1 session;') });
  });

  test('takes yes from a terminal, and nothing else', async () => {
    await logIn(['temp-1']);
    const answered = (word: string) =>
      spawnSync(
        'script',
        [
          '-qec',
          `${process.execPath} ${resolve('dist/cli.js')} incident revoke --tenant acme --user-prefix temp-`,
          '/dev/null',
        ],
        {
          encoding: 'utf8',
          input: `${word}\n`,
          env: { PATH: process.env['PATH'], NODE_ENV: 'production', ...env },
        },
      );
    expect(answered('no').stdout).toContain('Nothing was done.');
    expect(answered('yes').stdout).toContain('Ended 1 session;');
  });

  async function entriesOf(id: string): Promise<Entry[]> {
    const found: Entry[] = [];
    let cursor = '';
    do {
      const page = await call<{ entries: Entry[]; next_cursor?: string }>(
        'GET',
        `/tenants/acme/audit?limit=500${cursor}`,
      );
      found.push(...page.entries.filter(({ details }) => details?.incident_id === id));
      cursor = page.next_cursor === undefined ? '' : `&cursor=${page.next_cursor}`;
    } while (cursor !== '');
    return found;
  }

  /** Entries are written beside the requests; those of the first step must have been before the kill. */
  async function untilAudited(id: string, wanted: number): Promise<number> {
    for (;;) {
      const { length } = await entriesOf(id);
      if (length >= wanted) return length;
    }
  }
});
