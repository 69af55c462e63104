// Do a hundred logins a second each get their session in less than 20 ms (p99)?
//   npm run k6 -- create             RATE=100 (a second), DURATION=30s
import { arrivals, create, setting, TREND_STATS, verdict } from './session-calls.js';

export const options = {
  scenarios: { create: arrivals('login', setting('RATE', 100, 10)) },
  thresholds: verdict({ create: 20 }),
  summaryTrendStats: TREND_STATS,
};

export function login() {
  create();
}
