/** What comes in one turn of the event loop, in portions: dealt with when everything that the turn brought is there. */
export class TurnBatch<T> {
  private waiting: T[] = [];

  /** @param deal must not throw */
  constructor(
    private readonly maxPortion: number,
    private readonly deal: (portion: readonly T[]) => void,
  ) {}

  add(item: T): void {
    if (this.waiting.push(item) === 1) setImmediate(() => this.end());
  }

  private end(): void {
    const { waiting } = this;
    this.waiting = [];
    for (let at = 0; at < waiting.length; at += this.maxPortion) {
      this.deal(waiting.slice(at, at + this.maxPortion));
    }
  }
}
