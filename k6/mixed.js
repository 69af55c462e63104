// With more than 10,000 live sessions, do validations, logins, refreshes and logouts beside each other all keep to
// their times, and is each session that ended refused by the very next request?
//   npm run k6 -- mixed              VALIDATE_RATE=2000, CREATE_RATE=50, REFRESH_RATE=50, REVOKE_RATE=10 (a second),
//                                    LIVE_SESSIONS=10000, DURATION=30s
import exec from 'k6/execution';
import {
  arrivals,
  create,
  createMany,
  expectRevoked,
  refresh,
  revoke,
  setting,
  TREND_STATS,
  validate,
  verdict,
} from './session-calls.js';

/** Every VU gets a copy of what the set-up returns: so not of all tokens. */
const TOKENS_IN_USE = 1000;

export const options = {
  scenarios: {
    validate: arrivals('ask', setting('VALIDATE_RATE', 2000, 10)),
    create: arrivals('login', setting('CREATE_RATE', 50, 5)),
    refresh: arrivals('goOn', setting('REFRESH_RATE', 50, 5)),
    revoke: arrivals('logout', setting('REVOKE_RATE', 10, 5)),
  },
  thresholds: verdict({ validate: 10, create: 20, refresh: 15 }),
  summaryTrendStats: TREND_STATS,
  setupTimeout: '300s',
};

export function setup() {
  const sessions = createMany(setting('LIVE_SESSIONS', 10000, 50));
  const every = Math.ceil(sessions.length / TOKENS_IN_USE);
  return sessions.filter((_, at) => at % every === 0).map((session) => session.access_token);
}

export function ask(tokens) {
  validate(tokens[exec.scenario.iterationInTest % tokens.length]);
}

export function login() {
  create();
}

let session;

export function goOn() {
  session = session || create('setup');
  session = refresh(session.refresh_token);
}

export function logout() {
  const ending = create('setup');
  revoke(ending.refresh_token);
  expectRevoked(ending.access_token);
}
