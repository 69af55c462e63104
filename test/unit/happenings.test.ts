import type { CallHandler, ExecutionContext } from '@nestjs/common';
import { beforeEach, describe, expect, test } from '@jest/globals';
import type { FastifyRequest } from 'fastify';
import { lastValueFrom, of, throwError } from 'rxjs';
import { SystemClock } from '../../src/clock.js';
import type { Happening } from '../../src/happening.js';
import { Happenings, type Circumstances } from '../../src/http/happenings.js';
import { HappeningsInterceptor } from '../../src/http/happenings.interceptor.js';
import { RequestScope } from '../../src/request-scope.js';
import { StoreBudget } from '../../src/store-budget.js';

const REQUEST = {
  method: 'POST',
  id: 'r1',
  ip: '127.0.0.1',
  body: {},
  query: {},
} as unknown as FastifyRequest;
const CONTEXT = { switchToHttp: () => ({ getRequest: () => REQUEST }) } as unknown as ExecutionContext;

const ended = (count: number): Happening[] =>
  Array.from({ length: count }, (_, at) => ({
    kind: 'session_ended',
    tenantId: 'acme',
    sessionId: `s${at}`,
    userId: 'alice',
    reason: 'admin',
    again: false,
  }));

describe('what a request has told', () => {
  let happenings: Happenings;
  let interceptor: HappeningsInterceptor;
  let heard: { readonly told: readonly Happening[]; readonly circumstances: Circumstances }[];

  beforeEach(() => {
    heard = [];
    happenings = new Happenings(new SystemClock());
    happenings.subscribe({ hear: (told, circumstances) => void heard.push({ told, circumstances }) });
    interceptor = new HappeningsInterceptor(happenings);
  });

  const answerOf = (handler: CallHandler): Promise<unknown> =>
    RequestScope.run(StoreBudget.ofRequest(500), () =>
      lastValueFrom(interceptor.intercept(CONTEXT, handler)),
    );
  const telling = (happened: readonly Happening[]): CallHandler => ({
    handle: () => {
      happenings.tell(...happened);
      expect(heard).toEqual([]);
      return of('done');
    },
  });

  test.each([1, 100, 1000])('is delivered before the answer leaves: %d happenings', async (count) => {
    const happened = ended(count);
    expect(await answerOf(telling(happened))).toBe('done');
    expect(heard.flatMap(({ told }) => told)).toEqual(happened);
    expect(new Set(heard.map(({ circumstances }) => circumstances.requestId))).toEqual(new Set(['r1']));
  });

  test('is delivered some in a turn where it is much: others are served in between', async () => {
    const turns: number[] = [];
    let turn = 0;
    happenings.subscribe({ hear: () => void turns.push(turn) });
    let isOver = false;
    const others = (): void => {
      turn++;
      if (!isOver) setImmediate(others);
    };
    setImmediate(others);
    await answerOf(telling(ended(1000)));
    isOver = true;
    expect(Math.max(...heard.map(({ told }) => told.length))).toBe(100);
    expect(new Set(turns).size).toBe(10);
  });

  test('is delivered once, and what it tells afterwards at once', async () => {
    await RequestScope.run(StoreBudget.ofRequest(500), async () => {
      await lastValueFrom(interceptor.intercept(CONTEXT, telling(ended(150))));
      const before = heard.length;
      happenings.tell(...ended(1));
      expect(
        heard.slice(before).map(({ told, circumstances }) => [told.length, circumstances.requestId]),
      ).toEqual([[1, 'r1']]);
    });
    expect(heard.flatMap(({ told }) => told)).toHaveLength(151);
  });

  test('is left to whoever answers a failure', async () => {
    const failing: CallHandler = {
      handle: () => {
        happenings.tell(...ended(1));
        return throwError(() => new Error('no'));
      },
    };
    await expect(answerOf(failing)).rejects.toThrow('no');
    expect(heard).toEqual([]);
  });
});
