import { setImmediate as nextTurn } from 'node:timers/promises';
import { expect, test } from '@jest/globals';
import { TurnBatch } from '../../src/http/turn-batch.js';

test('what comes in one turn is dealt with together, in order, in portions', async () => {
  const dealt: number[][] = [];
  const batch = new TurnBatch<number>(3, (portion) => dealt.push([...portion]));
  for (let item = 0; item < 7; item++) batch.add(item);
  await Promise.resolve();
  expect(dealt).toEqual([]);
  await nextTurn();
  expect(dealt).toEqual([[0, 1, 2], [3, 4, 5], [6]]);
});

test('what comes meanwhile has its own turn', async () => {
  const dealt: number[][] = [];
  const batch = new TurnBatch<number>(3, (portion) => {
    dealt.push([...portion]);
    if (dealt.length === 1) batch.add(2);
  });
  batch.add(1);
  await nextTurn();
  expect(dealt).toEqual([[1]]);
  await nextTurn();
  expect(dealt).toEqual([[1], [2]]);
});
