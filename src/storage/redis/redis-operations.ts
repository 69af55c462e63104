/** What is asked of Redis and how that may end, in the words of the metrics. */
import { BrokenCircuitError } from 'cockatiel';
import { AppError } from '../../errors.js';
import { BudgetSpentError } from '../../store-budget.js';
import type { OperationStatus } from '../../store-operations.js';

/** With the scripts, the closed list of operations. */
export type CommandName =
  | 'acquire-lease'
  | 'begin-feed'
  | 'block-token'
  | 'copy-tenant'
  | 'delete-api-key'
  | 'delete-tenant'
  | 'find-api-key'
  | 'find-key-ring'
  | 'find-servers'
  | 'find-session'
  | 'find-slot'
  | 'find-tenant'
  | 'index-audit'
  | 'index-tenant'
  | 'list-api-keys'
  | 'list-audit-chains'
  | 'list-tenants'
  | 'list-user-sessions'
  | 'probe-write'
  | 'prune-listed'
  | 'read-audit'
  | 'read-feed'
  | 'read-info'
  | 'read-listed'
  | 'read-live-sessions'
  | 'read-scanned'
  | 'read-tenant-copy'
  | 'remove-session'
  | 'scan-sessions'
  | 'tail-feed'
  | 'wait-for-replicas';

/** Known before anything was sent. */
export class NotConnectedError extends Error {
  constructor() {
    super('not connected');
  }
}

export function statusOf(error: unknown): OperationStatus {
  const cause = error instanceof AppError ? error.cause : error;
  if (cause instanceof BrokenCircuitError || cause instanceof NotConnectedError) return 'not_sent';
  return isTimeout(cause) || cause instanceof BudgetSpentError ? 'timeout' : 'failed';
}

/** A lost connection fails at once by itself; only silence costs time. */
export function isTimeout(error: unknown): boolean {
  return error instanceof Error && error.message === 'Command timed out';
}
