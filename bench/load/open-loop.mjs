// Open loop: requests start at times fixed before the run, whatever the server does, and each latency counts from
// the moment when its request was due. So a stall is paid for by every request that it delayed (no coordinated
// omission). Requests that are due while every connection is busy wait, and that waiting counts too.
import { openConnections } from './connection.mjs';
import { Latencies } from './latencies.mjs';

/** After the last due time, so long may the answers take. */
const DRAIN_MS = 10_000;

/**
 * @param options.mix traffics with the numbers of requests of each in one turn: [{ traffic, share }]
 * @returns { errors, unanswered, sample, kinds: [latencies of each traffic], lateness }; `lateness` is the
 *   generator's own: how long a request was due, with a connection free, before it was sent
 */
export async function openLoop({ port, connections, rate, mix, warmUpSeconds, seconds }) {
  const run = new OpenRun(mix, rate, warmUpSeconds, seconds);
  const open = await openConnections(port, connections, run.callbacks);
  globalThis.gc?.(); // with --expose-gc: not in the middle of it
  try {
    return await run.drive(open);
  } finally {
    for (const connection of open) connection.close();
  }
}

class OpenRun {
  #mix;
  #turn;
  #gapMs;
  #total;
  #firstMeasured;
  #free;
  #freeFrom = 0;
  /** When a connection became free after a time without one. */
  #starvedUntil = 0;
  #startedAt = 0;
  #sent = 0;
  #done = 0;
  #errors = 0;
  #sample;
  #latencies;
  #lateness = new Latencies();
  #finish;

  constructor(mix, rate, warmUpSeconds, seconds) {
    this.#mix = mix;
    this.#turn = turnOf(mix);
    this.#gapMs = 1000 / rate;
    this.#total = Math.round(rate * (warmUpSeconds + seconds));
    this.#firstMeasured = Math.round(rate * warmUpSeconds);
    this.#latencies = mix.map(() => new Latencies());
    this.callbacks = {
      onAnswer: (connection, status, body) => this.#answered(connection, status, body),
      onBroken: () => this.#failed('connection closed'),
    };
  }

  async drive(connections) {
    // A ring: each connection in turn, so that ten thousand of them are all used.
    this.#free = [...connections];
    this.#startedAt = performance.now() + 20;
    const finished = new Promise((resolve) => (this.#finish = resolve));
    this.#pump();
    const whole = this.#total * this.#gapMs + DRAIN_MS;
    let timer;
    await Promise.race([finished, new Promise((resolve) => (timer = setTimeout(resolve, whole)))]);
    clearTimeout(timer);
    const unanswered = this.#total - this.#done;
    this.#done = Infinity; // stops the pump
    return {
      errors: this.#errors,
      unanswered,
      sample: this.#sample,
      kinds: this.#latencies.map((latencies) => latencies.summary()),
      lateness: this.#lateness.summary(),
    };
  }

  /** Spins instead of sleeping: timers are only good to a millisecond. The generator has a core of its own. */
  #pump() {
    const now = performance.now();
    while (this.#sent < this.#total && this.#freeFrom < this.#free.length) {
      const due = this.#startedAt + this.#sent * this.#gapMs;
      if (due > now) break;
      this.#ask(due, now);
    }
    if (this.#done < this.#total) setImmediate(() => this.#pump());
  }

  #ask(due, now) {
    const connection = this.#free[this.#freeFrom++];
    if (this.#freeFrom > 4096 && this.#freeFrom * 2 > this.#free.length) this.#compact();
    const kind = this.#turn[this.#sent % this.#turn.length];
    const request = this.#mix[kind].traffic.next(connection);
    connection.kind = this.#sent >= this.#firstMeasured ? kind : -1 - kind;
    this.#sent++;
    if (request === undefined) return this.#failed('no request was ready');
    if (connection.kind >= 0) this.#lateness.add(now - Math.max(due, this.#starvedUntil));
    connection.startedAt = due;
    connection.send(request);
  }

  #compact() {
    this.#free = this.#free.slice(this.#freeFrom);
    this.#freeFrom = 0;
  }

  #answered(connection, status, body) {
    const kind = connection.kind >= 0 ? connection.kind : -1 - connection.kind;
    const { traffic } = this.#mix[kind];
    if (this.#freeFrom === this.#free.length) this.#starvedUntil = performance.now();
    this.#free.push(connection);
    if (status !== traffic.status) return this.#failed(`${status} ${body.toString().slice(0, 200)}`);
    if (connection.kind >= 0) this.#latencies[kind].add(performance.now() - connection.startedAt);
    traffic.receive?.(connection, body);
    this.#finished();
  }

  #failed(sample) {
    this.#errors++;
    this.#sample ??= sample;
    this.#finished();
  }

  #finished() {
    if (++this.#done >= this.#total) this.#finish();
  }
}

/** Shares 9 and 1 -> nine of the first kind, one of the second, evenly spread. */
function turnOf(mix) {
  return mix
    .flatMap(({ share = 1 }, kind) =>
      Array.from({ length: share }, (_, at) => ({ kind, place: (at + 0.5) / share })),
    )
    .toSorted((a, b) => a.place - b.place)
    .map(({ kind }) => kind);
}
