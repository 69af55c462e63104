// Which pictures are drawn of which results.
import { millis, percent, whole } from './table.mjs';
import { P99_TARGETS_MS } from '../goals.mjs';
import { bars, lines } from './svg.mjs';

/** The signature of a creation is in the ceiling that it is compared with. */
const isShown = ({ variant }) => variant !== 'signed';

/** @returns { file name: SVG text } */
export function drawBenchmark({ throughput, latency }) {
  const of = (operation) => throughput.filter((result) => result.operation === operation).filter(isShown);
  const shares = of('validate').map(({ title, kind, share, shareFrom, shareTo }) => ({
    label: title.replace(/ \(.*\)$/, ''),
    kind,
    value: share,
    low: shareFrom,
    high: shareTo,
  }));
  const rates = (operation) =>
    of(operation)
      .filter(({ kind }) => kind !== 'ceiling')
      .map(({ title, kind, perSecond }) => ({ label: `${operation}: ${title}`, kind, value: perSecond }));
  const signed = throughput
    .filter(({ variant }) => variant === 'signed')
    .map(({ title, kind, perSecond }) => ({ label: title, kind, value: perSecond }));
  return {
    'validate.svg': bars('Validations, share of bare Fastify (medians; whiskers: all rounds)', shares, {
      show: percent,
    }),
    'create-refresh.svg': bars(
      'Creations and refreshes a second on one core',
      [...signed, ...rates('create'), ...rates('refresh')],
      { show: whole },
    ),
    'latency.svg': drawLatency(latency),
  };
}

function drawLatency(latency) {
  const rows = latency
    .filter(({ load, kind, p99 }) => load === 'half' && kind !== 'peer' && p99 !== null)
    .map(({ title, kind, operation, variant, connections, p99 }) => ({
      label: `${operation}: ${title}, ${whole(connections)} connections`,
      kind,
      value: p99,
      limit: kind === 'service' ? P99_TARGETS_MS[variant ?? operation] : undefined,
    }));
  return bars('p99 in ms at half of the maximum rate (logarithmic; red: the target)', rows, {
    show: millis,
    logFrom: 0.1,
  });
}

/** @returns { file name: SVG text } */
export function drawGrowth({ stores, revocations }) {
  const mib = (bytes) => bytes / 1048576;
  const of = (store) =>
    stores
      .filter((row) => row.store === store)
      .map(({ sessions, sessionBytes }) => [sessions, mib(sessions * sessionBytes)]);
  const known = revocations
    .filter((row) => row.revocations > 0)
    .map((row) => [row.revocations, mib(row.tableBytes)]);
  const series = [
    { label: 'sessions in Redis', points: of('Redis') },
    { label: 'sessions in SQLite', points: of('SQLite') },
    { label: 'revocations, table of an instance', points: known },
  ];
  return {
    'growth.svg': lines('MiB against how many there are (both logarithmic)', series, {
      x: whole,
      y: (value) => String(value),
    }),
  };
}
