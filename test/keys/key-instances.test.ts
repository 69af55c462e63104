/** Three instances on one Redis: keys come and go under traffic, and no good token is refused. */
import { afterAll, beforeAll, beforeEach, describe, expect, test } from '@jest/globals';
import type { Redis } from 'ioredis';
import { Envelope } from '../../src/keys/envelope.js';
import { KeyFactory } from '../../src/keys/key-factory.js';
import { KeyRotation } from '../../src/keys/key-rotation.js';
import { KeyRingStore, publishNext, PUBLISH_LEAD_MS, type KeyRing } from '../../src/keys/key-ring.js';
import { tenantKeys } from '../../src/storage/redis/redis-keys.js';
import { Random } from '../contract/random.js';
import { eventually } from '../support/eventually.js';
import { encode, partsOf } from '../e2e/token-parts.js';
import { RedisMonitor } from '../support/redis-monitor.js';
import { RedisServer } from '../support/redis-server.js';
import { SOON_OUT, TestService, type TestTenant, type Tokens } from '../support/test-service.js';
import { TurnableClock } from '../support/turnable-clock.js';
import { activeKid, fetchJwks, kidOf, kill, listKeys, rotate, statesOf, verifyWith } from './key-calls.js';

const LEASE = 'lease:key-rotation';
const LEASE_MS = 1_800_000;
const HOUR_SECONDS = 3600;

let redis: RedisServer;
let client: Redis;
let clock: TurnableClock;
let instances: TestService[];
let acme: TestTenant;

/** Its own passes of rotation come at a random moment: here they are made by hand. */
async function startInstance(): Promise<TestService> {
  const service = await TestService.start({ STORE_URL: redis.url, KEY_ROTATION_DAYS: '1' }, clock);
  clearTimeout(service.app.get(KeyRotation)['timer']);
  return service;
}

const instance = (at: number): TestService => instances[at % instances.length] as TestService;

beforeAll(async () => {
  redis = await RedisServer.start();
  client = redis.client();
  clock = new TurnableClock(Math.ceil(Date.now() / 1000) * 1000);
  instances = await Promise.all([1, 2, 3].map(startInstance));
});

afterAll(async () => {
  await Promise.all(instances.map((service) => service.stop()));
  client.disconnect();
  await redis.stop();
});

beforeEach(async () => {
  acme = await instance(0).tenant({ access_token_ttl_seconds: 86_400 });
});

/** As an instance does whose announcement is late: the store has the new key, and nobody was told. */
async function publishSilently(tenant: TestTenant): Promise<void> {
  const { app } = instance(0);
  const ring = (await app.get(KeyRingStore).find(tenant.tenantId)) as KeyRing;
  const dataKey = await app.get(Envelope).openDataKey(ring.wrappedDataKey, tenant.tenantId);
  const nowMs = clock.nowMs();
  const fresh = await app.get(KeyFactory).make(dataKey, 2048, 'acme');
  await app.get(KeyRingStore).replace(publishNext(ring, fresh, { activatesAtMs: nowMs, nowMs }));
}

/** A token whose signature nobody made, under a kid that nobody published. */
function withKid(token: string, kid: string): string {
  const [, payload, signature] = token.split('.');
  return [encode({ ...partsOf(token).header, kid }), payload, signature].join('.');
}

