import { setImmediate as nextTurn, setTimeout as pause } from 'node:timers/promises';
import { expect, test } from '@jest/globals';
import { RequestScope } from '../../src/request-scope.js';
import { StoreBudget } from '../../src/store-budget.js';
import { afterMs, atEndOfTurn, endTurn } from '../../src/turn-end.js';

test('what is due at the end of a turn is done once, in order, and not before it', async () => {
  const done: number[] = [];
  atEndOfTurn(() => done.push(1));
  atEndOfTurn(() => done.push(2));
  await Promise.resolve();
  expect(done).toEqual([]);
  await nextTurn();
  expect(done).toEqual([1, 2]);
});

test('who ends the turn has it done at once, and not again', async () => {
  const done: number[] = [];
  atEndOfTurn(() => done.push(1));
  endTurn();
  expect(done).toEqual([1]);
  atEndOfTurn(() => done.push(2));
  await nextTurn();
  expect(done).toEqual([1, 2]);
});

test('what becomes due meanwhile is done with it, after it', () => {
  const done: number[] = [];
  atEndOfTurn(() => {
    atEndOfTurn(() => done.push(3));
    done.push(1);
  });
  atEndOfTurn(() => done.push(2));
  endTurn();
  expect(done).toEqual([1, 2, 3]);
});

test('it is done in nobody’s scope, whoever asked for it first', async () => {
  const scopes: unknown[] = [];
  const note = () => scopes.push(RequestScope.current());
  RequestScope.run(StoreBudget.ofRequest(500), () => atEndOfTurn(note));
  await nextTurn();
  RequestScope.run(StoreBudget.ofRequest(500), () => {
    atEndOfTurn(note);
    endTurn();
  });
  expect(scopes).toEqual([undefined, undefined]);
});

/** Nothing else happens meanwhile: no timer fires. */
function standStill(ms: number): void {
  const untilMs = performance.now() + ms;
  while (performance.now() < untilMs);
}

test('what is due after a time is done by a timer, once', async () => {
  let done = 0;
  await new Promise<void>((resolve) =>
    afterMs(5, () => {
      done++;
      resolve();
    }),
  );
  endTurn();
  expect(done).toBe(1);
});

test('what is due after a time is done at an end of a turn where no timer fires, once and not early', async () => {
  let done = 0;
  afterMs(20, () => done++);
  endTurn();
  expect(done).toBe(0);
  standStill(25);
  endTurn();
  expect(done).toBe(1);
  endTurn();
  await pause(30);
  expect(done).toBe(1);
});

test('what is due after a time can be taken back', async () => {
  let done = 0;
  const takeBack = afterMs(5, () => done++);
  takeBack();
  standStill(10);
  endTurn();
  await pause(10);
  expect(done).toBe(0);
});
