/**
 * Rate limits: a token bucket's rules, as functions of its level and the time, and the port through which instances
 * share one. Knows no requests and no tenants.
 */

export interface RateLimit {
  readonly perSecond: number;
  /** How many may come at once: what a full bucket holds. */
  readonly burst: number;
}

/** @returns null for a limit that is switched off */
export function rateLimit(perSecond: number, burstSeconds: number): RateLimit | null {
  return perSecond > 0 ? { perSecond, burst: perSecond * burstSeconds } : null;
}

/**
 * However much was taken too much, a bucket is never further from full than this: a limit that was lowered, or a
 * nonsensical value in the store, locks nobody out for longer.
 */
export const MAX_DEBT_SECONDS = 60;

/** @returns the level after what the bucket has gained and what was taken from it; below zero is debt */
export function levelAfter(
  level: number,
  { perSecond, burst }: RateLimit,
  { elapsedMs, taken }: { elapsedMs: number; taken: number },
): number {
  const filled = Math.min(burst, level + (perSecond * elapsedMs) / 1000);
  return Math.max(filled - taken, -perSecond * MAX_DEBT_SECONDS);
}

/** What one instance has to say of a shared bucket. */
export interface Spending {
  readonly bucket: string;
  readonly limit: RateLimit;
  /** Tokens that were taken since it was last said. */
  readonly taken: number;
  /** Requests that asked for one, whether or not they got it. */
  readonly asked: number;
}

/** What is known of a shared bucket. */
export interface SharedLevel {
  readonly level: number;
  /** Requests of all instances so far; begins anew when the bucket was forgotten. */
  readonly asked: number;
}

/** Where the instances of the service share buckets. A bucket that is not there is full. */
export abstract class SharedBuckets {
  /**
   * Takes from each bucket what was taken already, whether or not it held that much. A bucket whose limit is not the
   * one that is kept begins anew, full.
   * @param nowMs on the application's clock; instances' clocks may differ by seconds
   * @returns the buckets' levels, in the same order
   * @throws AppError store_unavailable; then some of it may have been taken
   */
  abstract spend(spendings: readonly Spending[], nowMs: number): Promise<SharedLevel[]>;
}

/** Clocks further apart than this are not two instances' clocks, but one that was set. */
export const MAX_CLOCK_SKEW_MS = 5000;

/** One instance's view of a bucket: right by itself when it is the only one, corrected by what it hears of others. */
export class TokenBucket {
  private level: number;
  private filledAtMs: number;
  /** Of all instances' requests, the part that came here: so much of the gain is ours until we hear again. */
  private share = 1;
  private taken = 0;
  private asked = 0;
  private heardAsked = 0;

  constructor(
    readonly limit: RateLimit,
    nowMs: number,
  ) {
    this.level = limit.burst;
    this.filledAtMs = nowMs;
  }

  /**
   * Notes that a request came.
   * @param least the level that it needs
   * @param nowMs on a clock that is never set
   */
  admits(least: number, nowMs: number): boolean {
    this.asked++;
    const elapsedMs = (nowMs - this.filledAtMs) * this.share;
    this.level = levelAfter(this.level, this.limit, { elapsedMs, taken: 0 });
    this.filledAtMs = nowMs;
    return this.level >= least;
  }

  /** Also more than it holds: who did more than it asked for is in debt. */
  take(tokens: number): void {
    this.level -= tokens;
    this.taken += tokens;
  }

  /** Whole tokens left. */
  get remaining(): number {
    return Math.max(0, Math.floor(this.level));
  }

  /** Until the bucket holds so much, if nobody takes from it; whole seconds, at least one. */
  secondsUntil(level: number): number {
    return Math.max(1, Math.ceil((level - this.level) / this.limit.perSecond));
  }

  /** What others have not been told yet; from here on it counts as told. */
  tell(): { taken: number; asked: number } {
    const { taken, asked } = this;
    this.taken = 0;
    this.asked = 0;
    return { taken, asked };
  }

  /**
   * @param toldAsked what was told when this was asked for
   * @param askedAtMs when that was
   */
  hear({ level, asked }: SharedLevel, toldAsked: number, askedAtMs: number): void {
    // What was taken here meanwhile, nobody else knows yet.
    this.level = level - this.taken;
    this.filledAtMs = askedAtMs;
    const askedByAll = asked >= this.heardAsked ? asked - this.heardAsked : asked;
    this.heardAsked = asked;
    // When nobody asked, as after a charge, that says nothing of whose the gain is.
    if (askedByAll > 0) this.share = Math.min(1, toldAsked / askedByAll);
  }

  /** Nobody can be heard of: this instance limits by itself. */
  hearNothing(): void {
    this.share = 1;
  }
}
