/** Waits for a real process, or for work that nobody waits for: looks again and again, and gives up in the end. */
import { setTimeout as pause } from 'node:timers/promises';

const PAUSE_MS = 20;
/** Nothing here takes a tenth of it. A busy machine may be late, and then the verdict must still be the same. */
const GIVE_UP_MS = 120_000;

/**
 * @param look may throw while what it looks at is not there yet
 * @returns the first thing seen that `isWanted`; truth, if that is left out
 * @throws Error with what was seen last when it never came
 */
export async function eventually<T>(
  look: () => T | Promise<T>,
  isWanted: (seen: T) => boolean = Boolean,
): Promise<T> {
  const asked = new Error(`not within ${GIVE_UP_MS} ms`);
  const deadline = performance.now() + GIVE_UP_MS;
  for (;;) {
    let last: unknown;
    try {
      const seen = await look();
      if (isWanted(seen)) return seen;
      last = seen;
    } catch (error) {
      last = error;
    }
    if (performance.now() > deadline) {
      asked.message += `; seen last: ${last instanceof Error ? last.message : JSON.stringify(last)}`;
      asked.cause = last;
      throw asked;
    }
    await pause(PAUSE_MS);
  }
}
