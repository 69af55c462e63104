/**
 * What is better done once for many: at the end of a turn of the event loop, when all that came in it is there. Under
 * load that end may be far away: libuv goes on reading sockets while more than a thousand are ready, for a second and
 * longer. So enough work ends a turn, too.
 */
import { AsyncLocalStorage } from 'node:async_hooks';

/** Requests. */
const ENOUGH = 32;

/** What is due was asked for by many: it must not run in the scope of whoever happened to be the first. */
const outside = AsyncLocalStorage.snapshot();

let due: (() => void)[] = [];
let count = 0;

/** @param work must not throw */
export function atEndOfTurn(work: () => void): void {
  if (due.push(work) === 1) setImmediate(endTurn);
}

/** Counts a request, whatever became of it. */
export function countTowardsEnd(): void {
  if (++count >= ENOUGH) endTurn();
}

/** Does now what is due at the end of this turn. */
export function endTurn(): void {
  count = 0;
  if (due.length === 0) return;
  const works = due;
  due = [];
  outside(() => {
    for (const work of works) work();
  });
}
