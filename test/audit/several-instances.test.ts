/** Several instances write to the same chains: one order, no gap, nothing twice, whatever the store does meanwhile. */
import { afterEach, beforeEach, describe, expect, test } from '@jest/globals';
import { eventually } from '../support/eventually.js';
import { RedisServer } from '../support/redis-server.js';
import { TestService, type TestTenant } from '../support/test-service.js';
import { TurnableClock } from '../support/turnable-clock.js';
import { entriesOf, signed, verificationOf } from './audit-calls.js';

const SESSIONS_EACH = 40;

describe('three instances on one Redis', () => {
  let redis: RedisServer;
  let instances: TestService[];

  beforeEach(async () => {
    redis = await RedisServer.start();
    const clock = new TurnableClock();
    const env = { STORE_URL: redis.url, AUDIT_CHECKPOINT_ENTRIES: '20', REDIS_COMMAND_TIMEOUT_MS: '2000' };
    instances = await Promise.all([1, 2, 3].map(() => TestService.start(env, clock)));
  });
  afterEach(async () => {
    redis.signal('SIGCONT');
    for (const instance of instances) await instance.stop();
    await redis.stop();
  });

  const createMany = async (on: TestService, acme: TestTenant, name: string): Promise<string[]> => {
    const ids: string[] = [];
    for (let n = 0; n < SESSIONS_EACH; n++) {
      ids.push((await on.createSession(acme, { user_id: `${name}-${n}` })).session_id);
    }
    return ids;
  };

  test('write one unbroken chain with every entry once, signed on the way', async () => {
    const [one] = instances;
    const acme = await one!.tenant();
    const created = await Promise.all(
      instances.map((instance, n) => createMany(instance, acme, `user-${n}`)),
    );
    for (const instance of instances) await entriesOf(instance, acme); // has its own written
    await signed(one!, acme);
    const entries = await entriesOf(one!, acme);
    expect(entries.map(({ seq }) => seq)).toEqual(entries.map((_, at) => entries.length - at));
    const sessions = entries
      .filter(({ action }) => action === 'session_created')
      .map(({ session_id }) => session_id ?? '');
    expect(sessions.toSorted()).toEqual(created.flat().toSorted());
    for (const instance of instances) {
      expect(await verificationOf(instance, acme)).toMatchObject({ intact: true, through: entries.length });
    }
  });

  test('lose nothing while Redis is silent: entries wait, requests from memory go on, then all is written', async () => {
    const [one, two] = instances;
    const acme = await one!.tenant();
    const { access_token } = await one!.createSession(acme);
    expect((await two!.validate(acme, access_token)).status).toBe(200);
    await Promise.all(instances.slice(0, 2).map((instance) => entriesOf(instance, acme)));
    redis.signal('SIGSTOP');
    for (let n = 0; n < 3; n++) {
      // A new minute for each: otherwise they are counted as one.
      for (const instance of [one!, two!]) {
        expect((await instance.call('GET', '/tenants', { apiKey: acme.apiKey })).status).toBe(403);
        expect((await instance.validate(acme, access_token)).status).toBe(200);
      }
      one!.clock.advanceSeconds(61);
    }
    expect(await metric(one!, 'audit_queue_entries')).toBe(3);
    redis.signal('SIGCONT');
    // Whoever is asked has its own written first.
    await eventually(async () => {
      const answer = await one!.call('GET', `/tenants/${acme.tenantId}/audit`, { apiKey: acme.apiKey });
      return answer.status === 200;
    });
    expect(await entriesOf(two!, acme, '&action=request_refused')).toHaveLength(6);
    expect(await verificationOf(one!, acme)).toMatchObject({ intact: true });
  });

  test('notice what a Redis that came back empty has lost', async () => {
    const [one] = instances;
    const acme = await one!.tenant();
    await entriesOf(one!, acme);
    const client = redis.client();
    await client.del(`tenant:{${acme.tenantId}}:audit`, `tenant:{${acme.tenantId}}:audit-state`);
    client.disconnect();
    await one!.createSession(acme);
    expect((await entriesOf(one!, acme)).map(({ action }) => action)).toEqual([
      'session_created',
      'audit_lost',
    ]);
  });
});

describe('more entries than may wait', () => {
  let redis: RedisServer;
  let service: TestService;
  let acme: TestTenant;
  /** Instances of one process count together. */
  let droppedBefore: number;

  const start = async (whenFull: string): Promise<void> => {
    redis = await RedisServer.start();
    service = await TestService.start({
      STORE_URL: redis.url,
      AUDIT_QUEUE_MAX_ENTRIES: '2',
      AUDIT_WHEN_FULL: whenFull,
      REDIS_COMMAND_TIMEOUT_MS: '2000',
    });
    acme = await service.tenant();
    await service.createSession(acme);
    await entriesOf(service, acme);
    droppedBefore = await metric(service, 'audit_entries_total', 'dropped');
    redis.signal('SIGSTOP');
    for (let n = 0; n < 4; n++) {
      expect((await service.call('GET', '/tenants', { apiKey: acme.apiKey })).status).toBe(403);
      service.clock.advanceSeconds(61);
    }
  };
  afterEach(async () => {
    redis.signal('SIGCONT');
    await service.stop();
    await redis.stop();
  });

  const create = () =>
    service.call('POST', '/sessions', {
      apiKey: acme.apiKey,
      body: { tenant_id: acme.tenantId, user_id: 'alice', scope: '' },
    });

  test('refuse changes while they wait, drop refusals, and let changes through again afterwards', async () => {
    await start('refuse');
    const refused = await create();
    expect([refused.status, refused.body['error']]).toEqual([503, 'store_unavailable']);
    expect(refused.body['error_description']).toBe('The audit cannot take this change now; try again.');
    expect(refused.headers.get('retry-after')).toBe('1');
    expect(await metric(service, 'audit_entries_total', 'dropped')).toBe(droppedBefore + 2);
    redis.signal('SIGCONT');
    await eventually(async () => (await create()).status === 201);
    expect(await entriesOf(service, acme, '&action=request_refused')).toHaveLength(2);
    expect(await verificationOf(service, acme)).toMatchObject({ intact: true });
  });

  test('are dropped and counted where that was chosen, and refuse no change', async () => {
    await start('drop');
    const during = await create();
    expect(during.body['error_description']).not.toContain('audit');
    expect(await metric(service, 'audit_entries_total', 'dropped')).toBe(droppedBefore + 2);
    redis.signal('SIGCONT');
    await eventually(async () => (await create()).status === 201);
    expect(await verificationOf(service, acme)).toMatchObject({ intact: true });
  });
});

async function metric(service: TestService, name: string, outcome?: string): Promise<number> {
  const { body } = await service.call<string>('GET', '/metrics');
  const labels = outcome === undefined ? '' : `\\{outcome="${outcome}"\\}`;
  return Number(new RegExp(`^${name}${labels} (\\S+)$`, 'm').exec(body)?.[1]);
}
