// How long and how often is measured: `--quick` for a look, without it for figures that may be quoted.

const FULL = {
  name: 'full',
  /** Throughput: every case once a round, in turn. */
  rounds: 5,
  /** Once before the first round. */
  compileSeconds: 1.5,
  warmUpSeconds: 0.4,
  seconds: 1.4,
  connections: 64,
  /** Different sessions behind the warm cases. */
  sessions: 1000,
  /** Tokens seen once, for each round. */
  coldTokensPerRound: 8000,
  loopSeconds: 0.5,
  /** Latency: every case at every number of connections once a round. */
  openRounds: 3,
  /** Before the first run of each case in a round. */
  wakeUpSeconds: 1,
  openWarmUpSeconds: 0.7,
  openSeconds: 3,
  openConnections: { ceiling: [64, 1000, 10_000], service: [64, 1000, 10_000], peer: [64] },
  openFixedRate: 10_000,
  mixedRounds: 5,
};

const QUICK = {
  ...FULL,
  name: 'quick',
  rounds: 2,
  compileSeconds: 0.5,
  warmUpSeconds: 0.3,
  seconds: 0.7,
  sessions: 300,
  coldTokensPerRound: 4000,
  loopSeconds: 0.3,
  openRounds: 1,
  openWarmUpSeconds: 0.4,
  openSeconds: 1.2,
  openConnections: { ceiling: [64, 10_000], service: [64, 10_000], peer: [] },
  mixedRounds: 1,
};

/** @param args what followed the command: --quick, --no-peers, --smoke (seconds, for checking the harness itself) */
export function planOf(args) {
  const known = new Set(['--quick', '--smoke', '--no-peers']);
  const unknown = args.filter((arg) => !known.has(arg));
  if (unknown.length > 0) throw new Error(`unknown: ${unknown.join(' ')}; known: ${[...known].join(' ')}`);
  const plan = args.includes('--smoke') ? smokeOf(QUICK) : args.includes('--quick') ? QUICK : FULL;
  return { ...plan, peers: !args.includes('--no-peers') };
}

function smokeOf(quick) {
  return {
    ...quick,
    name: 'smoke',
    rounds: 1,
    compileSeconds: 0.1,
    warmUpSeconds: 0.1,
    seconds: 0.2,
    sessions: 100,
    coldTokensPerRound: 300,
    loopSeconds: 0.05,
    wakeUpSeconds: 0.05,
    openSeconds: 0.3,
    openConnections: { ceiling: [16], service: [16], peer: [16] },
  };
}
