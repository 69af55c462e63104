/**
 * A strict reader of compact JWTs (RFC 7515 section 7.1), in front of the library, which accepts more than one
 * spelling of a token and more headers than we issue. It checks no signature and trusts nothing it returns.
 */
import { parseStrictJson } from '../http/strict-json.js';

/** Longest token that is looked at, in characters: the largest we can issue has about 11,000. */
export const MAX_TOKEN_LENGTH = 16_384;

export interface TokenHeader {
  readonly alg: string;
  readonly typ: string;
  readonly kid: string;
}

export interface CompactJwt {
  readonly header: TokenHeader;
  readonly payload: Readonly<Record<string, unknown>>;
  readonly signature: Buffer;
}

const KID = /^[A-Za-z0-9_-]{1,64}$/;

/** @returns null for everything but three canonical base64url segments that hold a known header and an object */
export function parseCompactJwt(token: string): CompactJwt | null {
  if (!hasFormOfCompactJwt(token)) return null;
  const segments = token.split('.');
  const [header, payload, signature] = segments.map(decodeCanonical);
  if (!header || !payload || !signature) return null;
  const parsedHeader = parseHeader(header);
  const parsedPayload = parseObject(payload);
  return parsedHeader && parsedPayload ? { header: parsedHeader, payload: parsedPayload, signature } : null;
}

/** Whether it has three segments and may be read at all: what does not costs nothing more. */
export function hasFormOfCompactJwt(token: string): boolean {
  if (token.length > MAX_TOKEN_LENGTH) return false;
  const first = token.indexOf('.');
  const second = first < 0 ? -1 : token.indexOf('.', first + 1);
  return second >= 0 && !token.includes('.', second + 1);
}

/** Node's decoder skips what it does not know and ignores spare bits; encoding again shows whether it did. */
function decodeCanonical(segment: string): Buffer | null {
  const bytes = Buffer.from(segment, 'base64url');
  return bytes.length > 0 && bytes.toString('base64url') === segment ? bytes : null;
}

function parseHeader(bytes: Buffer): TokenHeader | null {
  const header = parseObject(bytes);
  if (!header || Object.keys(header).length !== 3) return null;
  const { alg, typ, kid } = header;
  if (typeof alg !== 'string' || typeof typ !== 'string' || typeof kid !== 'string') return null;
  return KID.test(kid) ? { alg, typ, kid } : null;
}

function parseObject(bytes: Buffer): Record<string, unknown> | null {
  try {
    const value = parseStrictJson(bytes);
    const isObject = typeof value === 'object' && value !== null && !Array.isArray(value);
    return isObject ? (value as Record<string, unknown>) : null;
  } catch {
    return null;
  }
}
