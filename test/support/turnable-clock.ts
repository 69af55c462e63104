import { Clock } from '../../src/clock.js';

/** A clock that stands still until a test turns it. Starts at the machine's time. */
export class TurnableClock extends Clock {
  private monotonic = 0;

  constructor(private ms: number = Date.now()) {
    super();
  }

  nowMs(): number {
    return this.ms;
  }

  monotonicMs(): number {
    return this.monotonic;
  }

  /** As when somebody sets the machine's clock: real time goes on as it did. */
  setAhead(seconds: number): void {
    this.ms += seconds * 1000;
  }

  advanceSeconds(seconds: number): void {
    this.ms += seconds * 1000;
    this.monotonic += seconds * 1000;
  }
}
