/**
 * The application's one source of wall-clock time, injected everywhere, so that tests can turn it.
 * Stores never ask their own clock what a session's age is: they are told.
 */
export abstract class Clock {
  /** Milliseconds since the Unix epoch, a whole number. */
  abstract nowMs(): number;
  /** Milliseconds from some point; never set, never turned back. */
  abstract monotonicMs(): number;
}

/** The machine's clock. */
export class SystemClock extends Clock {
  nowMs(): number {
    return Date.now();
  }

  monotonicMs(): number {
    return performance.now();
  }
}

/**
 * The time by which things may be forgotten: the clock's, but when that jumps ahead, this follows at twice the speed
 * of real time. So a clock that is set wrong for a while and put right again has made nobody forget a revocation.
 */
export class ForgettingTime {
  private lastMs: number;
  private lastMonotonicMs: number;

  constructor(private readonly clock: Clock) {
    this.lastMs = clock.nowMs();
    this.lastMonotonicMs = clock.monotonicMs();
  }

  nowMs(): number {
    const monotonicMs = this.clock.monotonicMs();
    const furthestMs = this.lastMs + 2 * (monotonicMs - this.lastMonotonicMs);
    this.lastMs = Math.min(this.clock.nowMs(), Math.ceil(furthestMs));
    this.lastMonotonicMs = monotonicMs;
    return this.lastMs;
  }
}

/** RFC 7519 NumericDate of a time in milliseconds: whole seconds, rounded down. */
export function toSeconds(ms: number): number {
  return Math.floor(ms / 1000);
}
