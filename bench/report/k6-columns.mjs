// The table of k6: a row for each call of each script.
import { millis, whole } from './table.mjs';

export const K6 = [
  { name: 'script', of: (row) => `\`${row.script}\``, left: true },
  { name: 'requests a second', of: (row) => whole(row.requestsPerSecond) },
  { name: 'call', of: (row) => row.call, left: true },
  { name: 'p50 ms', of: (row) => millis(row.p50) },
  { name: 'p95 ms', of: (row) => millis(row.p95) },
  { name: 'p99 ms', of: (row) => millis(row.p99) },
  { name: 'max ms', of: (row) => millis(row.max) },
  { name: 'failed', of: (row) => whole(row.failedChecks) },
  { name: 'could not be begun', of: (row) => whole(row.dropped) },
  { name: 'verdict', of: (row) => row.verdict, left: true },
];

export function rowsOfK6({ scripts }) {
  return Object.entries(scripts).flatMap(([name, { script, calls, passed, thresholds, ...run }]) => {
    const crossed = Object.entries(thresholds).filter(([, held]) => !held);
    const rules = crossed.map(([rule]) => `\`${rule}\``).join(', ');
    const verdict = passed ? 'passes' : `crosses ${rules || 'nothing: it broke off'}`;
    const measured = Object.entries(calls);
    if (measured.length === 0) return [{ script: name, call: 'every call', ...run, verdict }];
    return measured.map(([call, latencies], at) => ({
      script: at === 0 ? name : script,
      call,
      ...run,
      ...latencies,
      verdict: at === 0 ? verdict : '',
    }));
  });
}