describe('a key that another instance made a moment ago', () => {
  test('is fetched: its first token is good everywhere at once', async () => {
    for (let round = 0; round < 6; round++) {
      const [here, ...others] = [instance(round), instance(round + 1), instance(round + 2)];
      expect((await rotate(here, acme, '?now=true')).status).toBe(200);
      const { access_token: token } = await here.createSession(acme);
      const answers = await Promise.all(others.map((other) => other.validate(acme, token)));
      expect(answers.map(({ status }) => status)).toEqual([200, 200]);
    }
  });

  test('is fetched although the news of it has not arrived, as often as that happens', async () => {
    const here = instance(0);
    await here.createSession(acme);
    for (let round = 0; round < 3; round++) {
      await publishSilently(acme);
      const other = await startInstance();
      const { access_token: token } = await other.createSession(acme);
      const answers = await Promise.all(instances.map((each) => each.validate(acme, token)));
      expect(answers.map(({ status }) => status)).toEqual([200, 200, 200]);
      await other.stop();
    }
  });

  test('is in the key set of the instance that made it at once, and in all others when the news has come', async () => {
    await rotate(instance(0), acme, '?now=true');
    const { access_token: token } = await instance(0).createSession(acme);
    await verifyWith((await fetchJwks(instance(0), acme)).body, token, clock.nowMs());
    for (const other of [instance(1), instance(2)]) {
      const knows = async () =>
        (await fetchJwks(other, acme)).body.keys.some(({ kid }) => kid === kidOf(token));
      await eventually(knows);
    }
  });

  test('and killed is refused everywhere when the news has come, and by whoever killed it at once', async () => {
    const tokens = await instance(0).createSession(acme);
    for (const each of instances) await each.validate(acme, tokens.access_token);
    await kill(instance(0), acme, kidOf(tokens.access_token));
    expect(await instance(0).validate(acme, tokens.access_token)).toMatchObject({
      status: 401,
      body: { error: 'token_revoked' },
    });
    for (const other of [instance(1), instance(2)]) {
      const refused = async () => {
        const { status, body } = await other.validate(acme, tokens.access_token, 'skip');
        return status === 401 && body['error'] === 'token_revoked';
      };
      await eventually(refused);
      expect((await other.refresh(acme, tokens.refresh_token)).status).toBe(200);
    }
  });
});

describe('an invented kid', () => {
  test('costs the store about ten reads a second, however many come', async () => {
    const here = instance(0);
    const { access_token: token } = await here.createSession(acme);
    await here.validate(acme, token);
    const monitor = await RedisMonitor.of(redis);
    const startedAt = performance.now();
    const flood = async (seed: number): Promise<void> => {
      for (let n = 0; performance.now() - startedAt < 1500; n++) {
        const answer = await here.validate(acme, withKid(token, `invented-${seed}-${n}`));
        expect(answer).toMatchObject({ status: 401, body: { error: 'invalid_signature' } });
      }
    };
    await Promise.all(Array.from({ length: 20 }, (_, seed) => flood(seed)));
    const seconds = (performance.now() - startedAt) / 1000;
    const reads = (await monitor.end()).count('hget', tenantKeys(acme.tenantId).keyRing);
    expect(reads).toBeGreaterThan(1);
    expect(reads).toBeLessThanOrEqual(10 * seconds + 5);
  });

  test('makes nobody wait who has a good token', async () => {
    const here = instance(0);
    const { access_token: token } = await here.createSession(acme);
    await here.validate(acme, token);
    redis.signal('SIGSTOP');
    let answered = 0;
    const invented = Promise.all(
      Array.from({ length: 20 }, (_, n) =>
        here.validate(acme, withKid(token, `stuck-${n}`)).finally(() => answered++),
      ),
    );
    try {
      for (let n = 0; n < 20; n++) expect((await here.validate(acme, token)).status).toBe(200);
      expect(answered).toBe(0);
    } finally {
      redis.signal('SIGCONT');
    }
    for (const answer of await invented) {
      expect(answer).toMatchObject({ status: 401, body: { error: 'invalid_signature' } });
    }
  });
});

