// Does every call of a session's life work, and does an ended session stay ended?
//   npm run k6 -- smoke
import {
  create,
  expectNoRefresh,
  expectRevoked,
  refresh,
  revoke,
  TREND_STATS,
  validate,
  verdict,
} from './session-calls.js';

export const options = {
  vus: 1,
  iterations: 20,
  thresholds: verdict({}),
  summaryTrendStats: TREND_STATS,
};

export default function () {
  const session = create();
  for (const check of ['replica', 'store', 'skip']) validate(session.access_token, check);
  const next = refresh(session.refresh_token);
  validate(session.access_token); // a refresh ends no access token
  validate(next.access_token);
  revoke(next.access_token);
  for (const check of ['replica', 'store']) {
    expectRevoked(session.access_token, check);
    expectRevoked(next.access_token, check);
  }
  expectNoRefresh(next.refresh_token);
}
