import { describe, expect, test } from '@jest/globals';
import { FairTurns } from '../../src/keys/fair-turns.js';

/** Takes turns for each, in the order of the letters. @returns in which order they were done, and how many at once */
async function doneFor(wishes: string): Promise<{ order: string; atOnce: number }> {
  const turns = new FairTurns();
  let order = '';
  let working = 0;
  let atOnce = 0;
  // Nobody is served before everybody has asked.
  const first = turns.take('first', () => new Promise(setImmediate));
  await Promise.all(
    [...wishes].map((who) =>
      turns.take(who, async () => {
        atOnce = Math.max(atOnce, ++working);
        await new Promise(setImmediate);
        order += who;
        working--;
      }),
    ),
  );
  await first;
  return { order, atOnce };
}

describe('turns', () => {
  test('are taken one at a time', async () => {
    expect((await doneFor('aaabbbccc')).atOnce).toBe(1);
  });

  test('go round: who wants one waits for one of each other', async () => {
    expect((await doneFor('aaaaaabc')).order).toBe('abcaaaaa');
    expect((await doneFor('aaabbbccc')).order).toBe('abcabcabc');
  });

  test('of one are in the order in which they were asked for', async () => {
    const turns = new FairTurns();
    const done: number[] = [];
    await Promise.all([1, 2, 3].map((n) => turns.take('a', async () => void done.push(n))));
    expect(done).toEqual([1, 2, 3]);
  });

  test('go on after one that failed, and who took it hears of it', async () => {
    const turns = new FairTurns();
    const failing = turns.take('a', () => Promise.reject(new Error('no')));
    const next = turns.take('a', async () => 'yes');
    await expect(failing).rejects.toThrow('no');
    expect(await next).toBe('yes');
    expect(await turns.take('b', async () => 'later')).toBe('later');
  });
});
