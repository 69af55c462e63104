// Is the service as quick and nearly as small at the end of a long run as at its beginning?
// Beginning and end are the second and the last tenth of the run; the first warms up.
//   npm run k6 -- soak               DURATION=10m, VALIDATE_RATE=500, CREATE_RATE=20 (a second), GROWTH_MIB=150
import { sleep } from 'k6';
import exec from 'k6/execution';
import { Trend } from 'k6/metrics';
import {
  arrivals,
  CHECK_ONLY,
  create,
  createMany,
  refresh,
  residentBytes,
  revoke,
  setting,
  TREND_STATS,
  validate,
  verdict,
} from './session-calls.js';

const DURATION = CHECK_ONLY ? '2s' : __ENV.DURATION || '10m';
const GROWTH_MIB = setting('GROWTH_MIB', 150, 0);
const growth = new Trend('memory_growth_mib');

const scenarios = {
  validate: arrivals('ask', setting('VALIDATE_RATE', 500, 10), { duration: DURATION }),
  lives: arrivals('live', setting('CREATE_RATE', 20, 5), { duration: DURATION }),
  watch: { executor: 'constant-vus', exec: 'watch', vus: 1, duration: DURATION, gracefulStop: '10s' },
};
const limits = verdict({ validate_begin: 10, validate_middle: 10, validate_end: 10, create: 20 });

export const options = {
  scenarios,
  thresholds: CHECK_ONLY ? limits : { ...limits, memory_growth_mib: [`max<${GROWTH_MIB}`] },
  summaryTrendStats: TREND_STATS,
  setupTimeout: '120s',
};

export function setup() {
  return createMany(CHECK_ONLY ? 10 : 1000).map((session) => session.access_token);
}

function phase() {
  const { progress } = exec.scenario;
  if (progress < 0.1) return 'warmup';
  if (progress < 0.2) return 'begin';
  return progress < 0.9 ? 'middle' : 'end';
}

export function ask(tokens) {
  const token = tokens[exec.scenario.iterationInTest % tokens.length];
  validate(token, 'replica', `validate_${phase()}`);
}

/** A whole life, so that what is ended must also be forgotten. */
export function live() {
  const session = create();
  const next = refresh(session.refresh_token);
  revoke(next.access_token);
}

let before;

export function watch() {
  const bytes = residentBytes();
  if (before === undefined && (CHECK_ONLY || exec.scenario.progress >= 0.1)) before = bytes;
  if (before !== undefined) growth.add((bytes - before) / 1048576);
  sleep(CHECK_ONLY ? 0.5 : 5);
}
