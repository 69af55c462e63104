/**
 * A thousand signatures to check, commands to send or lines to write, some in a turn of the event loop: in one, they
 * would keep everybody else waiting.
 */
import { setImmediate as nextTurn } from 'node:timers/promises';

/** Of commands and signatures, some 30 µs each. */
const PORTION = 32;

/**
 * A turn for others comes between one portion and the next.
 * @param size what takes about a millisecond: when much is to be done, a turn of the others may take ten times that
 */
export async function* portionsOf<T>(items: readonly T[], size: number): AsyncGenerator<readonly T[]> {
  for (let at = 0; at < items.length; at += size) {
    if (at > 0) await nextTurn();
    yield items.slice(at, at + size);
  }
}

/** All of them are on their way at once, but not begun at once. @returns the outcomes, in the same order */
export async function askInPortions<T, R>(
  items: readonly T[],
  ask: (item: T) => Promise<R>,
): Promise<PromiseSettledResult<R>[]> {
  const outcomes: Promise<PromiseSettledResult<R>[]>[] = [];
  for await (const portion of portionsOf(items, PORTION)) outcomes.push(Promise.allSettled(portion.map(ask)));
  return (await Promise.all(outcomes)).flat();
}

/** The values of outcomes. @throws what the first that failed says */
export function valuesOf<R>(outcomes: readonly PromiseSettledResult<R>[]): R[] {
  return outcomes.map((outcome) => {
    if (outcome.status === 'rejected') throw outcome.reason;
    return outcome.value;
  });
}
