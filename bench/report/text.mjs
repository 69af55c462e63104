// A run's result for the terminal.
import { OPERATIONS } from '../contenders/case.mjs';
import { GOALS, LATENCY, MIXED, THROUGHPUT } from './columns.mjs';
import { median } from '../load/latencies.mjs';
import { millis, toText, whole } from './table.mjs';

export function textOf({ machine, plan, throughput, floor, latency, mixed, goals }) {
  const section = (title, text) => `\n${title}\n${text}`;
  const of = (operation) => throughput.filter((result) => result.operation === operation);
  return [
    `\n${machine.processor}, ${machine.cores} cores, Node ${machine.node}, Redis ${machine.redis}, ${plan} run\n`,
    machine.pinned ? '' : 'Nothing was pinned to a core: the figures are noisier than they need be.\n',
    noteOnOthers(throughput, machine),
    `RS256 on one core: ${whole(floor.verifyPerSecond)} verifications, ${whole(floor.signPerSecond)} signatures a second; `,
    `Redis round trip ${millis(floor.redisRoundTripMs)} ms\n`,
    ...OPERATIONS.map((operation) =>
      section(`${operation}, closed loop, 64 connections`, toText(THROUGHPUT, of(operation))),
    ),
    section('Latency at fixed rates (half of the maximum, and one in common)', toText(LATENCY, latency)),
    section('Validations beside creations', toText(MIXED, mixed)),
    section('Goals', toText(GOALS, goals)),
  ].join('');
}

/** Other work on the machine spoils figures more than ratios, and p99 most of all. */
export function noteOnOthers(throughput, machine) {
  const cores = median(throughput.map((result) => result.othersBusy));
  if (cores === null) return '';
  const warning = cores > 0.1 ? ': too much for figures that may be quoted' : '';
  return `Other work on the machine took ${cores.toFixed(2)} of its ${machine.cores} cores meanwhile${warning}.\n`;
}
