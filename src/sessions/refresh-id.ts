/**
 * Ids of refresh tokens: a random lineage, and the number of the rotation that made them. The successor of a token
 * follows from the token, so that two who rotate it agree on the next; and a store that has fallen behind (a
 * failover lost a rotation, a backup was restored) sees that it has, instead of taking the newer token for theft.
 */
import { randomUUID } from 'node:crypto';

/** The script that rotates in Redis reads ids by the same pattern. */
const REFRESH_ID = /^(.+)_(\d{1,9})$/;

export function firstRefreshId(): string {
  return `${randomUUID()}_0`;
}

export function nextRefreshId(id: string): string {
  const [, lineage, number] = REFRESH_ID.exec(id) ?? [];
  return lineage ? `${lineage}_${Number(number) + 1}` : `${id}_1`;
}

/** Whether `id` was made by a later rotation of the same lineage. */
export function isAhead(id: string, than: string): boolean {
  const [, lineage, number] = REFRESH_ID.exec(id) ?? [];
  const [, otherLineage, otherNumber] = REFRESH_ID.exec(than) ?? [];
  return lineage !== undefined && lineage === otherLineage && Number(number) > Number(otherNumber);
}
