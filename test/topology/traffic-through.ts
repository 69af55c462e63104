/** Two instances under traffic while something happens to their Redis, and what came of it. */
import { expect } from '@jest/globals';
import type { Environment } from '../../src/config.js';
import {
  countAccepted,
  MixedTraffic,
  report,
  RunningClock,
  type TrafficFigures,
} from '../support/mixed-traffic.js';
import { IN_TIME_MS, SOON_OUT, TestService } from '../support/test-service.js';

const USERS = 16;

export interface Disturbance {
  readonly name: string;
  readonly waitReplicas: number;
  readonly happens: () => Promise<void>;
  /** Where nothing is out at any time, a busy machine must not look like it. */
  readonly bounds?: Environment;
}

/** `accepted`: how many of the acknowledged revocations some instance, one that starts afterwards too, knows nothing of. */
export type Outcome = TrafficFigures & { readonly accepted: number };

export async function trafficThrough(
  storeUrl: string,
  { name, waitReplicas, happens, bounds = SOON_OUT }: Disturbance,
): Promise<Outcome> {
  const env = { ...bounds, STORE_URL: storeUrl, REDIS_WAIT_REPLICAS: String(waitReplicas) };
  const start = () => TestService.start(env, new RunningClock());
  const services = [await start(), await start()] as const;
  try {
    const tenant = await services[0].tenant();
    const traffic = new MixedTraffic(services, tenant);
    const disturbed = traffic.around(USERS, happens);
    // Also when it fails: traffic that goes on would outlive the test.
    const [disturbance] = await Promise.allSettled([disturbed]);
    const figures = await traffic.stop();
    if (disturbance.status === 'rejected') throw disturbance.reason;
    const fresh = await start();
    const accepted = await countAccepted([...services, fresh], tenant, figures.revoked);
    await fresh.stop();
    console.log(report(`${name}, REDIS_WAIT_REPLICAS=${waitReplicas}`, figures, accepted));
    return { ...figures, accepted };
  } finally {
    await Promise.all(services.map((service) => service.stop()));
  }
}

/** Each of these is about a session, or a token of it, that the new master never heard of. */
const NEVER_HEARD_OF = /: 401 (refresh_token_not_found|invalid_token|refresh_token_reused|token_revoked)$/;

/**
 * A killed master takes with it what it had acknowledged and not yet sent to a replica, where nobody waited for one.
 * That is what happened in its last moment: of each user one session at most.
 */
export function expectHarmOfTheLastMomentAtMost(outcome: Outcome): void {
  expectNothingButLost(outcome);
  expect(outcome.wronglyLoggedOut).toBeLessThanOrEqual(USERS);
}

/** What the old master took after the new one began is lost; everything else is as it should be. */
export function expectNothingButLost(outcome: Outcome): void {
  expect(outcome.inexcusable.filter((kind) => !NEVER_HEARD_OF.test(kind))).toEqual([]);
  expect(outcome.slowestRequestMs).toBeLessThan(IN_TIME_MS);
}

/** Requests may have failed and been repeated; nobody noticed more than that. */
export function expectNobodyHarmed(outcome: Outcome): void {
  expect(outcome.inexcusable).toEqual([]);
  expect(outcome.wronglyLoggedOut).toBe(0);
  expect(outcome.accepted).toBe(0);
  expect(outcome.slowestRequestMs).toBeLessThan(IN_TIME_MS);
}
