// When hundreds of sessions end every second, one by one and a thousand at a time, is each refused by the very next
// request, and do the validations beside them keep their p99 below 10 ms?
//   npm run k6 -- revoke-storm       REVOKE_RATE=200, VALIDATE_RATE=1000 (a second), BATCHES=5 of 1,000, DURATION=10s
import exec from 'k6/execution';
import {
  arrivals,
  CHECK_ONLY,
  createMany,
  expectRevoked,
  RAMP_SECONDS,
  revoke,
  revokeBatch,
  setting,
  TREND_STATS,
  validate,
  verdict,
} from './session-calls.js';

const REVOKE_RATE = setting('REVOKE_RATE', 200, 10);
const SECONDS = CHECK_ONLY ? 2 : Number.parseInt(__ENV.DURATION || '10', 10);
const BATCHES = setting('BATCHES', 5, 1);
const BATCH = CHECK_ONLY ? 20 : 1000;
const duration = { duration: `${SECONDS}s` };

export const options = {
  scenarios: {
    validate: arrivals('ask', setting('VALIDATE_RATE', 1000, 10), duration),
    revoke: arrivals('end', REVOKE_RATE, duration),
    batch: {
      executor: 'shared-iterations',
      exec: 'endMany',
      vus: 1,
      iterations: BATCHES,
      startTime: `${RAMP_SECONDS}s`,
      maxDuration: '60s',
    },
  },
  thresholds: verdict({ validate: 10 }),
  summaryTrendStats: TREND_STATS,
  setupTimeout: '300s',
};

export function setup() {
  const lasting = createMany(CHECK_ONLY ? 10 : 500).map((session) => session.access_token);
  const ending = createMany(REVOKE_RATE * (RAMP_SECONDS + SECONDS) + 10).map(
    (session) => session.access_token,
  );
  const batches = Array.from({ length: BATCHES }, () => {
    const sessions = createMany(BATCH);
    const tokens = sessions.slice(-20).map((session) => session.access_token);
    return { ids: sessions.map((session) => session.session_id), tokens };
  });
  return { lasting, ending, batches };
}

export function ask({ lasting }) {
  validate(lasting[exec.scenario.iterationInTest % lasting.length]);
}

export function end({ ending }) {
  const token = ending[exec.scenario.iterationInTest % ending.length];
  revoke(token);
  expectRevoked(token);
}

export function endMany({ batches }) {
  const { ids, tokens } = batches[exec.scenario.iterationInTest];
  revokeBatch(ids);
  for (const token of tokens) expectRevoked(token);
}
