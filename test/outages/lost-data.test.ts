import { Logger } from '@nestjs/common';
import { afterAll, beforeAll, describe, expect, test } from '@jest/globals';
import { eventually } from '../support/eventually.js';
import type { Redis } from 'ioredis';
import type { TestService } from '../support/test-service.js';

import { counter, Instances } from './instances.js';

const STREAM = '{changes}:stream';
const MALFORMED = 'change_feed_malformed_entries_total';
const RESYNCS = 'change_feed_resyncs_total';

describe('a Redis that lost something', () => {
  let instances: Instances;
  let here: TestService;
  let there: TestService;
  let admin: Redis;

  beforeAll(async () => {
    instances = await Instances.start([{}, {}]);
    [here, there] = [instances.at(0), instances.at(1)];
    admin = instances.redis.client();
  });

  afterAll(async () => {
    admin.disconnect();
    await instances.stop();
  });

  test('its scripts, again and again: no request fails', async () => {
    const tenant = await here.tenant();
    const stop = new AbortController();
    const flushed = { times: 0 };
    const flushing = (async () => {
      while (!stop.signal.aborted) {
        await admin.script('FLUSH');
        flushed.times++;
        await new Promise((resolve) => setTimeout(resolve, 2));
      }
    })();
    const statuses: number[] = [];
    const client = async (service: TestService): Promise<void> => {
      for (let round = 0; round < 15 || flushed.times < 20; round++) {
        const tokens = await service.createSession(tenant);
        const refreshed = await service.refresh(tenant, tokens.refresh_token);
        statuses.push(
          refreshed.status,
          (await service.validate(tenant, refreshed.body.access_token, 'store')).status,
          (await service.revoke(tenant, tokens.access_token)).status,
        );
      }
    };
    await Promise.all([here, there, here, there].map(client));
    stop.abort();
    await flushing;
    expect(new Set(statuses)).toEqual(new Set([200, 204]));
  });

  test('its place in the feed to entries of others: they are skipped, counted and logged, and the rest arrives', async () => {
    const logged: unknown[] = [];
    const note = (message: unknown): void => void logged.push(message);
    Logger.overrideLogger({ log: note, warn: note, error: note });
    const tenant = await here.tenant();
    const tokens = await here.createSession(tenant);
    const sid = tokens.session_id;
    const json = (value: unknown): string => JSON.stringify(value);
    const shapes: string[][] = [
      ['x', 'y'],
      ['n', '', 'c', ''],
      ['n', 'many', 'c', '{"kind":'],
      [
        'c',
        json({ kind: 'session_revoked', tenantId: tenant.tenantId, id: sid, expiresAtMs: 1e15 }),
        'n',
        '1',
      ],
      ['n', 'x', 'c', 'null'],
      ['n', 'x', 'c', '[]'],
      ['n', 'x', 'c', json({ kind: 'coup', tenantId: tenant.tenantId })],
      ['n', 'x', 'c', json({ kind: 'session_revoked', tenantId: '../..', id: sid, expiresAtMs: 1e15 })],
      ['n', 'x', 'c', json({ kind: 'session_revoked', tenantId: tenant.tenantId, id: 7, expiresAtMs: 1e15 })],
      [
        'n',
        'x',
        'c',
        json({ kind: 'session_revoked', tenantId: tenant.tenantId, id: sid, expiresAtMs: 'soon' }),
      ],
      ['n', 'x', 'c', json({ kind: 'api_key_changed', tenantId: tenant.tenantId, keyId: '__proto__' })],
      ['n', 'x', 'c', 'z'.repeat(3_000_000)],
      ['n', '999999', 'c', json({ kind: 'coup', tenantId: tenant.tenantId })],
    ];
    const before = await counter(here, MALFORMED);
    const resyncs = await counter(here, RESYNCS);
    for (const fields of shapes) await admin.xadd(STREAM, '*', ...fields);

    // Both instances count into one registry here. The forged number makes each of them read everything once, and
    // meet the entries again; nothing makes them do it twice.
    const settled = resyncs + 2;
    await eventually(
      () => counter(here, RESYNCS),
      (count) => count >= settled,
    );
    expect(await counter(here, MALFORMED)).toBeGreaterThanOrEqual(before + 2 * shapes.length);
    expect((await there.validate(tenant, tokens.access_token)).status).toBe(200);
    for (let round = 0; round < 3; round++) {
      const next = await here.createSession(tenant);
      await here.revoke(tenant, next.access_token);
      await eventually(
        () => there.validate(tenant, next.access_token),
        ({ status }) => status === 401,
      );
    }
    expect(await counter(here, RESYNCS)).toBe(settled);
    expect(logged).toContainEqual(expect.objectContaining({ event: 'feed_entry_malformed' }));
    expect(JSON.stringify(logged)).not.toContain('zzzz');
    Logger.overrideLogger(false);
  });

  test('everything: sessions are invalid, API keys stop working, and revocations are announced again', async () => {
    const tenant = await here.tenant();
    const [alive, ...doomed] = await Promise.all(
      Array.from({ length: 6 }, (_, at) => here.createSession(tenant, { user_id: `user-${at}` })),
    );
    if (!alive) throw new Error('no session');
    for (const { access_token } of doomed) await here.revoke(tenant, access_token);
    expect((await there.validate(tenant, alive.access_token)).status).toBe(200);
    const resyncs = await counter(here, RESYNCS);

    await admin.flushall();

    const announced = async (): Promise<string> => JSON.stringify(await admin.xrange(STREAM, '-', '+'));
    await eventually(announced, (text) => doomed.every(({ session_id }) => text.includes(session_id)));
    for (const { session_id } of doomed) {
      expect(await admin.keys(`tenant:{${tenant.tenantId}:*}:revoked:${session_id}`)).toHaveLength(1);
    }
    expect(await counter(here, RESYNCS)).toBeGreaterThan(resyncs);
    for (const service of [here, there]) {
      await eventually(
        () => service.validate(tenant, alive.access_token),
        ({ status, body }) => status === 401 && body['error'] === 'unauthorized',
      );
      expect(await service.refresh(tenant, alive.refresh_token)).toMatchObject({ status: 401 });
    }

    // Whoever makes the tenant anew gets a new one: nothing of the old is accepted.
    const again = await here.asPlatform('POST', '/tenants', { tenant_id: tenant.tenantId });
    const reborn = { tenantId: tenant.tenantId, apiKey: String(again.body['api_key']) };
    for (const service of [here, there]) {
      for (const check of ['replica', 'store', 'skip']) {
        for (const { access_token } of [alive, ...doomed]) {
          const { status, body } = await service.validate(reborn, access_token, check);
          expect({ status, valid: body['valid'] }).toEqual({ status: 401, valid: false });
        }
      }
      expect((await service.validate(tenant, alive.access_token)).status).toBe(401);
    }
    expect((await there.validate(reborn, (await here.createSession(reborn)).access_token)).status).toBe(200);
  });
});
