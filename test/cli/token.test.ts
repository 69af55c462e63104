/** `token inspect`: nothing that the service refuses passes for good, and each rule that is broken has a sentence. */
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { beforeAll, describe, expect, test } from '@jest/globals';
import { inspect, type Jwk } from '../../src/cli/token-inspection.js';
import { useService } from '../e2e/use-service.js';
import { CLAIM_VECTORS, CONFUSED_VECTORS, SHAPE_VECTORS } from '../hostile/claim-vectors.js';
import { headerVectors } from '../hostile/header-vectors.js';
import { SIGNATURE_VECTORS } from '../hostile/signature-vectors.js';
import { makeKit, type Kit } from '../hostile/token-kit.js';
import { respell } from '../hostile/token-spellings.js';
import { buildOnce } from '../support/service-process.js';
import { runCli } from './run-cli.js';

const prepare = async () => ({ env: { STORE_URL: 'sqlite::memory:' }, dispose: async () => undefined });

describe('token inspect', () => {
  const service = useService(prepare);
  let kit: Kit;
  let keys: Jwk[];

  beforeAll(buildOnce);
  beforeAll(async () => {
    kit = await makeKit(service());
    const { body } = await service().call<{ keys: Jwk[] }>('GET', `/tenants/${kit.acme.tenantId}/jwks`);
    keys = body.keys;
  });

  const look = (token: string) =>
    inspect(token, { keys, tenantId: kit.acme.tenantId }, service().clock.nowMs());

  test('finds nothing wrong with what the service has issued', () => {
    expect(look(kit.session.access_token)).toMatchObject({
      kind: 'access',
      signature: 'valid',
      problems: [],
      payload: { sub: 'alice', tenant_id: kit.acme.tenantId },
    });
    expect(look(kit.session.refresh_token)).toMatchObject({
      kind: 'refresh',
      signature: 'private',
      problems: [],
    });
  });

  test('takes no other spelling of a token for it', () => {
    const passed = respell(kit.session.access_token).filter((token) => look(token).problems.length === 0);
    expect(passed).toEqual([]);
  });

  test('finds something wrong with every access token that the service refuses for what can be seen', async () => {
    const vectors = [
      ...CLAIM_VECTORS,
      ...CONFUSED_VECTORS,
      ...SHAPE_VECTORS,
      ...SIGNATURE_VECTORS,
      ...headerVectors(() => 'http://127.0.0.1:9'),
    ];
    const passed: string[] = [];
    let looked = 0;
    for (const { name, tokens } of vectors) {
      for (const token of await tokens(kit)) {
        const { kind, problems } = look(token);
        if (kind === 'refresh') continue; // who lacks the secret cannot tell
        looked++;
        if (problems.length === 0) passed.push(name);
      }
    }
    expect(passed).toEqual([]);
    expect(looked).toBeGreaterThan(300);
  });

  test.each<[string, (kit: Kit) => string, RegExp]>([
    ['two parts', ({ session }) => session.access_token.split('.').slice(0, 2).join('.'), /has 2 parts/],
    ['no text at all', () => '..', /Its header is empty/],
    ['too long', () => 'e'.repeat(20_000), /longer than 16384/],
    ['unknown typ', (k) => k.access({ typ: 'JWT' }), /neither at\+jwt with RS256/],
    ['a further header', (k) => k.access({ jku: 'https://x' }), /exactly the members alg, typ and kid/],
    ['another key', (k) => k.access({}, {}, k.attacker.privateKey), /signature is not by the key/],
    ['an unknown key', (k) => k.access({ kid: 'unknown' }), /no key with its kid/],
    ['an expired one', (k) => k.access({}, { exp: k.nowSeconds() - 120 }), /It expired 2 min ago/],
    ['one of the future', (k) => k.access({}, { nbf: k.nowSeconds() + 60 }), /not valid before .* in 1 min/],
    [
      'a fraction',
      (k) => k.access({}, { exp: k.nowSeconds() + 0.5 }),
      /claim exp is missing or not of its shape/,
    ],
    ['another issuer', (k) => k.access({}, { iss: 'https://x/tenants/other' }), /issuer does not end in/],
  ])('says what is wrong: %s', (_, make, sentence) => {
    expect(look(make(kit)).problems.join('\n')).toMatch(sentence);
  });

  test('reads from standard input or a file, knows the keys from a URL or a file, and repeats no token', async () => {
    const directory = mkdtempSync(join(tmpdir(), 'cli-token-'));
    const [tokenFile, keyFile] = [join(directory, 'token'), join(directory, 'keys.json')];
    const token = kit.session.access_token;
    writeFileSync(tokenFile, `${token}\n`);
    writeFileSync(keyFile, JSON.stringify({ keys }));
    const url = `${service().url}/tenants/${kit.acme.tenantId}/jwks`;
    const good = await Promise.all([
      runCli(['token', 'inspect', '--jwks', url], { input: `Bearer ${token}` }),
      runCli(['token', 'inspect', tokenFile, '--jwks', keyFile]),
    ]);
    for (const { code, stdout } of good) {
      expect([code, stdout]).toEqual([0, expect.stringContaining('Its signature is good.')]);
      expect(stdout).toMatch(/exp +\d+ {2}\d{4}-\S+ \S+ UTC, in 14 min/);
      expect(stdout).toContain('Whether it was revoked cannot be seen from it');
      expect(stdout).not.toContain(token.split('.')[2]);
    }
    const bad = await runCli(['--json', 'token', 'inspect'], { input: `${token}x` });
    expect(bad.code).toBe(1);
    expect(JSON.parse(bad.stdout)).toMatchObject({ kind: 'access', signature: 'not_checked' });
    expect((await runCli(['token', 'inspect', join(directory, 'none')])).code).toBe(2);
    expect((await runCli(['token', 'inspect'], { input: '' })).code).toBe(2);
    expect((await runCli(['token', 'inspect', tokenFile, '--jwks', `${url}x`])).code).toBe(3);
    rmSync(directory, { recursive: true, force: true });
  });
});
