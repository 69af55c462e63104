import { setTimeout as delay } from 'node:timers/promises';
import { describe, expect, test } from '@jest/globals';
import { RequestScope } from '../../src/request-scope.js';
import { StoreBudget } from '../../src/store-budget.js';

const never = (): Promise<never> => new Promise(() => undefined);
const inScope = <T>(limitMs: number, request: () => Promise<T>): Promise<T> =>
  RequestScope.run(new StoreBudget(limitMs), request);

describe('a request’s waiting for the store', () => {
  test('ends with its budget, whatever is asked', async () => {
    await expect(inScope(30, () => StoreBudget.wait(never))).rejects.toMatchObject({
      code: 'store_unavailable',
    });
    await expect(inScope(30, () => StoreBudget.wait(never, 1000))).rejects.toMatchObject({
      code: 'store_unavailable',
    });
  });

  test('counts what has its own time-out too, and leaves what is left to the next', async () => {
    await inScope(200, async () => {
      expect(await StoreBudget.wait(() => delay(60, 'answer'), 100)).toBe('answer');
      const leftMs = StoreBudget.leftMs();
      expect(leftMs).toBeLessThan(150);
      // More than is left: from here on the budget ends it.
      const startedAt = performance.now();
      await expect(StoreBudget.wait(never, leftMs + 1)).rejects.toMatchObject({ code: 'store_unavailable' });
      expect(performance.now() - startedAt).toBeGreaterThan(leftMs - 5);
      // Timers take whole milliseconds, and may go off one early.
      expect(StoreBudget.leftMs()).toBeLessThan(3);
    });
  });

  test('hands on what the store says, its failures too', async () => {
    const fails = async (): Promise<never> => {
      throw new Error('no');
    };
    await inScope(1000, async () => {
      await expect(StoreBudget.wait(fails, 10)).rejects.toThrow('no');
      await expect(StoreBudget.wait(fails)).rejects.toThrow('no');
    });
    expect(await StoreBudget.wait(async () => 7, 1)).toBe(7); // outside of requests
  });
});
