// Closed loop, every case once a round, each round beginning elsewhere: what disturbs the machine for a while disturbs
// all alike. Figures are medians over the rounds; shares are taken within a round.
import { closedLoop } from '../load/closed-loop.mjs';
import { median } from '../load/latencies.mjs';
import { cpuSeconds, machineSeconds, ownSeconds } from '../machine.mjs';
import { wakeUp } from './wake-up.mjs';

/** @returns the cases' results, in their order */
export async function measureThroughput(servers, cases, plan, redisPid, say) {
  const results = cases.map((one) => ({ case: one, rounds: [] }));
  await warmUpAll(servers, cases, plan, say);
  for (let round = 0; round < plan.rounds; round++) {
    say(`throughput, round ${round + 1} of ${plan.rounds}`);
    const first = Math.floor((round * results.length) / plan.rounds);
    for (const result of [...results.slice(first), ...results.slice(0, first)]) {
      if (await servers.letRun(result.case.pid)) await wakeUp(servers, result.case, plan);
      result.rounds.push(await oneRun(result.case, plan, redisPid));
    }
  }
  return results.map((result) => summarise(result, results));
}

/** Until the compiler has seen it all: the first round must not pay for the others. */
async function warmUpAll(servers, cases, plan, say) {
  say('warming up');
  const { connections, compileSeconds: seconds } = plan;
  for (const { port, pid, traffic, warmUp } of cases) {
    await servers.letRun(pid);
    if (warmUp) await closedLoop({ port, connections, traffic: warmUp, warmUpSeconds: 0, seconds });
    traffic.begin?.();
    await closedLoop({ port, connections, traffic, warmUpSeconds: 0, seconds });
  }
}

async function oneRun({ port, pid, traffic, warmUp }, plan, redisPid) {
  const { connections, warmUpSeconds, seconds } = plan;
  const clock = () => ({
    server: cpuSeconds(pid),
    redis: cpuSeconds(redisPid),
    generator: ownSeconds(),
    machine: machineSeconds(),
  });
  const common = { port, connections };
  if (warmUp) await closedLoop({ ...common, traffic: warmUp, warmUpSeconds: 0, seconds: warmUpSeconds });
  traffic.begin?.();
  return closedLoop({ ...common, traffic, warmUpSeconds: warmUp ? 0 : warmUpSeconds, seconds, clock });
}

function summarise({ case: one, rounds }, results) {
  const ceiling = results.find(
    ({ case: other }) => other.kind === 'ceiling' && other.operation === one.operation && !other.variant,
  );
  const shares = rounds.map((run, at) => run.perSecond / ceiling.rounds[at].perSecond);
  const { id, kind, contender, operation, variant, title } = one;
  return {
    id,
    kind,
    contender,
    operation,
    variant,
    title,
    perSecond: median(rounds.map((run) => run.perSecond)),
    perSecondOfRounds: rounds.map((run) => Math.round(run.perSecond)),
    share: median(shares),
    shareFrom: Math.min(...shares),
    shareTo: Math.max(...shares),
    cpuShare: cpuShareOf(rounds, ceiling.rounds),
    serverMicros: median(rounds.map((run) => microsEach(run, 'server'))),
    redisMicros: median(rounds.map((run) => microsEach(run, 'redis'))),
    /** How much of a core each used: with the server below 0.9, something else was the limit. */
    serverBusy: median(rounds.map((run) => busy(run, 'server'))),
    generatorBusy: median(rounds.map((run) => busy(run, 'generator'))),
    /** What the rest of the machine used meanwhile, in cores. */
    othersBusy: median(rounds.map(othersBusy)),
    p99: median(rounds.map((run) => run.latencies.p99)),
    errors: rounds.reduce((sum, run) => sum + run.errors, 0),
    sample: rounds.find((run) => run.sample)?.sample,
  };
}

const busy = (run, process) => (run.clock ? run.clock[process] / run.seconds : null);

function othersBusy({ clock, seconds }) {
  if (!clock) return null;
  return Math.max(0, clock.machine - clock.server - clock.redis - clock.generator) / seconds;
}

const microsEach = (run, process) => (run.clock ? (run.clock[process] / run.answered) * 1e6 : null);

/** The same share by the server's processor time alone: steadier on a busy machine, blind to waiting. */
function cpuShareOf(rounds, ceilingRounds) {
  const micros = (runs) => median(runs.map((run) => microsEach(run, 'server')));
  const [own, least] = [micros(rounds), micros(ceilingRounds)];
  return own && least ? least / own : null;
}

/** @returns how many times as fast as `under` `id` was: the median of the rounds' ratios */
export function pairedRatio(results, id, under) {
  const rounds = (name) => results.find((result) => result.id === name)?.perSecondOfRounds;
  const [above, below] = [rounds(id), rounds(under)];
  return above && below ? median(above.map((value, at) => value / below[at])) : null;
}
