/**
 * A thousand signatures to check or commands to send, all on their way at once, but begun some in a turn of the event
 * loop: begun in one, they would keep everybody else waiting.
 */
import { setImmediate as nextTurn } from 'node:timers/promises';

const PORTION = 32;

/** @returns the outcomes, in the same order */
export async function askInPortions<T, R>(
  items: readonly T[],
  ask: (item: T) => Promise<R>,
): Promise<PromiseSettledResult<R>[]> {
  const outcomes: Promise<PromiseSettledResult<R>[]>[] = [];
  for (let at = 0; at < items.length; at += PORTION) {
    if (at > 0) await nextTurn();
    outcomes.push(Promise.allSettled(items.slice(at, at + PORTION).map(ask)));
  }
  return (await Promise.all(outcomes)).flat();
}

/** The values of outcomes. @throws what the first that failed says */
export function valuesOf<R>(outcomes: readonly PromiseSettledResult<R>[]): R[] {
  return outcomes.map((outcome) => {
    if (outcome.status === 'rejected') throw outcome.reason;
    return outcome.value;
  });
}
