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

/** Requests may have failed and been repeated; nobody noticed more than that. */
export function expectNobodyHarmed(outcome: Outcome): void {
  expect(outcome.inexcusable).toEqual([]);
  expect(outcome.wronglyLoggedOut).toBe(0);
  expect(outcome.accepted).toBe(0);
  expect(outcome.slowestRequestMs).toBeLessThan(IN_TIME_MS);
}
