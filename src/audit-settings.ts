/** The settings of the audit: how much of it is kept, and what happens when it cannot be. */
import type { Reader } from './environment.js';

/** How much of the audit is kept, and what happens when the store does not take it. */
export interface AuditConfig {
  readonly retentionDays: number;
  readonly maxEntriesPerTenant: number;
  /** Entries that may wait in memory for the store. */
  readonly queueMaxEntries: number;
  /** Changes are refused, or their entries are dropped and counted. */
  readonly whenFull: 'refuse' | 'drop';
  /** A chain's end is signed when it has been unsigned for so long, or by so many entries. */
  readonly checkpointSeconds: number;
  readonly checkpointEntries: number;
}

export function readAudit(read: Reader): AuditConfig {
  return {
    retentionDays: read.integer('AUDIT_RETENTION_DAYS', 90, [1, 3650]),
    maxEntriesPerTenant: read.integer('AUDIT_MAX_ENTRIES_PER_TENANT', 100_000, [100, 100_000_000]),
    queueMaxEntries: read.integer('AUDIT_QUEUE_MAX_ENTRIES', 10_000, [1, 1_000_000]),
    whenFull: read.choice('AUDIT_WHEN_FULL', 'refuse', ['refuse', 'drop'] as const),
    checkpointSeconds: read.integer('AUDIT_CHECKPOINT_SECONDS', 60, [1, 86_400]),
    checkpointEntries: read.integer('AUDIT_CHECKPOINT_ENTRIES', 1000, [1, 100_000]),
  };
}
