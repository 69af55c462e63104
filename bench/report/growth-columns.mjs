// The tables of growth: what stands in which column.
import { millis, whole } from './table.mjs';

const mib = (bytes) => whole(bytes / 1048576);

export const STORES = [
  { name: 'store', of: (row) => row.store, left: true },
  { name: 'sessions', of: (row) => whole(row.sessions) },
  { name: 'bytes a session', of: (row) => whole(row.sessionBytes) },
  { name: 'all, MiB', of: (row) => mib(row.sessionBytes * row.sessions) },
  { name: 'a store check, ms', of: (row) => row.checkMs.toFixed(3) },
  { name: 'bytes a revocation', of: (row) => whole(row.revocationBytes) },
];

export const INSTANCE_TENANTS = [
  { name: 'tenants in use', of: (row) => whole(row.tenants) },
  { name: 'RSS, MiB', of: (row) => mib(row.rssBytes) },
];

export const INSTANCE_REVOCATIONS = [
  { name: 'live revocations', of: (row) => whole(row.revocations) },
  { name: 'their table, MiB', of: (row) => millis(row.tableBytes / 1048576) },
  { name: 'RSS, MiB', of: (row) => mib(row.rssBytes) },
  { name: 'from start to ready, s', of: (row) => millis(row.readySeconds) },
];
