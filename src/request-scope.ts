/**
 * What belongs to the request under way, reached from wherever its code runs: one AsyncLocalStorage for everything,
 * because each costs every request.
 */
import { AsyncLocalStorage } from 'node:async_hooks';
import type { Happening } from './happening.js';

/** How long the request may wait for the store; `store-budget.ts` has the rules. */
export interface WaitBudget {
  leftMs(): number;
  wait<T>(ask: () => Promise<T>, withinMs?: number): Promise<T>;
}

const scopes = new AsyncLocalStorage<RequestScope>();

export class RequestScope {
  /** What was told so far and not delivered yet; made when something is. */
  told: Happening[] | undefined;

  private constructor(readonly budget: WaitBudget) {}

  /** Runs a request: whatever it does, now or later, is in its scope. */
  static run<T>(budget: WaitBudget, request: () => T): T {
    return scopes.run(new RequestScope(budget), request);
  }

  /** Runs what is done for more than one request, and so for nobody's account. */
  static exit<T>(work: () => T): T {
    return scopes.exit(work);
  }

  /** undefined outside of requests. */
  static current(): RequestScope | undefined {
    return scopes.getStore();
  }
}
