import { setImmediate as nextTurn } from 'node:timers/promises';
import { expect, test } from '@jest/globals';
import { TurnBatch } from '../../src/http/turn-batch.js';

test('what comes in one turn is dealt with together, in order', async () => {
  const dealt: number[][] = [];
  const batch = new TurnBatch<number>(3, (items) => dealt.push([...items]));
  batch.add(0);
  batch.add(1);
  await Promise.resolve();
  expect(dealt).toEqual([]);
  await nextTurn();
  expect(dealt).toEqual([[0, 1]]);
});

test('a portion that is full waits for nobody', async () => {
  const dealt: number[][] = [];
  const batch = new TurnBatch<number>(3, (items) => dealt.push([...items]));
  for (let item = 0; item < 7; item++) batch.add(item);
  expect(dealt).toEqual([
    [0, 1, 2],
    [3, 4, 5],
  ]);
  await nextTurn();
  expect(dealt.slice(2)).toEqual([[6]]);
  for (let item = 7; item < 10; item++) batch.add(item);
  expect(dealt.slice(3)).toEqual([[7, 8, 9]]);
  await nextTurn();
  expect(dealt).toHaveLength(4);
});

test('what comes meanwhile has its own turn', async () => {
  const dealt: number[][] = [];
  const batch = new TurnBatch<number>(3, (items) => {
    dealt.push([...items]);
    if (dealt.length === 1) batch.add(2);
  });
  batch.add(1);
  await nextTurn();
  expect(dealt).toEqual([[1]]);
  await nextTurn();
  expect(dealt).toEqual([[1], [2]]);
});
