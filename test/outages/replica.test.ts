import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { afterAll, beforeAll, describe, expect, test } from '@jest/globals';
import { tenantKeys } from '../../src/storage/redis/redis-keys.js';
import { eventually } from '../support/eventually.js';
import { command } from '../support/redis-commands.js';
import { TcpProxy } from '../support/tcp-proxy.js';
import { SOON_OUT, TestService, type TestTenant, type Tokens } from '../support/test-service.js';

import { Instances, revocationOf } from './instances.js';

const MAX_ENTRIES = 100;

interface ReadyBody {
  details: Record<string, { status: string; reason?: string }>;
}

const sessionsOf = (service: TestService, tenant: TestTenant, count: number) =>
  Promise.all(
    Array.from({ length: count }, (_, at) => service.createSession(tenant, { user_id: `user-${at}` })),
  );

describe('a replica that reaches its bound', () => {
  let instances: Instances;
  let full: TestService;
  let other: TestService;
  let tenant: TestTenant;

  beforeAll(async () => {
    instances = await Instances.start([{ REVOCATION_REPLICA_MAX_ENTRIES: String(MAX_ENTRIES) }, {}]);
    [full, other] = [instances.at(0), instances.at(1)];
    tenant = await full.tenant();
  });

  afterAll(() => instances.stop());

  const ready = () => full.call<ReadyBody>('GET', '/health/ready');
  const checkedBy = async (tokens: Tokens) =>
    revocationOf(await full.validate(tenant, tokens.access_token)).checked;

  test('asks the store, says so, forgets no revocation, and decides again when others have expired', async () => {
    const alive = await full.createSession(tenant);
    expect(await checkedBy(alive)).toBe('replica');
    const doomed = await sessionsOf(full, tenant, MAX_ENTRIES + 30);
    const batch = await other.post(tenant, '/sessions/revoke-batch', {
      session_ids: doomed.map(({ session_id }) => session_id),
      reason: 'admin',
    });
    expect(batch.body).toMatchObject({ revoked_count: MAX_ENTRIES + 30 });

    await eventually(
      () => checkedBy(alive),
      (checked) => checked === 'store',
    );
    for (const { access_token } of doomed) {
      expect(await full.validate(tenant, access_token)).toMatchObject({
        status: 401,
        body: { error: 'token_revoked' },
      });
    }
    const degraded = await ready();
    expect(degraded.body.details['replica']).toMatchObject({
      status: 'degraded',
      reason: expect.stringContaining('full'),
    });

    instances.clock.advanceSeconds(900 + 61);
    const later = await full.createSession(tenant);
    await eventually(
      () => checkedBy(later),
      (checked) => checked === 'replica',
    );
    expect((await ready()).body.details['replica']).toMatchObject({ status: 'up' });
    await other.revoke(tenant, later.access_token);
    await eventually(
      () => full.validate(tenant, later.access_token),
      ({ status }) => status === 401,
    );
  });
});

describe('an instance whose feed is cut', () => {
  let instances: Instances;
  let proxy: TcpProxy;
  let cut: TestService;

  beforeAll(async () => {
    instances = await Instances.start([{}]);
    proxy = await TcpProxy.start(instances.redis.port);
    cut = await TestService.start({ ...SOON_OUT, STORE_URL: proxy.url }, instances.clock);
  });

  afterAll(async () => {
    await cut.stop();
    await proxy.stop();
    await instances.stop();
  });

  test('goes to the store after the bound, says so, and comes back to memory', async () => {
    const other = instances.at(0);
    const tenant = await other.tenant();
    const [alive, revoked] = await sessionsOf(other, tenant, 2);
    if (!alive || !revoked) throw new Error('no session');
    const validate = (tokens: Tokens) => cut.validate(tenant, tokens.access_token);
    const checked = async () => revocationOf(await validate(alive)).checked;
    await eventually(checked, (by) => by === 'replica');

    proxy.silences = command('xread');
    await eventually(checked, (by) => by === 'store');
    await other.revoke(tenant, revoked.access_token);
    expect(await validate(revoked)).toMatchObject({ status: 401, body: { error: 'token_revoked' } });
    expect(await validate(alive)).toMatchObject({
      status: 200,
      body: { revocation: { checked: 'store', age_ms: 0 } },
    });
    // Changes that it cannot hear of count from the next request on all the same.
    await other.asPlatform('PATCH', `/tenants/${tenant.tenantId}`, { status: 'suspended' });
    expect((await validate(alive)).status).toBe(403);
    await other.asPlatform('PATCH', `/tenants/${tenant.tenantId}`, { status: 'active' });

    proxy.silences = null;
    await eventually(checked, (by) => by === 'replica');
    expect(await validate(revoked)).toMatchObject({ status: 401, body: { error: 'token_revoked' } });
  });
});

