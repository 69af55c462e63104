// What the dashboards' queries have in common: which series are meant, and how rates and quantiles are read from them.

/** Of the service that the dashboard is for. */
export const JOB = 'job="$job"';
/** What users and services ask, not what probes and scrapers do. */
export const ASKED = `${JOB},route!~"/(health|metrics|docs).*"`;
const WINDOW = '[$__rate_interval]';

export const rate = (series) => `rate(${series}${WINDOW})`;

export const sumRate = (series, by = '') =>
  by === '' ? `sum(${rate(series)})` : `sum by (${by}) (${rate(series)})`;

/** @param by further labels that quantiles are told apart by */
export function quantile(share, histogram, selector, by = '') {
  const labels = by === '' ? 'le' : `le, ${by}`;
  return `histogram_quantile(${share}, sum by (${labels}) (${rate(`${histogram}_bucket{${selector}}`)}))`;
}

export const p50 = (...rest) => quantile(0.5, ...rest);
export const p99 = (...rest) => quantile(0.99, ...rest);

/** What counts nothing as long as nothing happened reads 0. */
export const orZero = (query) => `(${query}) or vector(0)`;
