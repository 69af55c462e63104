// Open loop at fixed rates: half of what the case can do at most, and one rate in common, at each number of connections.
import { median } from '../load/latencies.mjs';
import { openLoop } from '../load/open-loop.mjs';
import { openFilesLimit } from '../machine.mjs';
import { wakeUp } from './wake-up.mjs';

/** Above this share of its maximum a queue grows without end, and its latencies say nothing. */
const MOST_OF_MAXIMUM = 0.9;

/** @returns { id, title, connections, rate, load, p50, p99, p999, errors, late }, a line for each, medians of its rounds */
export async function measureLatency(servers, cases, throughput, plan, say) {
  const runs = planRuns(cases, throughput, plan).map((run) => ({ ...run, rounds: [] }));
  for (let round = 0; round < plan.openRounds; round++) {
    say(`latency, round ${round + 1} of ${plan.openRounds}, ${runs.length} runs`);
    for (const [at, run] of runs.entries()) {
      if (run.case !== runs[at - 1]?.case) await wakeUp(servers, run.case, plan);
      const { connections, rate } = run;
      const mix = [{ traffic: run.case.traffic, share: 1 }];
      const { openWarmUpSeconds: warmUpSeconds, openSeconds: seconds } = plan;
      run.rounds.push(
        await openLoop({ port: run.case.port, connections, rate, mix, warmUpSeconds, seconds }),
      );
    }
  }
  return runs.map(summarise);
}

function planRuns(cases, throughput, plan) {
  const runs = [];
  const limit = openFilesLimit() - 100;
  for (const one of cases.filter(({ inLatency }) => inLatency)) {
    const most = throughput.find(({ id }) => id === one.id).perSecond;
    for (const connections of plan.openConnections[one.kind].filter((count) => count <= limit)) {
      runs.push({ case: one, connections, load: 'half', rate: Math.round(most / 2) });
      if (one.operation !== 'validate' || one.kind === 'peer') continue;
      if (plan.openFixedRate > most * MOST_OF_MAXIMUM) continue;
      runs.push({ case: one, connections, load: 'fixed', rate: plan.openFixedRate });
    }
  }
  return runs;
}

function summarise({ case: one, connections, load, rate, rounds }) {
  const of = (name) => median(rounds.map((run) => run.kinds[0][name]));
  const { id, kind, operation, variant, title } = one;
  return {
    id,
    kind,
    operation,
    variant,
    title,
    connections,
    load,
    rate,
    p50: of('p50'),
    p90: of('p90'),
    p99: of('p99'),
    p999: of('p999'),
    p99OfRounds: rounds.map((run) => run.kinds[0].p99),
    errors: rounds.reduce((sum, run) => sum + run.errors + run.unanswered, 0),
    sample: rounds.find((run) => run.sample)?.sample,
    /** The generator's own lateness: what of the figure is not the server's. */
    lateP99: median(rounds.map((run) => run.lateness.p99)),
  };
}
