import { setImmediate as nextTurn } from 'node:timers/promises';
import { beforeEach, expect, test } from '@jest/globals';
import { TurnBatch } from '../../src/http/turn-batch.js';
import { atEndOfTurn, countTowardsEnd, endTurn } from '../../src/turn-end.js';

beforeEach(endTurn); // nothing is counted yet

test('what comes in one turn is dealt with together, in order', async () => {
  const dealt: number[][] = [];
  const batch = new TurnBatch<number>((items) => dealt.push([...items]));
  batch.add(0);
  batch.add(1);
  await Promise.resolve();
  expect(dealt).toEqual([]);
  await nextTurn();
  expect(dealt).toEqual([[0, 1]]);
});

test('enough of them wait for nobody, whether more come or not', async () => {
  const dealt: number[] = [];
  const batch = new TurnBatch<number>((items) => dealt.push(items.length));
  for (let item = 0; item < 70; item++) {
    countTowardsEnd(); // its head
    batch.add(item);
  }
  expect(dealt).toEqual([32, 32]);
  await nextTurn();
  expect(dealt).toEqual([32, 32, 6]);
});

test('nor do they wait for a flood of others', async () => {
  const dealt: number[] = [];
  const batch = new TurnBatch<number>((items) => dealt.push(items.length));
  batch.add(0);
  for (let other = 0; other < 63; other++) countTowardsEnd();
  expect(dealt).toEqual([1]);
});

test('what comes meanwhile, and what becomes due, is done right after', () => {
  const done: string[] = [];
  const batch = new TurnBatch<string>((items) => {
    atEndOfTurn(() => done.push('asked'));
    done.push(...items);
    if (items.includes('one')) batch.add('two');
  });
  batch.add('one');
  endTurn();
  expect(done).toEqual(['one', 'asked', 'two', 'asked']);
});
