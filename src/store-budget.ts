/**
 * How long one request may wait for the store, all of its reads and writes together: each has a time-out of its
 * own, but a chain of them could add up to a request that nobody waits for any more. What the request does between
 * them, such as making a key, is not counted; nor is the client's own slowness in sending it.
 */
import { AppError } from './errors.js';
import { RequestScope, type WaitBudget } from './request-scope.js';

/**
 * In time-outs of one command. With the default of 500 ms, a chain of four commands still succeeds on a store that takes
 * 200 ms for each, and no request takes a second.
 */
const TIMEOUTS_OF_A_REQUEST = 1.8;

export class StoreBudget implements WaitBudget {
  private waits = 0;
  private waitingSinceMs = 0;
  private spentMs = 0;

  /** @param limitMs for everything that one request asks of the store */
  constructor(private readonly limitMs: number) {}

  /** @param commandTimeoutMs after which one command is given up */
  static ofRequest(commandTimeoutMs: number): StoreBudget {
    return new StoreBudget(commandTimeoutMs * TIMEOUTS_OF_A_REQUEST);
  }

  /** ms that the current request may still wait; Infinity outside of requests. */
  static leftMs(): number {
    return RequestScope.current()?.budget.leftMs() ?? Number.POSITIVE_INFINITY;
  }

  /**
   * Asks the store, unless the current request has waited enough, and stops waiting when it has.
   * @param withinMs how long it takes at most, where that is known: then no clock of ours need run beside it
   * @throws AppError store_unavailable then; what was asked may still happen
   */
  static wait<T>(ask: () => Promise<T>, withinMs?: number): Promise<T> {
    const budget = RequestScope.current()?.budget;
    return budget ? budget.wait(ask, withinMs) : ask();
  }

  /** Waits at the same time count once. */
  leftMs(): number {
    const waitedMs = this.waits > 0 ? performance.now() - this.waitingSinceMs : 0;
    return this.limitMs - this.spentMs - waitedMs;
  }

  async wait<T>(ask: () => Promise<T>, withinMs = Number.POSITIVE_INFINITY): Promise<T> {
    const leftMs = this.leftMs();
    if (leftMs <= 0) throw spent();
    if (this.waits++ === 0) this.waitingSinceMs = performance.now();
    let timer: NodeJS.Timeout | undefined;
    try {
      if (withinMs <= leftMs) return await ask();
      const end = new Promise<never>((_, reject) => {
        timer = setTimeout(() => reject(spent()), leftMs);
      });
      return await Promise.race([ask(), end]);
    } finally {
      clearTimeout(timer);
      if (--this.waits === 0) this.spentMs += performance.now() - this.waitingSinceMs;
    }
  }
}

/** Why a request that has waited long enough is refused. */
export class BudgetSpentError extends Error {
  constructor() {
    super('the request has waited long enough');
  }
}

function spent(): AppError {
  return new AppError('store_unavailable', { cause: new BudgetSpentError() });
}
