/** Three instances, one Redis, one clock: a limit is one limit, and an outage of the store lifts it only by so much. */
import { afterAll, beforeAll, describe, expect, test } from '@jest/globals';
import { RateLimiter } from '../../src/tenants/rate-limiter.js';
import { Instances } from '../outages/instances.js';
import { eventually } from '../support/eventually.js';
import type { TestService, TestTenant, Tokens } from '../support/test-service.js';

const PER_SECOND = 20;
const BURST = 2 * PER_SECOND;

let instances: Instances;
beforeAll(async () => {
  instances = await Instances.start([{}, {}, {}]);
}, 60_000);
afterAll(() => instances.stop());

const limiters = (): RateLimiter[] =>
  instances.services.map(({ app }) => app.get(RateLimiter, { strict: false }));

interface Limited {
  readonly tenant: TestTenant;
  readonly session: Tokens;
}

/** A tenant whose sessions were made before it was limited. */
async function limited(): Promise<Limited> {
  const tenant = await instances.at(0).tenant();
  const session = await instances.at(0).createSession(tenant);
  const settings = { rate_limit_per_second: PER_SECOND };
  await instances.at(0).asPlatform('PATCH', `/tenants/${tenant.tenantId}`, settings);
  const flood = { tenant, session };
  for (const service of instances.services) {
    await eventually(
      () => remaining(service, flood),
      (left) => left !== null,
    );
  }
  await settle();
  instances.clock.advanceSeconds(60);
  return flood;
}

/** Every instance has told and heard everything. */
async function settle(): Promise<void> {
  for (let round = 0; round < 2; round++) {
    for (const limiter of limiters()) await limiter.reconcile();
  }
}

async function remaining(service: TestService, { tenant, session }: Limited): Promise<number | null> {
  const { headers } = await service.validate(tenant, session.access_token);
  const left = /;r=(\d+)/.exec(headers.get('ratelimit') ?? '')?.[1];
  return left === undefined ? null : Number(left);
}

/** @returns how many of so many validations are let through */
async function admitted(
  service: TestService,
  requests: number,
  { tenant, session }: Limited,
): Promise<number> {
  let count = 0;
  for (let n = 0; n < requests; n++) {
    const { status } = await service.validate(tenant, session.access_token);
    if (status === 200) count++;
    else expect(status).toBe(429);
  }
  return count;
}

const sum = (numbers: readonly number[]): number => numbers.reduce((total, number) => total + number, 0);

describe('three instances', () => {
  test('hear of each other by themselves: what one has let through, no other does again', async () => {
    const flood = await limited();
    expect(await admitted(instances.at(0), BURST + 5, flood)).toBe(BURST);
    // Meanwhile the other may let some through: as many as it asks for until it hears.
    for (const other of [instances.at(1), instances.at(2)]) {
      await eventually(
        () => remaining(other, flood),
        (left) => left === 0,
      );
    }
    await settle();
    expect(await admitted(instances.at(0), 5, flood)).toBe(0);
  });

  test('let through a burst each at the very most, and pay for it afterwards', async () => {
    const flood = await limited();
    const first = await Promise.all(instances.services.map((service) => admitted(service, 2 * BURST, flood)));
    expect(sum(first)).toBeGreaterThanOrEqual(BURST);
    expect(sum(first)).toBeLessThanOrEqual(3 * BURST);
    await settle();
    // What was too much is owed: in all it is the burst and the rate, and what others may do in one round.
    let later = 0;
    for (let second = 0; second < 10; second++) {
      instances.clock.advanceSeconds(1);
      await settle();
      for (const service of instances.services) {
        later += await admitted(service, PER_SECOND + 5, flood);
        await settle();
      }
    }
    expect(sum(first) + later).toBeLessThanOrEqual(BURST + 10 * PER_SECOND + 2 * PER_SECOND);
    expect(sum(first) + later).toBeGreaterThanOrEqual(BURST + 9 * PER_SECOND);
  }, 120_000);

  test('all get some of what the bucket gains when all are flooded', async () => {
    const flood = await limited();
    const asked = [100, 50, 50];
    const floods = async (): Promise<number[]> => {
      const counts: number[] = [];
      for (const [at, service] of instances.services.entries()) {
        counts.push(await admitted(service, asked[at] ?? 0, flood));
      }
      await settle();
      return counts;
    };
    await floods();
    instances.clock.advanceSeconds(3); // what was overdrawn is repaid
    await floods();
    const rounds: number[][] = [];
    for (let round = 0; round < 10; round++) {
      instances.clock.advanceSeconds(1);
      rounds.push(await floods());
    }
    const counts = [0, 1, 2].map((at) => sum(rounds.map((round) => round[at] ?? 0)));
    // Each by itself they would let through three times the rate.
    expect(sum(counts)).toBeLessThan(20 * PER_SECOND);
    for (const count of counts) expect(count).toBeGreaterThan(0);
  }, 120_000);

  test('limit each by itself while Redis is out, and nobody pays for that afterwards', async () => {
    const flood = await limited();
    await settle();
    instances.redis.signal('SIGSTOP');
    try {
      const counts = [];
      for (const service of instances.services) counts.push(await admitted(service, BURST + 5, flood));
      for (const count of counts) expect(count).toBe(BURST);
      for (let second = 0; second < 10; second++) {
        // Rounds that fail; what was counted is not kept for later.
        await Promise.all(limiters().map((limiter) => limiter.reconcile()));
        instances.clock.advanceSeconds(1);
        for (const service of instances.services) {
          expect(await admitted(service, PER_SECOND + 5, flood)).toBe(PER_SECOND);
        }
      }
    } finally {
      instances.redis.signal('SIGCONT');
    }
    await eventually(
      () => instances.at(0).call('GET', '/health/ready'),
      ({ status }) => status === 200,
    );
    // All of it would be a debt of half a minute; the first of it, which Redis had before it hung, may be.
    instances.clock.advanceSeconds(12);
    const after = [];
    for (const service of instances.services) after.push(await admitted(service, 5, flood));
    expect(after).toEqual([5, 5, 5]);
  }, 60_000);
});