describe('under traffic', () => {
  const ROUNDS = 12;
  const WORKERS = 6;

  test('no good token is ever refused while keys rotate, now or later, and are killed', async () => {
    const traffic = new Traffic(acme);
    const workers = Array.from({ length: WORKERS }, (_, seed) => traffic.work(new Random(seed + 1)));
    const random = new Random(99);
    try {
      for (let round = 0; round < ROUNDS; round++) {
        const here = instance(random.below(3));
        if (round % 3 === 0) expect((await rotate(here, acme, '?now=true')).status).toBe(200);
        if (round % 3 === 1) {
          expect((await rotate(here, acme)).status).toBe(200);
          clock.advanceSeconds(PUBLISH_LEAD_MS / 2000);
          await traffic.untilMore(20);
          clock.advanceSeconds(PUBLISH_LEAD_MS / 2000);
        }
        if (round % 3 === 2) {
          const states = Object.entries(await statesOf(here, acme));
          const wanted = round % 2 === 0 ? 'active' : 'retired';
          const [kid = ''] = states.find(([, state]) => state === wanted) ?? [];
          traffic.dying.add(kid);
          expect((await kill(instance(random.below(3)), acme, kid)).status).toBe(204);
        }
        await traffic.untilMore(40);
      }
    } finally {
      traffic.stop();
    }
    await Promise.all(workers);
    expect(traffic.done).toBeGreaterThan(ROUNDS * 40);
    expect(traffic.kids.size).toBeGreaterThan(6);
    expect(traffic.refusedAsRevoked).toBeGreaterThan(0);
    expect(traffic.dying.size).toBe(4);
  });
});

/** Clients that create, validate, refresh and verify by themselves, each call on any instance. */
class Traffic {
  /** Kids whose killing has begun: of their tokens nothing is promised. */
  readonly dying = new Set<string>();
  readonly kids = new Set<string>();
  done = 0;
  refusedAsRevoked = 0;
  private stopped = false;
  private failure: Error | undefined;

  constructor(private readonly tenant: TestTenant) {}

  stop(): void {
    this.stopped = true;
  }

  async untilMore(operations: number): Promise<void> {
    const wanted = this.done + operations;
    await eventually(() => this.failure !== undefined || this.done >= wanted);
    if (this.failure) throw this.failure;
  }

  async work(random: Random): Promise<void> {
    const sessions: Tokens[] = [];
    try {
      while (!this.stopped) {
        await this.once(random, sessions);
        this.done++;
      }
    } catch (error) {
      this.failure = error as Error;
      throw error;
    }
  }

  private async once(random: Random, sessions: Tokens[]): Promise<void> {
    const here = instance(random.below(3));
    const at = random.below(Math.max(sessions.length, 1));
    const known = sessions[at];
    const doing = random.below(10);
    if (!known || doing < 2) {
      const created = await here.createSession(this.tenant, { user_id: `user-${random.below(1e6)}` });
      sessions.push(created);
      await this.check(here, created.access_token, doing === 0);
    } else if (doing < 4) {
      const { status, body } = await here.refresh(this.tenant, known.refresh_token);
      expect({ status, body }).toMatchObject({ status: 200 });
      sessions[at] = body;
      await this.check(instance(random.below(3)), body.access_token, false);
    } else {
      await this.check(here, known.access_token, false);
    }
  }

  /** @param locally also with the key set of this instance, which has just signed it */
  private async check(here: TestService, token: string, locally: boolean): Promise<void> {
    const kid = kidOf(token);
    this.kids.add(kid);
    if (locally) {
      const keySet = (await fetchJwks(here, this.tenant)).body;
      const verdict = await verifyWith(keySet, token, clock.nowMs()).catch((error: Error) => error);
      if (!this.dying.has(kid)) expect(verdict).toBeUndefined();
    }
    const { status, body } = await here.validate(this.tenant, token);
    if (status === 200) return;
    expect({ body, dying: this.dying.has(kid) }).toMatchObject({
      dying: true,
      body: { error: 'token_revoked' },
    });
    this.refusedAsRevoked++;
  }
}

