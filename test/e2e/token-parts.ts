/** Tokens taken apart and put together by hand: what an attacker does, and what a careful client may do. */
import { createHmac, sign, type KeyObject } from 'node:crypto';

export type Json = Record<string, unknown>;

export interface TokenParts {
  readonly header: Json;
  readonly claims: Json;
  readonly signature: string;
}

export function partsOf(token: string): TokenParts {
  const [header = '', payload = '', signature = ''] = token.split('.');
  return { header: decode(header), claims: decode(payload), signature };
}

function decode(segment: string): Json {
  const value: Json = JSON.parse(Buffer.from(segment, 'base64url').toString('utf8'));
  return value;
}

/** Base64url of JSON; text is taken as it stands. */
export function encode(value: unknown): string {
  return Buffer.from(typeof value === 'string' ? value : JSON.stringify(value)).toString('base64url');
}

/** A token signed with RSASSA-PKCS1-v1_5, whatever its header says. */
export function signRsa(header: unknown, payload: unknown, key: KeyObject, hash = 'sha256'): string {
  const input = `${encode(header)}.${encode(payload)}`;
  return `${input}.${sign(hash, Buffer.from(input), key).toString('base64url')}`;
}

/** A token signed with HMAC, whatever its header says. */
export function signHmac(header: unknown, payload: unknown, key: Buffer | string, hash = 'sha256'): string {
  const input = `${encode(header)}.${encode(payload)}`;
  return `${input}.${createHmac(hash, key).update(input).digest('base64url')}`;
}
