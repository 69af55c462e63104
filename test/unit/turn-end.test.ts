import { setImmediate as nextTurn, setTimeout as pause } from 'node:timers/promises';
import { afterEach, beforeEach, describe, expect, jest, test } from '@jest/globals';
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

describe('where no timer fires, what is due after a time', () => {
  let nowMs = 0;
  beforeEach(() => {
    jest.spyOn(performance, 'now').mockImplementation(() => nowMs);
  });
  afterEach(() => {
    jest.restoreAllMocks();
  });

  test('is done at an end of a turn, once and not early', async () => {
    let done = 0;
    afterMs(20, () => done++);
    nowMs += 19;
    endTurn();
    expect(done).toBe(0);
    nowMs += 1;
    endTurn();
    expect(done).toBe(1);
    endTurn();
    await pause(30);
    expect(done).toBe(1);
  });

  test('can be taken back', async () => {
    let done = 0;
    const takeBack = afterMs(20, () => done++);
    takeBack();
    nowMs += 20;
    endTurn();
    await pause(30);
    expect(done).toBe(0);
  });
});
