// The goals, as ratios within one run: what was measured, what was wanted, and whether it holds.
import { pairedRatio } from './measure/throughput.mjs';

const REPLICA = 'service-redis/validate/replica';
/** p99 in milliseconds at half of the maximum rate. */
export const P99_TARGETS_MS = { skip: 5, replica: 10, store: 10, create: 20, refresh: 15 };
/** Creations beside them may not take more than this from validations' p99, and not above their target. */
const MIXED_FACTOR = 2;

/** @returns { goal, measured, wanted, holds }; `holds` is null where it could not be measured */
export function judge({ throughput, latency, mixed, floor }) {
  return [
    ...shareGoals(throughput),
    ...peerGoals(throughput),
    ...costGoals(throughput, floor),
    ...latencyGoals(latency),
    mixedGoal(mixed),
  ];
}

const percent = (share) => (share === null ? 'not measured' : `${(share * 100).toFixed(0)} %`);
const ms = (value) => `${value.toFixed(2)} ms`;

function goal(text, measured, wanted, holds, show) {
  return { goal: text, measured: measured === null ? 'not measured' : show(measured), wanted, holds };
}

/** Judged by throughput; by the server's processor time it stands beside, for machines that do other work. */
function atLeast(text, throughput, [id, under], wanted) {
  const ratio = pairedRatio(throughput, id, under);
  const byCpu = cpuRatio(throughput, id, under);
  const show = (value) => percent(value) + (byCpu === null ? '' : ` (${percent(byCpu)} by CPU time)`);
  return goal(text, ratio, `at least ${percent(wanted)}`, ratio === null ? null : ratio >= wanted, show);
}

function cpuRatio(throughput, id, under) {
  const micros = (name) => throughput.find((result) => result.id === name)?.serverMicros;
  return micros(id) && micros(under) ? micros(under) / micros(id) : null;
}

function shareGoals(throughput) {
  const cold = `${REPLICA}, cold`;
  const refused = (why) => `service-redis/validate/refused, ${why}`;
  const onSqlite = (check) => `service-sqlite/validate/${check}`;
  return [
    ['validate, replica, of bare Fastify', [REPLICA, 'bare/validate'], 0.55],
    ['validate, replica, each token seen once, of bare Fastify', [cold, 'bare/validate'], 0.25],
    ['validate, replica, of validate, skip', [REPLICA, 'service-redis/validate/skip'], 0.95],
    ['validate, replica on SQLite, of skip', [onSqlite('replica'), onSqlite('skip')], 0.95],
    ['refused as malformed, of accepted', [refused('malformed'), REPLICA], 1],
    ['refused as revoked, of accepted', [refused('revoked'), REPLICA], 1],
    ['refused signature, of accepted and seen once', [refused('bad signature'), cold], 1],
  ].map(([text, ids, wanted]) => atLeast(text, throughput, ids, wanted));
}

/** Ahead of the best of them, whichever that was. */
function peerGoals(throughput) {
  const ours = { validate: REPLICA, create: 'service-redis/create', refresh: 'service-redis/refresh' };
  return Object.entries(ours).map(([operation, id]) => {
    const peers = throughput.filter((result) => result.kind === 'peer' && result.operation === operation);
    const best = peers.toSorted((a, b) => b.perSecond - a.perSecond)[0];
    const text = `${operation}, of the fastest peer${best ? ` (${best.title})` : ''}`;
    return atLeast(text, throughput, [id, best?.id], 1);
  });
}

function costGoals(throughput, floor) {
  const micros = (id) => 1e6 / throughput.find((result) => result.id === id).perSecond;
  const signature = 1e6 / floor.signPerSecond;
  const over = micros('service-redis/create') - micros('bare/create/signed');
  // Back to back, a round trip finds both processes awake; a server that asks in the middle of a request does not.
  const { storeAddsMs: added, questionAddsMs: roundTrip } = floor;
  return [
    goal(
      'create, over bare Fastify and one signature',
      over / signature,
      'at most 1 RSA signature',
      over <= signature,
      (value) => `${value.toFixed(2)} RSA signatures (${over.toFixed(0)} µs)`,
    ),
    goal(
      'validate, store, over validate, skip (one request at a time)',
      added,
      `at most what one adds to bare Fastify: ${ms(roundTrip)} (back to back ${ms(floor.redisRoundTripMs)})`,
      added <= roundTrip,
      ms,
    ),
  ];
}

function latencyGoals(latency) {
  return latency
    .filter(({ kind, load }) => kind === 'service' && load === 'half')
    .map(({ title, operation, variant, connections, rate, p99, errors }) => {
      const target = P99_TARGETS_MS[variant ?? operation];
      const text = `p99 of ${operation}, ${title}, ${connections} connections, ${rate}/s (half)`;
      return goal(text, p99, `below ${target} ms`, p99 !== null && errors === 0 && p99 < target, ms);
    });
}

function mixedGoal([withCreations, alone]) {
  const bound = Math.min(P99_TARGETS_MS.replica, alone.p99 * MIXED_FACTOR);
  return goal(
    'p99 of validations beside 10 % creations, same load',
    withCreations.p99,
    `below ${ms(bound)} (alone: ${ms(alone.p99)})`,
    withCreations.p99 < bound,
    ms,
  );
}
