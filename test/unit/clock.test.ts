import { describe, expect, test } from '@jest/globals';
import { ForgettingTime } from '../../src/clock.js';
import { TurnableClock } from '../support/turnable-clock.js';

const T0 = 1_795_000_000_000;
const HOUR_SECONDS = 3600;

describe('the time by which things are forgotten', () => {
  test('is the clock, while that runs as clocks do', () => {
    const clock = new TurnableClock(T0);
    const forgetting = new ForgettingTime(clock);
    for (let turn = 0; turn < 10; turn++) {
      clock.advanceSeconds(7);
      expect(forgetting.nowMs()).toBe(clock.nowMs());
    }
  });

  test('does not follow a clock that is set ahead and put right again', () => {
    const clock = new TurnableClock(T0);
    const forgetting = new ForgettingTime(clock);
    clock.setAhead(HOUR_SECONDS);
    clock.advanceSeconds(30);
    expect(forgetting.nowMs()).toBe(T0 + 60_000);
    clock.setAhead(-HOUR_SECONDS);
    expect(forgetting.nowMs()).toBe(T0 + 30_000);
  });

  test('catches up with a clock that was behind, at twice the speed of time', () => {
    const clock = new TurnableClock(T0);
    const forgetting = new ForgettingTime(clock);
    clock.setAhead(100);
    for (let second = 0; second < 100; second++) {
      clock.advanceSeconds(1);
      forgetting.nowMs();
    }
    expect(forgetting.nowMs()).toBe(clock.nowMs());
  });

  test('goes back with the clock', () => {
    const clock = new TurnableClock(T0);
    const forgetting = new ForgettingTime(clock);
    clock.setAhead(-HOUR_SECONDS);
    expect(forgetting.nowMs()).toBe(clock.nowMs());
  });
});
