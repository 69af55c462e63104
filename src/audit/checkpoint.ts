/**
 * Signed heads of chains: a JWS (RFC 7515) by the tenant's signing key, which says how the chain stood. It is no
 * token, and is made so that nobody takes it for one: another `typ`, another audience, expired when it is made.
 */
import { createHash, createPublicKey, sign, verify, type KeyObject } from 'node:crypto';
import { toSeconds } from '../clock.js';
import type { ChainHead } from './audit.js';

const TYPE = 'audit-checkpoint+jws';
const AUDIENCE = 'urn:audit-checkpoint';

/** What a checkpoint vouches for. */
export interface Checkpoint {
  readonly tenantId: string;
  /** The newest entry before the checkpoint. */
  readonly head: ChainHead;
  /** Entries before this place may have been trimmed; it is the place of another checkpoint, or 1. */
  readonly first: number;
  /** Unix time in seconds. */
  readonly issuedAt: number;
}

export interface SignedCheckpoint extends Checkpoint {
  readonly kid: string;
  /** RFC 7638, SHA-256, of the key that the checkpoint itself names. */
  readonly thumbprint: string;
  /** Whether its signature is by this key; without one, by the key that it names itself. */
  isBy(key?: KeyObject): boolean;
}

interface Rsa {
  readonly kty: string;
  readonly n: string;
  readonly e: string;
}

/** Off the event loop. @returns the JWS in its compact form, with the public key in its header */
export function signCheckpoint(
  { tenantId, head, first }: Omit<Checkpoint, 'issuedAt'>,
  { kid, key, nowMs }: { kid: string; key: KeyObject; nowMs: number },
): Promise<string> {
  const header = { alg: 'RS256', typ: TYPE, kid, jwk: rsaOf(createPublicKey(key)) };
  const iat = toSeconds(nowMs);
  const payload = {
    aud: AUDIENCE,
    tenant_id: tenantId,
    seq: head.seq,
    hash: head.hash,
    first,
    iat,
    exp: iat,
  };
  const input = `${encode(header)}.${encode(payload)}`;
  return new Promise((resolve, reject) => {
    sign('RSA-SHA256', Buffer.from(input), key, (error, signature) => {
      if (error) reject(error);
      else resolve(`${input}.${signature.toString('base64url')}`);
    });
  });
}

/** @returns null for what is no checkpoint by its shape */
export function readCheckpoint(jws: unknown): SignedCheckpoint | null {
  const parts = typeof jws === 'string' ? jws.split('.') : [];
  const [head = '', body = '', signature = ''] = parts;
  const header = decode(head);
  const payload = decode(body);
  if (parts.length !== 3 || !header || !payload) return null;
  const { alg, typ, kid, jwk } = header;
  const { aud, tenant_id: tenantId, seq, hash, first, iat } = payload;
  if (alg !== 'RS256' || typ !== TYPE || aud !== AUDIENCE || typeof kid !== 'string' || !isRsa(jwk))
    return null;
  if (typeof tenantId !== 'string' || typeof hash !== 'string') return null;
  if (!isPlace(seq) || !isPlace(first) || !isPlace(iat)) return null;
  const own = publicKeyOf(jwk);
  return (
    own && {
      tenantId,
      head: { seq, hash },
      first,
      issuedAt: iat,
      kid,
      thumbprint: thumbprintOf(own),
      isBy: (key = own) =>
        verify('RSA-SHA256', Buffer.from(`${head}.${body}`), key, Buffer.from(signature, 'base64url')),
    }
  );
}

/** RFC 7638. */
export function thumbprintOf(key: KeyObject): string {
  const { kty, n, e } = rsaOf(key);
  return createHash('sha256').update(JSON.stringify({ e, kty, n })).digest('base64url');
}

function rsaOf(key: KeyObject): Rsa {
  const { kty = '', n = '', e = '' } = key.export({ format: 'jwk' });
  return { kty, n, e };
}

function publicKeyOf(jwk: Rsa): KeyObject | null {
  try {
    return createPublicKey({ key: { ...jwk }, format: 'jwk' });
  } catch {
    return null;
  }
}

function isRsa(value: unknown): value is Rsa {
  const { kty, n, e } = (value ?? {}) as Partial<Record<keyof Rsa, unknown>>;
  return kty === 'RSA' && typeof n === 'string' && typeof e === 'string';
}

function isPlace(value: unknown): value is number {
  return Number.isSafeInteger(value) && Number(value) >= 0;
}

function encode(value: object): string {
  return Buffer.from(JSON.stringify(value)).toString('base64url');
}

function decode(part: string): Readonly<Record<string, unknown>> | null {
  try {
    const value: unknown = JSON.parse(Buffer.from(part, 'base64url').toString());
    return typeof value === 'object' && value !== null ? (value as Record<string, unknown>) : null;
  } catch {
    return null;
  }
}
