import { setImmediate as nextTurn } from 'node:timers/promises';
import { expect, test } from '@jest/globals';
import { askInPortions, valuesOf } from '../../src/sessions/in-portions.js';

const numbers = (count: number): number[] => Array.from({ length: count }, (_, at) => at);

test('what is asked in portions is not begun at once, and waits for no answer before it is', async () => {
  const answers: (() => void)[] = [];
  const asked = askInPortions(numbers(1000), (n) => {
    return new Promise<number>((resolve) => {
      answers.push(() => resolve(2 * n));
      if (answers.length === 1000) for (const answer of answers.toReversed()) answer();
    });
  });
  await nextTurn();
  expect(answers.length).toBeGreaterThan(0);
  expect(answers.length).toBeLessThan(100);
  expect(valuesOf(await asked)).toEqual(numbers(1000).map((n) => 2 * n));
});

test('of what was asked in portions, each fails by itself', async () => {
  const outcomes = await askInPortions(numbers(50), (n) =>
    n === 40 ? Promise.reject(new Error('no')) : Promise.resolve(n),
  );
  expect(outcomes.flatMap(({ status }, at) => (status === 'rejected' ? at : []))).toEqual([40]);
  expect(() => valuesOf(outcomes)).toThrow('no');
});
