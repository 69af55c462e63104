// The work that nobody can leave out, each alone: one RSA signature, one verification, one round trip to Redis; and one
// request at a time, which shows what a check adds to a request that waits for nothing else.
import { closedLoop } from '../load/closed-loop.mjs';
import { median } from '../load/latencies.mjs';
import { wakeUp } from './wake-up.mjs';

export async function measureFloor(servers, cases, redis, plan, say) {
  say('signatures, round trips, one request at a time');
  const rsa = [];
  const trips = [];
  const alone = { bare: [], asked: [], skip: [], store: [] };
  for (let round = 0; round < plan.rounds; round++) {
    await servers.letRun(null);
    rsa.push(await servers.run('rsa-loop', [plan.loopSeconds]));
    trips.push(await servers.run('redis-round-trip', [plan.loopSeconds], { REDIS_URL: redis.url }));
    for (const name of Object.keys(alone)) alone[name].push(await p50Alone(servers, cases, name, plan));
  }
  return {
    verifyPerSecond: median(rsa.map((run) => run.verifyPerSecond)),
    signPerSecond: median(rsa.map((run) => run.signPerSecond)),
    redisRoundTripMs: median(trips.map((run) => run.p50Ms)),
    /** What a check, and what one question adds: differences within a round. */
    storeAddsMs: median(alone.store.map((ms, round) => ms - alone.skip[round])),
    questionAddsMs: median(alone.asked.map((ms, round) => ms - alone.bare[round])),
  };
}

const CEILINGS = { bare: 'bare/validate', asked: 'bare/validate/asked' };

async function p50Alone(servers, cases, name, plan) {
  const wanted = CEILINGS[name] ?? `service-redis/validate/${name}`;
  const one = cases.find(({ id }) => id === wanted);
  await wakeUp(servers, one, plan);
  const { loopSeconds: seconds } = plan;
  // Where there are two cores Redis has the generator's, and with one request under way it must have it at once.
  const load = { port: one.port, traffic: one.traffic, connections: 1, spins: false };
  const run = await closedLoop({ ...load, warmUpSeconds: 0.1, seconds });
  return run.latencies.p50;
}
