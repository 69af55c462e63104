/** Secrets that are known to the test, and the search for them in every spelling they could leak in. */
import { randomBytes, type KeyObject } from 'node:crypto';

export interface Canary {
  readonly name: string;
  readonly value: Buffer | string;
}

/** A value that occurs nowhere by chance. */
export const newSecret = (kind: string): string => `canary-${kind}-${randomBytes(12).toString('hex')}`;

/** A token, and each of its parts: the payload says who it is for, and the signature makes it a credential. */
export function ofToken(name: string, token: string): Canary[] {
  const [, payload = '', signature = ''] = token.split('.');
  return [
    { name, value: token },
    { name: `${name}: payload`, value: payload },
    { name: `${name}: signature`, value: signature },
  ];
}

/** An API key, and its secret alone. */
export function ofApiKey(name: string, apiKey: string): Canary[] {
  return [
    { name, value: apiKey },
    { name: `${name}: secret`, value: apiKey.split('_').at(-1) ?? '' },
  ];
}

/** All that tells of a private key in any of its forms. */
export function ofPrivateKey(name: string, key: KeyObject): Canary[] {
  const { d = '', p = '', q = '', dp = '' } = key.export({ format: 'jwk' });
  const numbers = Object.entries({ d, p, q, dp });
  return numbers.map(([part, text]) => ({ name: `${name}: ${part}`, value: Buffer.from(text, 'base64url') }));
}

/** The spellings that a log, a dump or an encoder gives to bytes. */
function spellings(value: Buffer | string): Buffer[] {
  const bytes = Buffer.from(value);
  const json = JSON.stringify(bytes).slice(0, -2).replace('{"type":"Buffer","data":[', '');
  const texts = [
    bytes.toString('hex'),
    bytes.toString('hex').toUpperCase(),
    bytes.toString('base64').replace(/=+$/, ''),
    bytes.toString('base64url'),
    json,
    ...(typeof value === 'string' ? [encodeURIComponent(value), JSON.stringify(value).slice(1, -1)] : []),
  ];
  // Shifted by one or two bytes, base64 looks different: its middle is compared.
  const shifted = [1, 2].map((by) =>
    bytes
      .subarray(by, by + 24)
      .toString('base64')
      .slice(0, 24),
  );
  return [bytes, ...[...texts, ...shifted].map((text) => Buffer.from(text))];
}

/** @returns the names of those that were found */
export function hits(place: Buffer | string, canaries: readonly Canary[]): string[] {
  const haystack = Buffer.from(place);
  return canaries
    .filter(({ value }) => spellings(value).some((needle) => haystack.includes(needle)))
    .map(({ name }) => name);
}
