/** Changes as they are kept in a feed. What does not read as one is null: another version may have written it. */
import { isRandomId } from '../random-id.js';
import { TENANT_ID } from '../tenants/tenant.js';
import { API_KEY_ID } from '../tenants/api-key.js';
import type { Change } from './change-feed.js';

/** Several times what the longest change takes: what is longer is not read at all. */
const MAX_LENGTH = 1000;

/** @param text JSON of a change */
export function parseChange(text: string | undefined): Change | null {
  if (text === undefined || text.length > MAX_LENGTH) return null;
  try {
    const value = JSON.parse(text) as Record<string, unknown> | null;
    if (typeof value !== 'object' || value === null) return null;
    return toChange(value);
  } catch {
    return null;
  }
}

function toChange({ kind, tenantId, id, keyId, expiresAtMs }: Record<string, unknown>): Change | null {
  if (typeof tenantId !== 'string' || !TENANT_ID.test(tenantId)) return null;
  switch (kind) {
    case 'session_revoked':
    case 'token_revoked':
      return typeof id === 'string' && isRandomId(id) && isExpiry(expiresAtMs)
        ? { kind, tenantId, id, expiresAtMs: expiresAtMs as number }
        : null;
    case 'tenant_changed':
    case 'keys_changed':
      return { kind, tenantId };
    case 'api_key_changed':
      return typeof keyId === 'string' && API_KEY_ID.test(keyId) ? { kind, tenantId, keyId } : null;
    default:
      return null;
  }
}

/** What fits the replica's 32 bits of seconds. */
function isExpiry(value: unknown): boolean {
  return Number.isSafeInteger(value) && (value as number) > 0 && (value as number) < 4_294_967_295_000;
}
