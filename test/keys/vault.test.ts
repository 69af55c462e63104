/** Data keys wrapped by Vault's Transit engine: over the wire, in full, and when Vault has troubles of its own. */
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { inspect } from 'node:util';
import { afterEach, beforeEach, describe, expect, test } from '@jest/globals';
import { parseConfig } from '../../src/config.js';
import { AppError, BootError } from '../../src/errors.js';
import { KeyRingStore, type KeyRing } from '../../src/keys/key-ring.js';
import { VaultKeyProvider } from '../../src/keys/vault-key-provider.js';
import { TenantChanges } from '../../src/tenants/tenant-changes.js';
import { IN_TIME_MS, TestService, testEnvironment, type TestTenant } from '../support/test-service.js';
import { kidOf, kill, rotate, statesOf } from './key-calls.js';
import { TransitServer } from './transit-server.js';

const RETRY = { status: 503, body: { error: 'store_unavailable', action: 'retry' } };
const CONTACT = { status: 503, body: { error: 'store_unavailable', action: 'contact_operator' } };

let vault: TransitServer;

beforeEach(async () => {
  vault = await TransitServer.start();
});

afterEach(() => vault.down());

function provider(env: Record<string, string> = {}): VaultKeyProvider {
  const { keyProvider } = parseConfig({ ...testEnvironment(), ...vault.environment, ...env });
  if (keyProvider.kind !== 'vault') throw new Error('not Vault');
  return new VaultKeyProvider(keyProvider);
}

async function failure(call: Promise<unknown>): Promise<AppError> {
  const error = await call.then(
    () => undefined,
    (reason: unknown) => reason,
  );
  if (!(error instanceof AppError)) throw new Error(`no AppError but ${inspect(error)}`);
  // Whatever is logged of it.
  expect(inspect(error, { depth: 9, showHidden: true })).not.toContain(vault.token);
  return error;
}

describe('the Vault key provider', () => {
  const DATA_KEY = Buffer.alloc(32, 7);

  test('speaks the documented requests, and nothing else', async () => {
    const wrapped = await provider().wrap(Buffer.from(DATA_KEY), 'acme');
    expect(wrapped).toMatch(/^vault:v1:/);
    expect(await provider().unwrap(wrapped, 'acme')).toEqual(DATA_KEY);
    const associated_data = Buffer.from('data-key\0acme').toString('base64');
    const common = { method: 'POST', token: vault.token };
    expect(vault.calls).toEqual([
      {
        ...common,
        path: '/v1/transit/encrypt/sessions',
        body: { plaintext: DATA_KEY.toString('base64'), associated_data },
      },
      { ...common, path: '/v1/transit/decrypt/sessions', body: { ciphertext: wrapped, associated_data } },
    ]);
  });

  test('binds a data key to its tenant', async () => {
    const wrapped = await provider().wrap(Buffer.from(DATA_KEY), 'acme');
    expect((await failure(provider().unwrap(wrapped, 'globex'))).answer.action).toBe('contact_operator');
  });

  test('wraps again under the newest version of the key, once', async () => {
    const wrapped = await provider().wrap(Buffer.from(DATA_KEY), 'acme');
    expect(await provider().rewrap(wrapped, 'acme')).toBeNull();
    vault.rotate();
    const moved = String(await provider().rewrap(wrapped, 'acme'));
    expect([wrapped, moved].map((text) => provider().keyIdOf(text))).toEqual(['vault:v1', 'vault:v2']);
    expect(await provider().unwrap(moved, 'acme')).toEqual(DATA_KEY);
    expect(await provider().rewrap(moved, 'acme')).toBeNull();
  });

  test.each(['', 'vault:', 'vault:v1:', 'vault:v9:AAAA', 'vault:v1:AAAA', 'local.v1.m1.AAAA.BBBB'])(
    'opens nothing that Vault did not wrap: %j',
    async (text) => {
      expect(await failure(provider().unwrap(text, 'acme'))).toMatchObject({
        code: 'store_unavailable',
        answer: { action: 'contact_operator' },
      });
    },
  );

  test.each<[string, Record<string, string>]>([
    ['a wrong token', { VAULT_TOKEN: 'hvs.wrong' }],
    ['a wrong mount', { VAULT_TRANSIT_MOUNT: 'kms' }],
    ['a wrong key', { VAULT_TRANSIT_KEY: 'other' }],
  ])('asks for the operator with %s', async (_, env) => {
    expect(await failure(provider(env).wrap(Buffer.from(DATA_KEY), 'acme'))).toMatchObject({
      code: 'store_unavailable',
      answer: { action: 'contact_operator' },
    });
  });

  test.each([
    ['sealed', { status: 503, text: '{"errors":["Vault is sealed"]}' }],
    ['overloaded', { status: 429, text: '{"errors":["request path limit"]}' }],
    ['broken', { status: 500, text: '{"errors":["internal error"]}' }],
    ['no Vault', { status: 200, text: '<html>login</html>' }],
    ['without a result', { status: 200, text: '{"data":{}}' }],
    ['somewhere else', { status: 307, headers: { location: 'http://127.0.0.1:1/' }, text: '' }],
  ])('asks to try again when Vault is %s', async (_, override) => {
    vault.override = override;
    const calls = [provider().wrap(Buffer.from(DATA_KEY), 'a'), provider().unwrap('vault:v1:AAAA', 'a')];
    for (const call of calls) {
      expect(await failure(call)).toMatchObject({ code: 'store_unavailable', answer: { action: 'retry' } });
    }
  });

  test('waits for a slow Vault no longer than two seconds', async () => {
    vault.delayMs = 2 * IN_TIME_MS;
    const askedAt = performance.now();
    expect((await failure(provider().unwrap('vault:v1:AAAA', 'acme'))).answer.action).toBe('retry');
    expect(performance.now() - askedAt).toBeLessThan(IN_TIME_MS);
  });
});

