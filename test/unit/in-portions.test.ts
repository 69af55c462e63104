import { expect, test } from '@jest/globals';
import { askInPortions, portionsOf, valuesOf } from '../../src/in-portions.js';

const numbers = (count: number): number[] => Array.from({ length: count }, (_, at) => at);

test('portions have all of it in its order, and each but the first its own turn', async () => {
  const turns: number[] = [];
  let turn = 0;
  let isOver = false;
  const others = (): void => {
    turn++;
    if (!isOver) setImmediate(others);
  };
  const seen: number[][] = [];
  for await (const portion of portionsOf(numbers(250), 100)) {
    if (seen.length === 0) setImmediate(others);
    seen.push([...portion]);
    turns.push(turn);
  }
  isOver = true;
  expect(seen.map(({ length }) => length)).toEqual([100, 100, 50]);
  expect(seen.flat()).toEqual(numbers(250));
  expect(new Set(turns).size).toBe(3);
});

test.each([0, 1, 100])('%d items in portions of 100 wait for no turn', async (count) => {
  let turned = false;
  setImmediate(() => (turned = true));
  const seen: number[] = [];
  for await (const portion of portionsOf(numbers(count), 100)) seen.push(...portion);
  expect({ seen, turned }).toEqual({ seen: numbers(count), turned: false });
});

test('what is asked in portions does not wait for the portion before it', async () => {
  const answers: (() => void)[] = [];
  const asked = askInPortions(numbers(1000), (n) => {
    return new Promise<number>((resolve) => {
      answers.push(() => resolve(2 * n));
      if (answers.length === 1000) for (const answer of answers.toReversed()) answer();
    });
  });
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
