import { setImmediate as nextTurn } from 'node:timers/promises';
import { expect, test } from '@jest/globals';
import { atEndOfTurn, endTurn } from '../../src/turn-end.js';

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

test('what becomes due meanwhile waits for the next end', async () => {
  const done: number[] = [];
  atEndOfTurn(() => {
    done.push(1);
    atEndOfTurn(() => done.push(2));
  });
  endTurn();
  expect(done).toEqual([1]);
  await nextTurn();
  expect(done).toEqual([1, 2]);
});
