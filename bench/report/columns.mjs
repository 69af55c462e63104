// The tables of the benchmark: what stands in which column. The terminal and the documents share them.
import { millis, percent, whole } from './table.mjs';

export const THROUGHPUT = [
  { name: 'contender', of: (row) => row.title, left: true },
  { name: 'per second', of: (row) => whole(row.perSecond) },
  { name: 'of bare Fastify', of: (row) => percent(row.share) },
  { name: 'rounds', of: (row) => `${percent(row.shareFrom)} to ${percent(row.shareTo)}` },
  { name: 'by CPU time', of: (row) => percent(row.cpuShare) },
  { name: 'server µs', of: (row) => whole(row.serverMicros) },
  { name: 'Redis µs', of: (row) => whole(row.redisMicros) },
  { name: 'core used', of: (row) => percent(row.serverBusy) },
  { name: 'generator', of: (row) => percent(row.generatorBusy) },
];

export const LATENCY = [
  { name: 'contender', of: (row) => row.title, left: true },
  { name: 'operation', of: (row) => row.operation, left: true },
  { name: 'connections', of: (row) => whole(row.connections) },
  { name: 'per second', of: (row) => whole(row.rate) },
  { name: 'p50 ms', of: (row) => millis(row.p50) },
  { name: 'p99 ms', of: (row) => millis(row.p99) },
  { name: 'p99 of its rounds', of: ({ p99OfRounds }) => rangeOf(p99OfRounds) },
  { name: 'p99.9 ms', of: (row) => millis(row.p999) },
  { name: 'generator late, p99 ms', of: (row) => millis(row.lateP99) },
];

/** From the least to the most. */
function rangeOf(values) {
  return `${millis(Math.min(...values))} to ${millis(Math.max(...values))}`;
}

export const MIXED = [
  { name: 'traffic', of: (row) => row.title, left: true },
  { name: 'per second', of: (row) => whole(row.rate) },
  { name: 'validate p50 ms', of: (row) => millis(row.p50) },
  { name: 'validate p99 ms', of: (row) => millis(row.p99) },
  { name: 'create p50 ms', of: (row) => millis(row.createP50) },
  { name: 'create p99 ms', of: (row) => millis(row.createP99) },
];

export const GOALS = [
  { name: 'goal', of: (row) => row.goal, left: true },
  { name: 'measured', of: (row) => row.measured },
  { name: 'wanted', of: (row) => row.wanted, left: true },
  { name: '', of: (row) => ({ true: 'holds', false: 'MISSED', null: '' })[row.holds], left: true },
];
