/**
 * What time Redis thinks it is, estimated from here: the clocks of two machines need not agree for a deadline to
 * mean the same on both.
 */
import { Cluster, type Redis } from 'ioredis';

const MEASURE_INTERVAL_MS = 10_000;

export class RedisTime {
  /** Redis' clock minus ours (monotonic), in ms; unknown until measured. */
  private offsetMs: number | null = null;
  private readonly timer: NodeJS.Timeout;

  constructor(private readonly client: Redis | Cluster) {
    this.timer = setInterval(() => void this.measure().catch(() => undefined), MEASURE_INTERVAL_MS).unref();
    // Behind a new connection there may be a new server.
    client.on('ready', () => void this.measure().catch(() => undefined));
  }

  /** @returns ms of Redis' clock at which `withinMs` from now will have passed, rounded up */
  async deadlineIn(withinMs: () => number): Promise<number> {
    return deadline(this.offsetMs ?? (await this.measure()), withinMs);
  }

  /** The same without asking; undefined while the clock is not known. */
  deadlineNow(withinMs: () => number): number | undefined {
    return this.offsetMs === null ? undefined : deadline(this.offsetMs, withinMs);
  }

  /** ms of Redis' clock now; our own where it was never measured. */
  nowMs(): number {
    return performance.now() + (this.offsetMs ?? performance.timeOrigin);
  }

  /** Asks all masters of a cluster; of those that answer, believes the one ahead: a deadline is never too early. */
  async measure(): Promise<number> {
    const servers = this.client instanceof Cluster ? this.client.nodes('master') : [this.client];
    const offsets = await Promise.allSettled(servers.map((server) => offsetOf(server)));
    const known = offsets.flatMap((offset) => (offset.status === 'fulfilled' ? [offset.value] : []));
    const offsetMs = Math.max(...known);
    if (!Number.isFinite(offsetMs)) throw new Error('no Redis master answers');
    this.offsetMs = offsetMs;
    return offsetMs;
  }

  /** A deadline was missed: perhaps the estimate is wrong. */
  forget(): void {
    this.offsetMs = null;
  }

  stop(): void {
    clearInterval(this.timer);
  }
}

function deadline(offsetMs: number, withinMs: () => number): number {
  return Math.ceil(performance.now() + offsetMs + withinMs());
}

async function offsetOf(server: Redis): Promise<number> {
  const askedAt = performance.now();
  const [seconds = 0, microseconds = 0] = (await server.time()).map(Number);
  const answeredAt = performance.now();
  return seconds * 1000 + microseconds / 1000 - (askedAt + answeredAt) / 2;
}
