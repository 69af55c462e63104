/** What a store tells of each thing that it was asked: a port, so that stores need not know who counts. */

/** `not_sent`: the store was known to be out, and nobody was made to wait for it. */
export type OperationStatus = 'ok' | 'timeout' | 'not_sent' | 'failed';

export abstract class StoreOperations {
  /**
   * @param operation of the adapter's closed list
   * @param seconds until the answer, or until it was given up
   */
  abstract observe(operation: string, status: OperationStatus, seconds: number): void;
}

/** For stores that are opened by themselves. */
export const UNCOUNTED: StoreOperations = { observe: () => undefined };
