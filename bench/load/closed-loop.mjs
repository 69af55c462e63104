// Closed loop: each connection sends its next request as soon as the last one is answered. Measures throughput; its
// latencies say little, because a slow server is asked less often.
import { openConnections } from './connection.mjs';
import { Latencies } from './latencies.mjs';

/**
 * @param options.spins see `#spin`
 * @param options.clock read at the beginning and the end of the measured part; its difference comes back as `clock`
 * @returns { perSecond, answered, errors, sample, seconds, latencies, clock }
 */
export async function closedLoop({
  port,
  connections,
  traffic,
  warmUpSeconds,
  seconds,
  clock,
  spins = true,
}) {
  const run = new ClosedRun(traffic, spins);
  const open = await openConnections(port, connections, run.callbacks);
  try {
    let before = clock?.();
    let measuredFrom = performance.now();
    run.start(open, measuredFrom + (warmUpSeconds + seconds) * 1000);
    if (warmUpSeconds > 0) {
      await run.finishedOr(warmUpSeconds * 1000);
      before = clock?.();
      measuredFrom = run.reset();
    }
    await run.finishedOr(seconds * 1000);
    const elapsed = ((run.finishedAt ?? performance.now()) - measuredFrom) / 1000;
    const after = clock?.();
    const { answered, errors, sample } = run;
    await run.finishedOr(5000);
    return {
      perSecond: answered / elapsed,
      answered,
      errors,
      sample,
      seconds: elapsed,
      latencies: run.latencies.summary(),
      clock: before && after ? differences(before, after) : null,
    };
  } finally {
    for (const connection of open) connection.close();
  }
}

const differences = (before, after) =>
  Object.fromEntries(Object.keys(before).map((key) => [key, after[key] - before[key]]));

class ClosedRun {
  answered = 0;
  errors = 0;
  sample = undefined;
  latencies = new Latencies();
  finishedAt = undefined;
  #traffic;
  #busy = 0;
  #endsAt = 0;
  #finish = () => {};
  #finished = new Promise((resolve) => (this.#finish = resolve));

  #spins;

  constructor(traffic, spins) {
    this.#traffic = traffic;
    this.#spins = spins;
    this.callbacks = {
      onAnswer: (connection, status, body) => this.#answered(connection, status, body),
      onBroken: (connection) => this.#broken(connection),
    };
  }

  start(connections, endsAt) {
    this.#endsAt = endsAt;
    this.#busy = connections.length;
    for (const connection of connections) this.#ask(connection, performance.now());
    this.#spin();
  }

  /**
   * Never sleeps: a generator that waits for its server is woken by each answer, and on a virtual machine that costs the
   * server's core a third of an answer, the more the slower it is. The generator has a core of its own.
   */
  #spin() {
    if (this.#spins && this.#busy > 0 && performance.now() < this.#endsAt) setImmediate(() => this.#spin());
  }

  reset() {
    this.answered = 0;
    this.errors = 0;
    this.latencies = new Latencies();
    return performance.now();
  }

  /** Until no request is under way, or `ms` have passed. */
  async finishedOr(ms) {
    let timer;
    const pause = new Promise((resolve) => (timer = setTimeout(resolve, ms)));
    await Promise.race([this.#finished, pause]);
    clearTimeout(timer);
  }

  #ask(connection, now) {
    const request = now < this.#endsAt ? this.#traffic.next(connection) : undefined;
    if (request === undefined) return this.#rest(now);
    connection.startedAt = now;
    connection.send(request);
  }

  #rest(now) {
    if (--this.#busy > 0) return;
    this.finishedAt = now;
    this.#finish();
  }

  #answered(connection, status, body) {
    const now = performance.now();
    if (status === this.#traffic.status) {
      this.answered++;
      this.latencies.add(now - connection.startedAt);
      this.#traffic.receive?.(connection, body);
    } else {
      this.errors++;
      this.sample ??= `${status} ${body.toString().slice(0, 200)}`;
    }
    this.#ask(connection, now);
  }

  #broken() {
    this.errors++;
    this.sample ??= 'connection closed';
    this.#rest(performance.now());
  }
}
