/** What a backup asks of the store: a port, so that only a store that is a file of this process answers it. */
import type { Readable } from 'node:stream';

export interface BackupCopy {
  readonly sizeBytes: number;
  /** Gone when it was read to its end, or given up. */
  readonly content: Readable;
}

export abstract class StoreBackup {
  /**
   * A copy of everything that was acknowledged before it was asked for, made while the service goes on.
   * @returns null where the store has means of its own: Redis, or a SQLite that is kept in memory
   */
  abstract copy(): Promise<BackupCopy | null>;
  /** Whether this store is such a copy, put back, and nobody has said yet that what it lacks was seen to. */
  abstract readonly isRestored: boolean;
  abstract markAsSeenTo(): Promise<void>;
}
