import { describe, expect, test } from '@jest/globals';
import { levelAfter, MAX_DEBT_SECONDS, rateLimit, TokenBucket } from '../../src/tenants/rate-limit.js';

const LIMIT = { perSecond: 10, burst: 20 };

/** @returns how many of so many requests at one moment are let through */
function admitted(bucket: TokenBucket, requests: number, nowMs: number): number {
  let count = 0;
  for (let n = 0; n < requests; n++) {
    if (!bucket.admits(1, nowMs)) continue;
    bucket.take(1);
    count++;
  }
  return count;
}

describe('a rate limit', () => {
  test('lets some seconds of requests come at once', () => {
    expect(rateLimit(10, 2)).toEqual(LIMIT);
  });

  test('of nothing is none', () => {
    expect(rateLimit(0, 2)).toBeNull();
  });
});

describe("a bucket's level", () => {
  test.each([
    ['gains its rate', 3, 1000, 0, 13],
    ['is never more than full', 15, 3_600_000, 0, 20],
    ['loses what is taken', 15, 0, 4, 11],
    ['loses it after it has gained, so that a full one is not full any more', 20, 1000, 1, 19],
    ['falls below zero', 1, 0, 5, -4],
    ['comes back from there', -4, 500, 0, 1],
    ['falls no further than a minute of its rate', 0, 0, 1_000_000, -10 * MAX_DEBT_SECONDS],
  ])('%s', (_, level, elapsedMs, taken, after) => {
    expect(levelAfter(level, LIMIT, { elapsedMs, taken })).toBe(after);
  });
});

describe('a bucket by itself', () => {
  test('begins full, and is empty after a burst', () => {
    const bucket = new TokenBucket(LIMIT, 0);
    expect(admitted(bucket, 30, 0)).toBe(20);
    expect(bucket.remaining).toBe(0);
  });

  test('lets through its rate from then on, however many ask', () => {
    const bucket = new TokenBucket(LIMIT, 0);
    admitted(bucket, 20, 0);
    let count = 0;
    for (let nowMs = 10; nowMs <= 10_000; nowMs += 10) count += admitted(bucket, 5, nowMs);
    expect(Math.abs(count - 100)).toBeLessThanOrEqual(1); // a thousand additions of fractions
  });

  test('says in whole seconds when it will hold enough, never at once', () => {
    const bucket = new TokenBucket(LIMIT, 0);
    expect(bucket.secondsUntil(1)).toBe(1);
    bucket.take(20);
    expect(bucket.secondsUntil(1)).toBe(1);
    bucket.take(30);
    expect(bucket.secondsUntil(1)).toBe(4);
    expect(bucket.admits(1, 3000)).toBe(false);
    expect(bucket.admits(1, 4000)).toBe(true);
  });

  test('keeps its gains to the fraction, however often it is asked', () => {
    const bucket = new TokenBucket({ perSecond: 1, burst: 1 }, 0);
    bucket.take(1);
    for (let nowMs = 1; nowMs < 1000; nowMs++) expect(bucket.admits(1, nowMs)).toBe(false);
    expect(bucket.admits(1, 1001)).toBe(true);
  });

  test('can be overdrawn by those who need less than it holds', () => {
    const bucket = new TokenBucket(LIMIT, 0);
    admitted(bucket, 20, 0);
    expect(bucket.admits(1, 0)).toBe(false);
    expect(bucket.admits(-19, 0)).toBe(true);
  });
});

describe('a bucket that is shared', () => {
  test('takes over what the others have left of it', () => {
    const bucket = new TokenBucket(LIMIT, 0);
    admitted(bucket, 5, 0);
    expect(bucket.tell()).toEqual({ taken: 5, asked: 5 });
    bucket.hear({ level: 2, asked: 18 }, 5, 0);
    expect(admitted(bucket, 10, 0)).toBe(2);
  });

  test('does not forget what was taken while it was asking', () => {
    const bucket = new TokenBucket(LIMIT, 0);
    bucket.tell();
    admitted(bucket, 5, 0);
    bucket.hear({ level: 20, asked: 0 }, 0, 0);
    expect(bucket.remaining).toBe(15);
    expect(bucket.tell()).toEqual({ taken: 5, asked: 5 });
  });

  test('gains its share of the requests until it hears again', () => {
    const bucket = new TokenBucket(LIMIT, 0);
    admitted(bucket, 30, 0);
    const { asked } = bucket.tell();
    bucket.hear({ level: 0, asked: 120 }, asked, 0); // 90 more came to others
    expect(admitted(bucket, 10, 1000)).toBe(2);
    bucket.hear({ level: 0, asked: 160 }, bucket.tell().asked, 1000); // a quarter of these 40 again
    expect(admitted(bucket, 10, 3000)).toBe(5);
  });

  test('begins to count shares anew when the bucket was forgotten', () => {
    const bucket = new TokenBucket(LIMIT, 0);
    admitted(bucket, 30, 0);
    bucket.hear({ level: 0, asked: 1000 }, bucket.tell().asked, 0);
    admitted(bucket, 10, 0);
    bucket.hear({ level: 0, asked: 20 }, bucket.tell().asked, 0); // fewer than before: half of these
    expect(admitted(bucket, 20, 2000)).toBe(10);
  });

  test('goes on gaining when it heard of nobody who asked, as after a charge', () => {
    const bucket = new TokenBucket(LIMIT, 0);
    admitted(bucket, 1, 0);
    bucket.hear({ level: 19, asked: 1 }, bucket.tell().asked, 0);
    bucket.take(20);
    bucket.hear({ level: -1, asked: 1 }, bucket.tell().asked, 0);
    expect(admitted(bucket, 30, 1000)).toBe(9);
  });

  test('gains from when it asked, however late it hears', () => {
    const bucket = new TokenBucket(LIMIT, 0);
    admitted(bucket, 20, 0);
    const { asked } = bucket.tell();
    bucket.admits(1, 1000);
    bucket.hear({ level: 0, asked: 20 }, asked, 0);
    expect(admitted(bucket, 30, 1000)).toBe(10);
  });

  test('gains everything when nobody can be heard of', () => {
    const bucket = new TokenBucket(LIMIT, 0);
    admitted(bucket, 30, 0);
    bucket.hear({ level: 0, asked: 300 }, bucket.tell().asked, 0);
    bucket.hearNothing();
    expect(admitted(bucket, 30, 1000)).toBe(10);
  });
});
