/**
 * What is better done once for many: at the end of a turn of the event loop, when all that came in it is there. Under
 * load that end may be far away, since libuv goes on reading sockets while many are ready, 49,152 of them at most: a
 * turn of that length is a second and more. Whoever has had enough for one turn ends it.
 */
let due: (() => void)[] = [];

/** @param work must not throw */
export function atEndOfTurn(work: () => void): void {
  if (due.push(work) === 1) setImmediate(endTurn);
}

/** Does now what is due at the end of this turn. */
export function endTurn(): void {
  const works = due;
  due = [];
  for (const work of works) work();
}
