/**
 * All cores of one machine: a primary process that serves nothing itself, and workers that share its port. It starts
 * them, replaces one that died, passes their metrics on, and leaves when all of them have left.
 */
import cluster, { type Worker } from 'node:cluster';
import type { Log } from './logging/log.js';
import { passMetricsOn } from './http/metrics/worker-metrics.js';

/** A worker that dies as soon as it is there must not be started a thousand times a second. */
const RESTART_DELAY_MS = 1000;

export class Workers {
  private leaving = false;
  private failed = false;

  constructor(
    private readonly count: number,
    private readonly log: Log,
  ) {}

  /** Runs until all workers have left; the process ends then, with 1 when they could not start. */
  run(): void {
    cluster.on('exit', (worker, code, signal) => this.onExit(worker, signal ?? code));
    // The first one alone: what keeps it from booting would be said by each of them, and a first boot is done once.
    cluster.once('listening', () => {
      for (let started = 1; started < this.count; started++) cluster.fork();
    });
    passMetricsOn();
    for (const signal of ['SIGTERM', 'SIGINT'] as const) process.on(signal, () => this.leave());
    cluster.fork();
  }

  private onExit(worker: Worker, how: string | number): void {
    if (!this.leaving && !hasServed(worker)) {
      this.failed = true; // it has said why
      this.leave();
    }
    if (this.leaving) {
      if (living().length === 0) process.exit(this.failed ? 1 : 0);
      return;
    }
    this.log.error(
      { event: 'worker_died', pid: worker.process.pid, how },
      'a worker died; another takes its place',
    );
    setTimeout(() => {
      if (!this.leaving) cluster.fork();
    }, RESTART_DELAY_MS);
  }

  private leave(): void {
    this.leaving = true;
    for (const worker of living()) worker.process.kill('SIGTERM');
    if (living().length === 0) process.exit(this.failed ? 1 : 0);
  }
}

const served = new WeakSet<Worker>();
cluster.on('listening', (worker) => served.add(worker));
const hasServed = (worker: Worker) => served.has(worker);

const living = (): Worker[] =>
  Object.values(cluster.workers ?? {}).flatMap((worker) => (worker && !worker.isDead() ? [worker] : []));
