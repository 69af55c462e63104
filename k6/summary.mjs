// What is kept of k6's summary: for each call its latencies, and which thresholds held.

/** @returns { requests, requestsPerSecond, dropped, failedChecks, calls, thresholds } */
export function summaryOf({ metrics }) {
  const calls = {};
  const thresholds = {};
  for (const [name, metric] of Object.entries(metrics)) {
    const [, tagged] = /^http_req_duration\{call:(\w+)\}$/.exec(name) ?? [];
    if (tagged) calls[tagged] = latenciesOf(metric);
    // k6 writes true for a threshold that was crossed.
    for (const [rule, crossed] of Object.entries(metric.thresholds ?? {})) {
      thresholds[`${name}: ${rule}`] = !crossed;
    }
  }
  return {
    requests: metrics.http_reqs?.count ?? 0,
    requestsPerSecond: metrics.http_reqs?.rate ?? 0,
    dropped: metrics.dropped_iterations?.count ?? 0,
    failedChecks: metrics.checks?.fails ?? 0,
    calls,
    thresholds,
  };
}

const latenciesOf = (metric) => ({
  p50: metric.med,
  p95: metric['p(95)'],
  p99: metric['p(99)'],
  p999: metric['p(99.9)'],
  max: metric.max,
});
