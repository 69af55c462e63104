// Are 10,000 validations a second answered in less than 10 ms (p99), or in less than 5 ms without a revocation check?
// Name the rate that the machine can bear with k6 beside the service: where k6 is the limit, it drops iterations.
//   npm run k6 -- validate           RATE=10000 (a second), REVOCATION_CHECK=replica|store|skip, SESSIONS=1000
import exec from 'k6/execution';
import { arrivals, createMany, setting, TREND_STATS, validate, verdict } from './session-calls.js';

const REVOCATION_CHECK = __ENV.REVOCATION_CHECK || 'replica';

export const options = {
  scenarios: { validate: arrivals('ask', setting('RATE', 10000, 10)) },
  thresholds: verdict({ validate: REVOCATION_CHECK === 'skip' ? 5 : 10 }),
  summaryTrendStats: TREND_STATS,
  setupTimeout: '120s',
};

export function setup() {
  return createMany(setting('SESSIONS', 1000, 10)).map((session) => session.access_token);
}

export function ask(tokens) {
  validate(tokens[exec.scenario.iterationInTest % tokens.length], REVOCATION_CHECK);
}
