/** What health asks of the store: a port, so that each adapter answers for itself. */

/**
 * `no_answer`: nothing can be asked of it. `refuses_writes`: it can be read. `evicts`: it works, and may forget
 * revocations at any moment.
 */
export type StoreTrouble = 'no_answer' | 'refuses_writes' | 'evicts';

/** `evictedKeys`: those that Redis has thrown away since it was started, on all masters together. */
export type StoreStatus =
  | { readonly up: true; readonly evictedKeys?: number }
  /** `reason` is public: it names the trouble, never an address or a credential. */
  | {
      readonly up: false;
      readonly trouble: StoreTrouble;
      readonly reason: string;
      readonly evictedKeys?: number;
    };

export abstract class StoreProbe {
  /** `sqlite` or `redis`. */
  abstract readonly kind: string;
  /** Never throws, and answers within the store's command timeout. */
  abstract status(): Promise<StoreStatus>;
}