describe('automatic rotation', () => {
  const pass = (service: TestService): Promise<string[]> => service.app.get(KeyRotation).pass();

  beforeEach(async () => {
    await client.del(LEASE);
  });

  test('does nothing before its time', async () => {
    expect(await pass(instance(0))).not.toContain(acme.tenantId);
    expect(Object.values(await statesOf(instance(0), acme))).toEqual(['active']);
  });

  test('is done by one of the instances, for every tenant, well before the key has served its time', async () => {
    const globex = await instance(1).tenant();
    const first = await activeKid(instance(0), acme);
    const servesUntil = clock.nowMs() / 1000 + 24 * HOUR_SECONDS;
    clock.advanceSeconds(12 * HOUR_SECONDS);
    const rotated = await Promise.all(instances.map(pass));
    expect(rotated.filter((tenantIds) => tenantIds.length > 0)).toHaveLength(1);
    expect(rotated.flat()).toEqual(expect.arrayContaining([acme.tenantId, globex.tenantId]));
    const { body } = await listKeys(instance(0), acme);
    expect(body.keys).toMatchObject([
      { kid: first, state: 'active', retires_at: servesUntil },
      { state: 'next', activates_at: servesUntil },
    ]);
    await client.del(LEASE);
    expect((await Promise.all(instances.map(pass))).flat()).not.toContain(acme.tenantId);

    const { access_token: old } = await instance(1).createSession(acme);
    clock.advanceSeconds(12 * HOUR_SECONDS);
    const knowsIt = async () => (await activeKid(instance(2), acme)) !== first;
    await eventually(knowsIt);
    const { access_token: young } = await instance(2).createSession(acme);
    expect([kidOf(old), kidOf(young)]).toEqual([first, body.keys[1]?.kid]);
    for (const each of instances) {
      for (const token of [old, young]) expect((await each.validate(acme, token)).status).toBe(200);
    }
  });

  test('left by an instance that died is taken up by another within half an hour', async () => {
    const doomed = await startInstance();
    clock.advanceSeconds(13 * HOUR_SECONDS);
    expect(await pass(doomed)).toContain(acme.tenantId);
    await doomed.stop();
    clock.advanceSeconds(26 * HOUR_SECONDS);
    expect(await pass(instance(0))).toEqual([]);
    const leftMs = await client.pttl(LEASE);
    expect(leftMs).toBeGreaterThan(0);
    expect(leftMs).toBeLessThanOrEqual(LEASE_MS);
    await client.pexpire(LEASE, 1);
    const rotated = await eventually(
      () => pass(instance(0)),
      (tenantIds) => tenantIds.length > 0,
    );
    expect(rotated).toContain(acme.tenantId);
  });

  test("passes over a tenant's trouble to the others", async () => {
    const store = instance(0).app.get(KeyRingStore);
    const ring = (await store.find(acme.tenantId)) as KeyRing;
    const globex = await instance(0).tenant();
    const other = (await store.find(globex.tenantId)) as KeyRing;
    await store.replace({ ...ring, wrappedDataKey: other.wrappedDataKey, version: ring.version + 1 });
    clock.advanceSeconds(13 * HOUR_SECONDS);
    const rotated = await pass(instance(0));
    expect(rotated).toContain(globex.tenantId);
    expect(rotated).not.toContain(acme.tenantId);
    expect((await store.find(acme.tenantId))?.signingKeys).toEqual(ring.signingKeys);
  });
});

test('an invented kid during an outage is answered as an outage, and takes no key from good tokens', async () => {
  const server = await RedisServer.start();
  const here = await TestService.start({ ...SOON_OUT, STORE_URL: server.url });
  const tenant = await here.tenant();
  const { access_token: token } = await here.createSession(tenant);
  expect((await here.validate(tenant, token)).status).toBe(200);
  server.signal('SIGSTOP');
  try {
    for (let n = 0; n < 3; n++) {
      expect(await here.validate(tenant, withKid(token, 'invented'), 'skip')).toMatchObject({
        status: 503,
        body: { error: 'store_unavailable', action: 'retry' },
      });
      expect((await here.validate(tenant, token, 'skip')).status).toBe(200);
    }
  } finally {
    server.signal('SIGCONT');
    await here.stop();
    await server.stop();
  }
});
