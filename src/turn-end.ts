/**
 * What is better done once for many: at the end of a turn of the event loop, when all that came in it is there. Under
 * load that end may be far away: libuv goes on reading sockets while more than a thousand are ready, for a second and
 * longer. So enough work ends a turn, too.
 */
import { RequestScope } from './request-scope.js';

/** Heads and bodies: 32 requests that came whole. */
const ENOUGH = 64;

let due: (() => void)[] = [];
let count = 0;

/** @param work must not throw; it is done for many, and so in nobody's scope */
export function atEndOfTurn(work: () => void): void {
  if (due.push(work) === 1) setImmediate(endTurn);
}

/** Counts what was read of a request, whatever becomes of it: its head, or its body. */
export function countTowardsEnd(): void {
  if (++count >= ENOUGH) endTurn();
}

/** Does now what is due at the end of this turn, and what becomes due by that. */
export function endTurn(): void {
  count = 0;
  RequestScope.exit(() => {
    while (due.length > 0) {
      const works = due;
      due = [];
      for (const work of works) work();
    }
  });
}
