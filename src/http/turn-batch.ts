/** What comes in one turn of the event loop, dealt with together. */
import { atEndOfTurn, countTowardsEnd, endTurn } from '../turn-end.js';

export class TurnBatch<T> {
  private waiting: T[] = [];

  /** @param deal must not throw */
  constructor(private readonly deal: (items: readonly T[]) => void) {}

  add(item: T): void {
    if (this.waiting.push(item) === 1) atEndOfTurn(() => this.flush());
    countTowardsEnd();
  }

  private flush(): void {
    const { waiting } = this;
    this.waiting = [];
    this.deal(waiting);
    // What they ask of Redis leaves with this turn, not with the next one.
    endTurn();
  }
}
