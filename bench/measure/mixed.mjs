// Nine validations to one creation, at half of what one core can do of that mix: do the creations' signatures spoil
// the validations? Compared with validations alone at the same load, and alone at the same rate of validations.
import { median } from '../load/latencies.mjs';
import { openLoop } from '../load/open-loop.mjs';
import { wakeUp } from './wake-up.mjs';

const LOAD = 0.5;

export async function measureMixed(servers, cases, throughput, plan, say) {
  const validate = cases.find(({ id }) => id === 'service-redis/validate/replica');
  const create = cases.find(({ id }) => id === 'service-redis/create');
  const cost = ({ id }) => 1 / throughput.find((result) => result.id === id).perSecond;
  const mixedRate = LOAD / (0.9 * cost(validate) + 0.1 * cost(create));
  const validations = { traffic: validate.traffic, share: 9 };
  const runs = [
    {
      title: '9 validations to 1 creation',
      rate: mixedRate,
      mix: [validations, { traffic: create.traffic, share: 1 }],
    },
    { title: 'validations alone, the same load', rate: LOAD / cost(validate), mix: [validations] },
    { title: 'validations alone, as many of them', rate: mixedRate * 0.9, mix: [validations] },
  ].map((run) => ({ ...run, rounds: [] }));
  for (let round = 0; round < plan.mixedRounds; round++) {
    say(`mixed, round ${round + 1} of ${plan.mixedRounds}`);
    await wakeUp(servers, validate, plan);
    await wakeUp(servers, create, plan);
    for (const { rate, mix, rounds } of runs) {
      const { connections, openWarmUpSeconds: warmUpSeconds, openSeconds: seconds } = plan;
      rounds.push(await openLoop({ port: validate.port, connections, rate, mix, warmUpSeconds, seconds }));
    }
  }
  return runs.map(summarise);
}

function summarise({ title, rate, rounds }) {
  const of = (kind, name) => median(rounds.map((run) => run.kinds[kind]?.[name] ?? null));
  return {
    title,
    rate: Math.round(rate),
    p50: of(0, 'p50'),
    p99: of(0, 'p99'),
    p999: of(0, 'p999'),
    createP50: of(1, 'p50'),
    createP99: of(1, 'p99'),
    errors: rounds.reduce((sum, run) => sum + run.errors + run.unanswered, 0),
    sample: rounds.find((run) => run.sample)?.sample,
  };
}