describe('an instance whose Redis is far away', () => {
  test('stays with its memory, although two waits and two ways would be longer than the bound', async () => {
    const instances = await Instances.start([]);
    const proxy = await TcpProxy.start(instances.redis.port);
    const env = { STORE_URL: proxy.url, REVOCATION_REPLICA_MAX_AGE_MS: '800' };
    const far = await TestService.start(env, instances.clock);
    const tenant = await far.tenant();
    const { access_token: token } = await far.createSession(tenant);
    const validated = async () => revocationOf(await far.validate(tenant, token));
    proxy.delayMs = 240;
    await eventually(
      async () => (await validated()).age_ms ?? 0,
      (ageMs) => ageMs > 400,
    );
    await delay(1000);
    // Where the replica is too old, the caller is the first to be asked for.
    const { apiKeys } = tenantKeys(tenant.tenantId);
    const { roundTrips } = await proxy.roundTripsOf(
      async () => {
        for (const untilMs = performance.now() + 2500; performance.now() < untilMs; await delay(10)) {
          expect((await validated()).checked).toBe('replica');
        }
      },
      (command) => !command.includes(apiKeys),
    );
    expect(roundTrips).toBe(0);

    await far.stop();
    await proxy.stop();
    await instances.stop();
  });
});

describe('an instance that trusts its memory for long and hears nothing', () => {
  test('refuses what it ended itself from its very next request on', async () => {
    const instances = await Instances.start([]);
    const proxy = await TcpProxy.start(instances.redis.port);
    const env = { STORE_URL: proxy.url };
    const deaf = await TestService.start(env, instances.clock);
    const tenant = await deaf.tenant();
    const [first, second, third, fourth] = await sessionsOf(deaf, tenant, 4);
    if (!first || !second || !third || !fourth) throw new Error('no session');
    const validate = (tokens: Tokens) => deaf.validate(tenant, tokens.access_token);
    for (const tokens of [first, second, third]) {
      expect(revocationOf(await validate(tokens))).toMatchObject({ checked: 'replica' });
    }

    proxy.silences = command('xread');
    const ends = [
      { tokens: first, end: () => deaf.revoke(tenant, first.access_token) },
      {
        tokens: second,
        end: () => deaf.revoke(tenant, second.access_token, { only_this_token: true }),
      },
      {
        tokens: third,
        end: () =>
          deaf.post(tenant, '/sessions/revoke-batch', { session_ids: [third.session_id], reason: 'admin' }),
      },
    ];
    for (const { tokens, end } of ends) {
      expect((await end()).status).toBeLessThan(300);
      expect(await validate(tokens)).toMatchObject({ status: 401, body: { error: 'token_revoked' } });
    }
    expect(revocationOf(await validate(fourth))).toMatchObject({ checked: 'replica' });
    await deaf.asPlatform('PATCH', `/tenants/${tenant.tenantId}`, { status: 'suspended' });
    expect((await validate(fourth)).status).toBe(403);

    await deaf.stop();
    await proxy.stop();
    await instances.stop();
  });
});

describe('an instance on SQLite that was restarted', () => {
  test('knows what was revoked, from memory', async () => {
    const directory = mkdtempSync(join(tmpdir(), 'outages-'));
    const env = { STORE_URL: `sqlite:${join(directory, 'sessions.db')}` };
    const before = await TestService.start(env);
    const tenant = await before.tenant();
    const [alive, revoked, cut] = await sessionsOf(before, tenant, 3);
    if (!alive || !revoked || !cut) throw new Error('no session');
    await before.revoke(tenant, revoked.access_token);
    await before.revoke(tenant, cut.access_token, { only_this_token: true });
    await before.stop();

    const after = await TestService.start(env, before.clock);
    const validate = (tokens: Tokens) => after.validate(tenant, tokens.access_token);
    expect(revocationOf(await validate(alive))).toMatchObject({ checked: 'replica' });
    for (const tokens of [revoked, cut]) {
      expect(await validate(tokens)).toMatchObject({ status: 401, body: { error: 'token_revoked' } });
    }
    // From memory, and not only because the record says so too: the token's session is alive.
    expect((await after.refresh(tenant, cut.refresh_token)).status).toBe(200);
    await after.stop();
    rmSync(directory, { recursive: true, force: true });
  });
});
