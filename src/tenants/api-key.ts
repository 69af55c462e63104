/** The credential of a calling service: `sk_<tenant>_<key id>_<secret>`; only a hash of the secret is kept. */
import { hash, randomBytes, timingSafeEqual } from 'node:crypto';
import type { Scope } from '../http/access.js';

export interface ApiKey {
  readonly keyId: string;
  readonly name: string;
  readonly scopes: readonly Scope[];
  /** SHA-256, hex. The secret has 256 random bits: a slow hash would add nothing but time. */
  readonly secretHash: string;
  readonly createdAtMs: number;
  readonly expiresAtMs: number | null;
  /** Its own, in place of the one that the tenant's keys have; 0: none. */
  readonly rateLimitPerSecond?: number | undefined;
}

export interface PresentedApiKey {
  readonly tenantId: string;
  readonly keyId: string;
  readonly secret: string;
}

export const API_KEY_ID = /^[0-9a-f]{16}$/;
const PRESENTED = /^sk_([a-z0-9][a-z0-9-]{0,62})_([0-9a-f]{16})_([0-9a-f]{64})$/;

/** @returns null for anything that no key of ours looks like */
export function parseApiKey(text: string): PresentedApiKey | null {
  const [, tenantId, keyId, secret] = PRESENTED.exec(text) ?? [];
  return tenantId && keyId && secret ? { tenantId, keyId, secret } : null;
}

/** A new key and, this once, the text that its holder must keep. */
export function issueApiKey(
  tenantId: string,
  grant: Omit<ApiKey, 'keyId' | 'secretHash'>,
): { apiKey: ApiKey; text: string } {
  const keyId = randomBytes(8).toString('hex');
  const secret = randomBytes(32).toString('hex');
  return {
    apiKey: { ...grant, keyId, secretHash: hashHex(secret) },
    text: `sk_${tenantId}_${keyId}_${secret}`,
  };
}

const NO_KEY = Buffer.alloc(32);

/** Constant time; as long for a key that does not exist (null) as for a wrong secret. */
export function matches(apiKey: ApiKey | null, presented: PresentedApiKey, nowMs: number): boolean {
  const kept = apiKey ? bytesOf(apiKey) : NO_KEY;
  const equal = timingSafeEqual(kept, hash('sha256', presented.secret, 'buffer'));
  return equal && apiKey !== null && (apiKey.expiresAtMs === null || nowMs < apiKey.expiresAtMs);
}

const secretHashes = new WeakMap<ApiKey, Buffer>();

/** Of the same key again and again: decoded once. */
function bytesOf(apiKey: ApiKey): Buffer {
  let bytes = secretHashes.get(apiKey);
  if (!bytes) secretHashes.set(apiKey, (bytes = Buffer.from(apiKey.secretHash, 'hex')));
  return bytes;
}

function hashHex(text: string): string {
  return hash('sha256', text, 'hex');
}

/** Where API keys are kept, each inside its tenant. Throws AppError store_unavailable. */
export abstract class ApiKeyStore {
  /** @returns false when the tenant does not exist (any more) */
  abstract insert(tenantId: string, apiKey: ApiKey): Promise<boolean>;
  abstract find(tenantId: string, keyId: string): Promise<ApiKey | null>;
  /** Oldest first. */
  abstract list(tenantId: string): Promise<ApiKey[]>;
  abstract delete(tenantId: string, keyId: string): Promise<boolean>;
}
