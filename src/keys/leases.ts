/** A port for work that one instance should do for all: the store says who. */
export abstract class Leases {
  /**
   * @returns whether the caller has it now; it ends by itself, so that a holder that died blocks nobody for long
   * @throws AppError store_unavailable
   */
  abstract acquire(name: string, holdMs: number): Promise<boolean>;
}