describe('a service whose keys Vault guards', () => {
  let directory: string;
  let service: TestService;

  const env = (): Record<string, string> => ({
    ...vault.environment,
    MASTER_KEYS: '',
    STORE_URL: `sqlite:${join(directory, 'sessions.db')}`,
  });

  beforeEach(async () => {
    directory = mkdtempSync(join(tmpdir(), 'vault-test-'));
    service = await TestService.start(env());
  });

  afterEach(async () => {
    await service.stop();
    rmSync(directory, { recursive: true, force: true });
  });

  async function restart(): Promise<void> {
    await service.stop();
    service = await TestService.start(env(), service.clock);
  }

  const ringOf = async ({ tenantId }: TestTenant): Promise<KeyRing> =>
    (await service.app.get(KeyRingStore).find(tenantId)) as KeyRing;

  const create = (tenant: TestTenant) =>
    service.post(tenant, '/sessions', { tenant_id: tenant.tenantId, user_id: 'alice', scope: '' });

  async function expectWorking(tenant: TestTenant): Promise<void> {
    const { access_token: token, refresh_token: refresh } = await service.createSession(tenant);
    expect((await service.validate(tenant, token)).status).toBe(200);
    expect((await service.refresh(tenant, refresh)).status).toBe(200);
  }

  test('does all that one with master keys does, and Vault sees data keys only', async () => {
    const acme = await service.tenant();
    const session = await service.createSession(acme);
    expect((await rotate(service, acme, '?now=true')).status).toBe(200);
    await expectWorking(acme);
    expect((await kill(service, acme, kidOf(session.access_token))).status).toBe(204);
    expect((await service.validate(acme, session.access_token)).body).toMatchObject({
      error: 'token_revoked',
    });
    await restart();
    await expectWorking(acme);
    const all = `/tenants/${acme.tenantId}/revoke-all`;
    expect((await service.asPlatform('POST', all, { reason: 'admin' })).status).toBe(200);
    await expectWorking(acme);
    expect((await ringOf(acme)).wrappedDataKey).toMatch(/^vault:v1:/);
    for (const { body } of vault.calls) {
      if (body['plaintext']) expect(Buffer.from(body['plaintext'], 'base64')).toHaveLength(32);
    }
    expect(new Set(vault.calls.map(({ body }) => body['associated_data'])).size).toBe(1);
  });

  test('asks Vault once for a tenant, however often its keys change', async () => {
    const acme = await service.tenant();
    await expectWorking(acme);
    vault.calls.length = 0;
    for (let n = 0; n < 3; n++) await expectWorking(acme);
    expect(vault.calls).toEqual([]);
    await rotate(service, acme, '?now=true');
    const toRotate = vault.calls.length;
    await expectWorking(acme);
    expect(vault.calls).toHaveLength(toRotate);
  });

  test('moves to a new version of the key by a reseal, and the old one may be let go', async () => {
    const acme = await service.tenant();
    vault.rotate();
    const globex = await service.tenant();
    const reseal = () => service.asPlatform('POST', '/master-keys/reseal');
    expect(await reseal()).toMatchObject({ status: 200, body: { resealed: 1, in_use: { 'vault:v2': 2 } } });
    expect((await reseal()).body).toEqual({ resealed: 0, in_use: { 'vault:v2': 2 } });
    vault.minDecryptionVersion = 2;
    await restart();
    for (const tenant of [acme, globex]) await expectWorking(tenant);
  });

  test('does not boot when Vault does not open what is sealed, and says what to look at', async () => {
    const acme = await service.tenant();
    const before = await ringOf(acme);
    vault.rotate();
    vault.minDecryptionVersion = 2;
    await service.stop();
    const refusal = await TestService.start(env()).catch((error: unknown) => error);
    expect(refusal).toBeInstanceOf(BootError);
    expect((refusal as BootError).message).toMatch(/VAULT_TRANSIT_KEY.*min_decryption_version\.$/);
    vault.minDecryptionVersion = 1;
    service = await TestService.start(env(), service.clock);
    expect(await ringOf(acme)).toEqual(before);
    await expectWorking(acme);
  });

  test('boots while Vault is down, answers 503 until it is back, and then works', async () => {
    const acme = await service.tenant();
    const session = await service.createSession(acme);
    await vault.down();
    await restart();
    expect(await create(acme)).toMatchObject(RETRY);
    expect(await service.validate(acme, session.access_token)).toMatchObject(RETRY);
    expect(await service.refresh(acme, session.refresh_token)).toMatchObject(RETRY);
    await vault.up();
    expect((await service.validate(acme, session.access_token)).status).toBe(200);
    await expectWorking(acme);
  });

  test('goes on for tenants in memory while Vault is down, and begins nothing new', async () => {
    const acme = await service.tenant();
    await expectWorking(acme);
    await rotate(service, acme, '?now=true');
    const session = await service.createSession(acme);
    const ring = await ringOf(acme);
    await vault.down();
    await expectWorking(acme);
    expect((await service.validate(acme, session.access_token)).status).toBe(200);
    expect(await rotate(service, acme)).toMatchObject(RETRY);
    expect(await kill(service, acme, kidOf(session.access_token))).toMatchObject(RETRY);
    expect(await ringOf(acme)).toEqual(ring);
    const unborn = await service.asPlatform('POST', '/tenants', { tenant_id: 'unborn' });
    expect(unborn).toMatchObject(RETRY);
    expect((await service.asPlatform('GET', '/tenants/unborn')).status).toBe(404);
    await vault.up();
    expect((await service.asPlatform('POST', '/tenants', { tenant_id: 'unborn' })).status).toBe(201);
    expect((await kill(service, acme, kidOf(session.access_token))).status).toBe(204);
  });

  test('kills a key that has others beside it although Vault is down, and goes on', async () => {
    const acme = await service.tenant();
    const session = await service.createSession(acme);
    await rotate(service, acme);
    await expectWorking(acme);
    await vault.down();
    expect((await kill(service, acme, kidOf(session.access_token))).status).toBe(204);
    expect(Object.values(await statesOf(service, acme))).toEqual(['revoked', 'active']);
    expect((await service.validate(acme, session.access_token)).body).toMatchObject({
      error: 'token_revoked',
    });
    expect((await service.refresh(acme, session.refresh_token)).status).toBe(200);
    await expectWorking(acme);
  });

  test('asks for its operator when its token is no longer good, and tells nobody the token', async () => {
    const acme = await service.tenant();
    const wrong = vault.token;
    vault.token = 'hvs.another-token';
    await restart(); // with the new one, which works
    await expectWorking(acme);
    await service.stop();
    service = await TestService.start({ ...env(), VAULT_TOKEN: wrong }, service.clock);
    for (const answer of [
      await create(acme),
      await service.asPlatform('POST', '/tenants', { tenant_id: 'unborn' }),
    ]) {
      expect(answer).toMatchObject(CONTACT);
      expect(JSON.stringify([answer.body, ...answer.headers])).not.toContain(wrong);
    }
  });

  test("opens no data key that was moved from another tenant's ring", async () => {
    const acme = await service.tenant();
    const { wrappedDataKey } = await ringOf(await service.tenant());
    const ring = await ringOf(acme);
    const moved = { ...ring, wrappedDataKey, version: ring.version + 1 };
    await service.app.get(KeyRingStore).replace(moved);
    await service.app.get(TenantChanges).announce({ kind: 'keys_changed', tenantId: acme.tenantId });
    expect(await create(acme)).toMatchObject(CONTACT);
    expect(await rotate(service, acme)).toMatchObject(CONTACT);
    expect(await ringOf(acme)).toEqual(moved);
  });
});
