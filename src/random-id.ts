/**
 * Ids of sessions and access tokens: 4 characters that say which user's they are (the tag), then 128 random bits.
 * The store puts all that belongs to one user in one place, and an id alone says where.
 */
import { createHash, randomBytes } from 'node:crypto';

const TAG_LENGTH = 4;
const TAG_BYTES = 3;
const RANDOM_BYTES = 16;

/** 26 base64url characters; the last one carries 2 bits, so only 4 of its values occur. */
const RANDOM_ID = /^[A-Za-z0-9_-]{25}[AQgw]$/;

export const RANDOM_ID_LENGTH = 26;
export const RANDOM_ID_BYTES = TAG_BYTES + RANDOM_BYTES;

/** @returns 4 base64url characters that spread a tenant's users over 2^24 places */
export function userTag(tenantId: string, userId: string): string {
  const digest = createHash('sha256').update(`${tenantId}\0${userId}`).digest();
  return digest.subarray(0, TAG_BYTES).toString('base64url');
}

export function newRandomId(tag: string): string {
  return tag + randomBytes(RANDOM_BYTES).toString('base64url');
}

export function tagOf(id: string): string {
  return id.slice(0, TAG_LENGTH);
}

export function isRandomId(text: string): boolean {
  return RANDOM_ID.test(text);
}
