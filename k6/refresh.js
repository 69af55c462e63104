// Do fifty clients a second get their next pair of tokens in less than 15 ms (p99), each with the token of the time
// before?
//   npm run k6 -- refresh            RATE=50 (a second), DURATION=30s
import { arrivals, create, refresh, setting, TREND_STATS, verdict } from './session-calls.js';

export const options = {
  scenarios: { refresh: arrivals('goOn', setting('RATE', 50, 10)) },
  thresholds: verdict({ refresh: 15 }),
  summaryTrendStats: TREND_STATS,
};

let session;

export function goOn() {
  session = session || create('setup');
  session = refresh(session.refresh_token);
}
