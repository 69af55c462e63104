/**
 * What is better done once for many: at the end of a turn of the event loop, when all that came in it is there. Under
 * load that end may be far away: libuv goes on reading sockets while more than a thousand are ready, for a second and
 * longer. So enough work ends a turn, too.
 */
import { RequestScope } from './request-scope.js';

/** Heads and bodies: 32 requests that came whole. */
const ENOUGH = 64;

let due: (() => void)[] = [];
const timed = new Set<{ readonly dueMs: number; readonly fire: () => void }>();
let count = 0;

/** @param work must not throw; it is done for many, and so in nobody's scope */
export function atEndOfTurn(work: () => void): void {
  if (due.push(work) === 1) setImmediate(endTurn);
}

/**
 * As setTimeout, for what is not to come late while a turn does not end: no timer fires in it, but the ends of turns that
 * enough work makes look at this.
 * @param work as of `atEndOfTurn` @returns what takes it back
 */
export function afterMs(ms: number, work: () => void): () => void {
  const takeBack = (): void => {
    clearTimeout(timer);
    timed.delete(waiting);
  };
  const fire = (): void => {
    takeBack();
    work();
  };
  const timer = RequestScope.exit(() => setTimeout(fire, ms));
  const waiting = { dueMs: performance.now() + ms, fire };
  timed.add(waiting);
  return takeBack;
}

/** Counts what was read of a request, whatever becomes of it: its head, or its body. */
export function countTowardsEnd(): void {
  if (++count >= ENOUGH) endTurn();
}

/** Does now what is due at the end of this turn, and what becomes due by that. */
export function endTurn(): void {
  count = 0;
  RequestScope.exit(() => {
    fireDue();
    while (due.length > 0) {
      const works = due;
      due = [];
      for (const work of works) work();
    }
  });
}

function fireDue(): void {
  if (timed.size === 0) return;
  const nowMs = performance.now();
  for (const { dueMs, fire } of timed) if (dueMs <= nowMs) fire();
}
