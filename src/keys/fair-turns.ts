/** Work that is done one piece at a time, in turns between those who want it: whoever wants much waits for itself. */

type Piece = () => Promise<void>;

export class FairTurns {
  /** Whoever is first in here is next. */
  private readonly waiting = new Map<string, Piece[]>();
  private isWorking = false;

  /** @param who waits behind one piece of everybody else who is waiting, and behind all of its own */
  take<T>(who: string, work: () => Promise<T>): Promise<T> {
    return new Promise<T>((resolve, reject) => {
      const piece = (): Promise<void> => work().then(resolve, reject);
      const own = this.waiting.get(who);
      if (own) own.push(piece);
      else this.waiting.set(who, [piece]);
      void this.workOff();
    });
  }

  private async workOff(): Promise<void> {
    if (this.isWorking) return;
    this.isWorking = true;
    for (let piece = this.next(); piece; piece = this.next()) await piece();
    this.isWorking = false;
  }

  private next(): Piece | undefined {
    const [first] = this.waiting;
    if (!first) return undefined;
    const [who, pieces] = first;
    const piece = pieces.shift();
    // To the end of the line, with what is left.
    this.waiting.delete(who);
    if (pieces.length > 0) this.waiting.set(who, pieces);
    return piece;
  }
}
