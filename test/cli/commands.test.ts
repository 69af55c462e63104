/** What operators do with the command line, against the real service. */
import { spawnSync } from 'node:child_process';
import { chmodSync, mkdtempSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeAll, beforeEach, describe, expect, test } from '@jest/globals';
import { useService } from '../e2e/use-service.js';
import { eventually } from '../support/eventually.js';
import { buildOnce } from '../support/service-process.js';
import { ADMIN_API_KEY, STORES, type TestTenant } from '../support/test-service.js';
import { environmentOf, runCli, startCli, type Ended } from './run-cli.js';

describe.each(STORES)('the command line, on $name', ({ prepare }) => {
  const service = useService(prepare);
  let acme: TestTenant;
  let directory: string;

  beforeAll(buildOnce);
  beforeEach(async () => {
    acme = await service().tenant();
    directory = mkdtempSync(join(tmpdir(), 'cli-test-'));
  });
  afterEach(() => rmSync(directory, { recursive: true, force: true }));

  const asPlatform = (...args: string[]) => runCli(args, { env: environmentOf(service()) });
  const asTenant = (...args: string[]) => runCli(args, { env: environmentOf(service(), acme.apiKey) });
  const jsonOf = ({ stdout }: Ended) => JSON.parse(stdout) as Record<string, never>;

  test('makes, shows, changes, suspends, resumes and deletes a tenant', async () => {
    const tenantId = `${acme.tenantId}-b`;
    const out = join(directory, 'first-key');
    const made = await asPlatform(
      'tenants', 'create', tenantId, 'access_token_ttl_seconds=60', '--name', 'Bee', '--out', out,
    ); // prettier-ignore
    expect(made).toMatchObject({ code: 0, stdout: expect.stringMatching(/access_token_ttl_seconds +60\n/) });
    const apiKey = readFileSync(out, 'utf8').trim();
    expect(apiKey).toMatch(new RegExp(`^sk_${tenantId}_`));
    expect(statSync(out).mode & 0o777).toBe(0o600);
    expect(made.stdout + made.stderr).not.toContain(apiKey);
    const changed = await asPlatform(
      '--json', 'tenants', 'set', tenantId, 'access_token_ttl_seconds=default', 'audience=7',
    ); // prettier-ignore
    expect(jsonOf(changed)).toMatchObject({ access_token_ttl_seconds: 900, audience: '7', name: 'Bee' });
    expect(jsonOf(await asPlatform('--json', 'tenants', 'suspend', tenantId))).toMatchObject({
      status: 'suspended',
    });
    const refused = await runCli(['sessions', 'list', '--user', 'alice', '--api-key-file', out], {
      env: { SESSION_SERVICE_URL: service().url },
    });
    expect(refused).toMatchObject({ code: 1, stderr: expect.stringContaining('tenant_suspended') });
    expect((await asPlatform('tenants', 'resume', tenantId)).code).toBe(0);
    const listed = await asPlatform('tenants', 'list');
    expect(listed.stdout).toMatch(new RegExp(`^${tenantId} +active +Bee +\\d{4}-`, 'm'));
    expect((await asPlatform('tenants', 'delete', tenantId, '--yes')).code).toBe(0);
    const gone = await asPlatform('tenants', 'show', tenantId);
    expect(gone).toMatchObject({ code: 1, stdout: '' });
    expect(gone.stderr).toMatch(
      /404 tenant_not_found: There is no such tenant.* \(correct the command; request \S+\)\n$/,
    );
  });

  test('rotates and kills keys', async () => {
    const rotated = await asPlatform('keys', 'rotate', '--now', '--tenant', acme.tenantId);
    expect(rotated.stdout).toMatch(/ active .*\n/);
    const { keys } = jsonOf(await asTenant('--json', 'keys', 'list')) as unknown as {
      keys: { kid: string; state: string }[];
    };
    expect(keys.map(({ state }) => state).toSorted()).toEqual(['active', 'retired']);
    const kid = keys.find(({ state }) => state === 'active')?.kid ?? '';
    const session = await service().createSession(acme);
    expect((await asTenant('keys', 'kill', kid, '--yes')).code).toBe(0);
    expect((await service().validate(acme, session.access_token)).body['error']).toBe('token_revoked');
  });

  test('issues an API key that it shows once, and revokes it', async () => {
    const issued = jsonOf(
      await asTenant(
        '--json', 'api-keys', 'issue', '--name', 'web', '--scope', 'sessions:read', 'sessions:create', '--expires-in', '2h',
      ),
    ) as unknown as { api_key: string; key_id: string; expires_at: number; created_at: number }; // prettier-ignore
    expect(issued.expires_at - issued.created_at).toBe(7200);
    expect(
      (await runCli(['sessions', 'list', '--user', 'x'], { env: environmentOf(service(), issued.api_key) }))
        .code,
    ).toBe(0);
    const listed = await asTenant('api-keys', 'list');
    expect(listed.stdout).toMatch(new RegExp(`^${issued.key_id} +web +sessions:read sessions:create +`, 'm'));
    expect(listed.stdout).not.toContain(issued.api_key);
    expect((await asTenant('api-keys', 'revoke', issued.key_id)).code).toBe(0);
    const refused = await runCli(['sessions', 'list', '--user', 'x'], {
      env: environmentOf(service(), issued.api_key),
    });
    expect(refused).toEqual({
      code: 1,
      stdout: '',
      stderr: `The service at ${service().url} does not know the API key from SESSION_SERVICE_API_KEY.\n`,
    });
  });

  test('shows sessions, tells their story and ends them', async () => {
    const [first, second] = [await service().createSession(acme), await service().createSession(acme)];
    const listed = await asTenant('sessions', 'list', '--user', 'alice');
    expect(listed.stdout).toContain(first.session_id);
    expect((await asTenant('sessions', 'show', second.session_id)).stdout).toMatch(/user_id +alice\n/);
    const ended = await asTenant('sessions', 'revoke', first.session_id, '--comment', 'asked for by phone');
    expect(ended.code).toBe(0);
    const history = await asTenant('sessions', 'history', first.session_id);
    expect(history.stdout).toMatch(/Ended by an administrator.*asked for by phone/);
    expect((await asTenant('sessions', 'revoke-all', '--user', 'alice', '--yes')).stdout).toBe(
      'Ended 1 session.\n',
    );
    expect((await service().validate(acme, second.access_token)).status).toBe(401);
    const other = await service().createSession(acme, { user_id: 'bob' });
    expect((await asPlatform('tenants', 'revoke-all', acme.tenantId, '--yes')).stdout).toContain(
      'Epoch 2 begins.',
    );
    expect((await service().validate(acme, other.access_token)).status).toBe(401);
  });

  test('follows the audit', async () => {
    const child = startCli(['audit', 'tail', '--follow', '--action', 'session_ended'], {
      env: environmentOf(service(), acme.apiKey),
    });
    let seen = '';
    child.stdout?.on('data', (chunk: Buffer) => (seen += chunk.toString()));
    const users = Array.from({ length: 5 }, (_, at) => `user-${at}`);
    for (const user_id of users) {
      const { session_id: id } = await service().createSession(acme, { user_id });
      await service().call('DELETE', `/sessions/${id}`, { apiKey: acme.apiKey });
      await eventually(() => seen.includes(`user=${user_id} `));
    }
    child.kill('SIGINT');
    await new Promise((done) => child.once('close', done));
    expect(
      [...seen.matchAll(/session_ended {2}ok {2}by=first \([0-9a-f]{16}\) {2}user=(\S+)/g)].map(
        ([, user]) => user,
      ),
    ).toEqual(users);
    const { stdout } = await asPlatform('--json', 'audit', 'tail', '--tenant', acme.tenantId, '--lines', '2');
    const entries = stdout
      .trim()
      .split('\n')
      .map((line) => JSON.parse(line) as { seq: number });
    expect(entries.map(({ seq }) => seq)).toEqual([10, 11]);
  });

  test('lets no value of a user move the cursor of who looks', async () => {
    const evil = '\u001b[2J\u009b31m\u202e';
    await service().createSession(acme, { metadata: { device: evil } });
    for (const args of [[], ['--json']]) {
      const { stdout } = await asTenant(...args, 'sessions', 'list', '--user', 'alice');
      expect(stdout.replaceAll('\n', '')).not.toMatch(/\p{C}/u);
      expect(stdout).toContain(args.length > 0 ? '\\u001b[2J\\u009b31m\\u202e' : '[2J\\u{9b}31m\\u{202e}');
    }
    expect(jsonOf(await asTenant('--json', 'sessions', 'list', '--user', 'alice'))).toMatchObject({
      sessions: [{ metadata: { device: evil } }],
    });
  });

  test('asks before what cannot be undone, and does nothing where nobody can answer', async () => {
    const tokens = await service().createSession(acme);
    for (const args of [
      ['tenants', 'delete', acme.tenantId],
      ['tenants', 'revoke-all', acme.tenantId],
      ['keys', 'kill', 'some-kid', '--tenant', acme.tenantId],
    ]) {
      const { code, stdout, stderr } = await asPlatform(...args);
      expect([code, stdout, stderr]).toEqual([2, '', expect.stringContaining('say --yes')]);
    }
    expect((await asTenant('sessions', 'revoke-all', '--user', 'alice')).code).toBe(2);
    expect((await service().validate(acme, tokens.access_token)).status).toBe(200);
  });

  test('takes a key from a file, and says when others can read it', async () => {
    const file = join(directory, 'key');
    writeFileSync(file, `${ADMIN_API_KEY}\n`, { mode: 0o600 });
    const run = () =>
      runCli(['tenants', 'list', '--api-key-file', file], { env: { SESSION_SERVICE_URL: service().url } });
    expect(await run()).toMatchObject({ code: 0, stderr: '' });
    chmodSync(file, 0o644);
    expect(await run()).toMatchObject({
      code: 0,
      stderr: `Others on this machine can read ${file}: chmod 600 it.\n`,
    });
    writeFileSync(file, 'two words');
    const broken = await run();
    expect(broken.code).toBe(2);
    expect(broken.stderr).not.toContain('two words');
  });

  test('speaks of another tenant as of none', async () => {
    const other = await service().tenant();
    const { session_id: sessionId } = await service().createSession(other);
    for (const args of [
      ['sessions', 'show', sessionId],
      ['sessions', 'revoke', sessionId],
      ['keys', 'list', '--tenant', other.tenantId],
      ['audit', 'tail', '--tenant', other.tenantId],
    ]) {
      expect(await asTenant(...args)).toMatchObject({
        code: 1,
        stderr: expect.stringMatching(/404 (session|tenant)_not_found/),
      });
    }
  });
});

