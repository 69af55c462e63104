// What the scripts share: where the service is, its calls, and when a run passes. Under CHECK=1 (npm run k6:check)
// every run is short and slow, and time is no verdict: only whether the answers are right.
import { check } from 'k6';
import http from 'k6/http';

export const CHECK_ONLY = __ENV.CHECK === '1';
const BASE_URL = __ENV.BASE_URL;
const TENANT = __ENV.TENANT || 'load';
const HEADERS = { 'Content-Type': 'application/json', 'X-API-Key': __ENV.API_KEY };
const REFUSED = http.expectedStatuses(401);

http.setResponseCallback(http.expectedStatuses({ min: 200, max: 299 }));

/** A number from the environment; short runs have their own. */
export function setting(name, usual, inCheck) {
  if (CHECK_ONLY) return inCheck;
  return __ENV[name] === undefined ? usual : Number(__ENV[name]);
}

export const DURATION = CHECK_ONLY ? '2s' : __ENV.DURATION || '30s';

/** What all scenarios together begin, a second. */
let offered = 0;

/** k6's users open their connections and compile their scripts while the rate grows. */
export const RAMP_SECONDS = CHECK_ONLY ? 0 : 3;

/**
 * Requests begin at a fixed rate whatever the service does, after a ramp; what cannot begin in time counts as dropped.
 * @param options.duration of the fixed rate; the others are k6's own
 */
export function arrivals(exec, ratePerSecond, { duration = DURATION, ...more } = {}) {
  const rate = CHECK_ONLY ? Math.min(10, ratePerSecond) : ratePerSecond;
  offered += rate;
  return {
    executor: 'ramping-arrival-rate',
    exec,
    startRate: Math.ceil(rate / 10),
    timeUnit: '1s',
    stages: [
      { duration: `${RAMP_SECONDS}s`, target: rate },
      { duration, target: rate },
    ],
    preAllocatedVUs: CHECK_ONLY ? 5 : Math.min(300, Math.max(50, Math.ceil(rate / 20))),
    maxVUs: CHECK_ONLY ? 10 : 500,
    gracefulStop: '10s',
    ...more,
  };
}

/** Requests that k6 could not begin in time are missing from its latencies: so few cannot hide in a p99. */
const DROPPED_SHARE = 0.001;

/** Call it after `arrivals`. @param p99Ms for each call, the p99 that it must stay below, in milliseconds */
export function verdict(p99Ms) {
  const always = { checks: ['rate==1'], http_req_failed: ['rate==0'] };
  if (CHECK_ONLY) return always;
  const times = Object.entries(p99Ms).map(([call, limit]) => [
    `http_req_duration{call:${call}}`,
    [`p(99)<${limit}`],
  ]);
  return {
    ...always,
    dropped_iterations: [`rate<${offered * DROPPED_SHARE + 0.001}`],
    ...Object.fromEntries(times),
  };
}

export const TREND_STATS = ['med', 'p(95)', 'p(99)', 'p(99.9)', 'max'];

function params(call, more) {
  return { headers: HEADERS, tags: { call, name: call }, ...more };
}

let users = 0;

function creation(user) {
  const who = user || `user-${__VU}-${users++}-${Date.now()}`;
  return JSON.stringify({
    tenant_id: TENANT,
    user_id: who,
    scope: 'read write',
    metadata: { device: 'laptop' },
  });
}

/** @returns { session_id, access_token, refresh_token } */
export function create(call = 'create') {
  const answer = http.post(`${BASE_URL}/sessions`, creation(), params(call));
  check(answer, { 'create: 201': ({ status }) => status === 201 });
  return answer.json();
}

/** Many sessions for a set-up, fifty requests at a time. */
export function createMany(count) {
  const sessions = [];
  for (let made = 0; made < count; made += 50) {
    const batch = Array.from({ length: Math.min(50, count - made) }, (_, at) => ({
      method: 'POST',
      url: `${BASE_URL}/sessions`,
      body: creation(`stock-${made + at}-${Date.now()}`),
      params: params('setup'),
    }));
    for (const answer of http.batch(batch)) {
      if (answer.status !== 201) throw new Error(`the set-up got ${answer.status}: ${answer.body}`);
      sessions.push(answer.json());
    }
  }
  return sessions;
}

/** @param revocationCheck `replica`, `store` or `skip` */
export function validate(accessToken, revocationCheck = 'replica', call = 'validate') {
  const body = JSON.stringify({ access_token: accessToken, revocation_check: revocationCheck });
  const answer = http.post(`${BASE_URL}/sessions/validate`, body, params(call));
  check(answer, { 'validate: 200': ({ status }) => status === 200 });
  return answer;
}

/** The token must be refused, as revoked. */
export function expectRevoked(accessToken, revocationCheck = 'replica') {
  const body = JSON.stringify({ access_token: accessToken, revocation_check: revocationCheck });
  const more = { responseCallback: REFUSED };
  const answer = http.post(`${BASE_URL}/sessions/validate`, body, params('validate_revoked', more));
  check(answer, {
    'validate after the end: 401 token_revoked': (got) =>
      got.status === 401 && got.json('valid') === false && got.json('error') === 'token_revoked',
  });
}

export function refresh(refreshToken) {
  const body = JSON.stringify({ refresh_token: refreshToken });
  const answer = http.post(`${BASE_URL}/sessions/refresh`, body, params('refresh'));
  check(answer, { 'refresh: 200': ({ status }) => status === 200 });
  return answer.json();
}

export function expectNoRefresh(refreshToken) {
  const body = JSON.stringify({ refresh_token: refreshToken });
  const more = { responseCallback: REFUSED };
  const answer = http.post(`${BASE_URL}/sessions/refresh`, body, params('refresh_refused', more));
  check(answer, { 'refresh after the end: 401': ({ status }) => status === 401 });
}

export function revoke(token) {
  const body = JSON.stringify({ token, reason: 'user_logout' });
  const answer = http.post(`${BASE_URL}/sessions/revoke`, body, params('revoke'));
  check(answer, { 'revoke: 204': ({ status }) => status === 204 });
}

export function revokeBatch(sessionIds) {
  const body = JSON.stringify({ session_ids: sessionIds, reason: 'security_incident' });
  const answer = http.post(`${BASE_URL}/sessions/revoke-batch`, body, params('revoke_batch'));
  check(answer, {
    'revoke-batch: all of them': (got) =>
      got.status === 200 && got.json('revoked_count') === sessionIds.length,
  });
}

/** @returns bytes of memory that the service holds, by its own metrics */
export function residentBytes() {
  const answer = http.get(`${BASE_URL}/metrics`, { tags: { call: 'metrics', name: 'metrics' } });
  return Number(/^process_resident_memory_bytes (\S+)/m.exec(answer.body)[1]);
}
