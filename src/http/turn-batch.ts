/** What comes in one turn of the event loop, dealt with together. */
import { atEndOfTurn, endTurn } from '../turn-end.js';

export class TurnBatch<T> {
  private waiting: T[] = [];

  /**
   * @param portion so many are enough for one turn
   * @param deal must not throw
   */
  constructor(
    private readonly portion: number,
    private readonly deal: (items: readonly T[]) => void,
  ) {}

  add(item: T): void {
    const count = this.waiting.push(item);
    if (count === 1) atEndOfTurn(() => this.flush());
    if (count === this.portion) endTurn();
  }

  private flush(): void {
    const { waiting } = this;
    this.waiting = [];
    this.deal(waiting);
  }
}