describe('the command line', () => {
  beforeAll(buildOnce);

  test.each([
    [['tenants', 'lst'], /unknown command 'lst'/],
    [['api-keys', 'issue'], /required option '--name <name>'/],
    [['tenants', 'set', 'acme', 'nonsense'], /setting=value/],
    [['sessions', 'revoke', 'x', '--reason', 'boredom'], /Allowed choices are user_logout/],
    [['tenants', 'show', '..'], /cannot be empty/],
    [['tenants', 'list', '--url', 'ftp://somewhere'], /must be http or https/],
    [['tenants', 'list', '--url', 'http://me:secret@somewhere'], /without credentials/],
    [['keys', 'list'], /Which tenant/],
    [['token', 'inspect', 'eyJhbGciOiJSUzI1NiJ9.e30.c2ln'], /does not belong on a command line/],
  ])('ends with 2 when it does not understand: %j', async (args, words) => {
    const { code, stdout, stderr } = await runCli(args, { env: { ADMIN_API_KEY } });
    expect([code, stdout]).toEqual([2, '']);
    expect(stderr).toMatch(words);
    expect(stderr).not.toMatch(/secret|c2ln|at .*\.js/);
  });

  test('is what npx finds in a checkout that was built, without a network', () => {
    const cache = mkdtempSync(join(tmpdir(), 'cli-npx-'));
    const { stdout, stderr } = spawnSync('npx', ['--offline', 'session-service', 'tenants', '--help'], {
      encoding: 'utf8',
      env: { PATH: process.env['PATH'], HOME: cache, npm_config_cache: cache },
    });
    rmSync(cache, { recursive: true, force: true });
    expect({ stdout, stderr }).toMatchObject({ stdout: expect.stringContaining('session-service tenants') });
  });

  test('ends with 2 without an API key, also where a first start left one, in production', async () => {
    expect(await runCli(['tenants', 'list'])).toMatchObject({
      code: 2,
      stderr: 'There is no API key: set ADMIN_API_KEY, or name a file with --api-key-file.\n',
    });
  });

  test('reads a list to its last page, sends the key nowhere else, and says when it speaks to somebody else', async () => {
    const asked: string[] = [];
    const server = createServer((request, response) => {
      asked.push(request.url ?? '');
      if (request.url === '/elsewhere/tenants?limit=200') response.writeHead(307, { location: '/tenants' });
      const cursor = new URL(request.url ?? '', 'http://service').searchParams.get('cursor');
      const page = { tenants: [{ tenant_id: `t-${cursor ?? 'first'}` }] };
      const isHello = request.url?.startsWith('/hello') === true;
      response.end(
        isHello ? 'hello' : JSON.stringify(cursor === null ? { ...page, next_cursor: 'a&b' } : page),
      );
    });
    await new Promise<void>((done) => server.listen(0, '127.0.0.1', done));
    const url = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
    const run = (path: string) =>
      runCli(['tenants', 'list', '--url', url + path], { env: { ADMIN_API_KEY } });
    expect((await run('/')).stdout).toMatch(/^t-first .*\nt-a&b .*\n$/m);
    expect(asked).toEqual(['/tenants?limit=200', '/tenants?limit=200&cursor=a%26b']);
    expect(await run('/elsewhere')).toMatchObject({ code: 3, stdout: '' });
    expect(asked).toHaveLength(3);
    expect(await run('/hello')).toMatchObject({
      code: 3,
      stderr: expect.stringContaining('is not this service'),
    });
    server.closeAllConnections();
    await new Promise((done) => server.close(done));
  });

  test('ends with 3 when nobody answers', async () => {
    const { code, stderr } = await runCli(['tenants', 'list'], {
      env: { ADMIN_API_KEY, SESSION_SERVICE_URL: 'http://127.0.0.1:9' },
    });
    expect(code).toBe(3);
    expect(stderr).toMatch(
      /^The service does not answer at http:\/\/127\.0\.0\.1:9 \(\S.*\): check that it runs/,
    );
  });
});
