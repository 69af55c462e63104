/** What comes in one turn of the event loop, dealt with together. */
import { atEndOfTurn, countTowardsEnd } from '../turn-end.js';

export class TurnBatch<T> {
  private waiting: T[] = [];

  /** @param deal must not throw; what it has due at the end of a turn is done after it */
  constructor(private readonly deal: (items: readonly T[]) => void) {}

  add(item: T): void {
    if (this.waiting.push(item) === 1) atEndOfTurn(() => this.flush());
    countTowardsEnd();
  }

  private flush(): void {
    const { waiting } = this;
    this.waiting = [];
    this.deal(waiting);
  }
}
