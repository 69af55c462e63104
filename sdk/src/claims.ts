/** What an access token says, and the exact shape that each claim must have (RFC 7519, RFC 9068). */

export type MetadataValue = string | number | boolean | readonly (string | number | boolean)[];
export type Metadata = Readonly<Record<string, MetadataValue>>;

/** As they stand in the token. Times are whole seconds since 1970. */
export interface AccessClaims {
  readonly iss: string;
  /** The user. */
  readonly sub: string;
  readonly aud: string;
  readonly exp: number;
  readonly iat: number;
  readonly nbf: number;
  /** The token's own id. */
  readonly jti: string;
  /** The session. */
  readonly sid: string;
  readonly tenant_id: string;
  /** Words separated by single spaces. */
  readonly scope: string;
  readonly metadata: Metadata;
  readonly token_type: 'access';
}

type Rule = (value: unknown) => boolean;

const text: Rule = (value) => typeof value === 'string' && value !== '';
const id: Rule = (value) => typeof value === 'string' && /^[A-Za-z0-9_-]{1,64}$/.test(value);
const seconds: Rule = (value) => Number.isSafeInteger(value) && (value as number) >= 0;

const RULES: Readonly<Record<keyof AccessClaims, Rule>> = {
  iss: text,
  sub: text,
  aud: text,
  exp: seconds,
  iat: seconds,
  nbf: seconds,
  jti: id,
  sid: id,
  tenant_id: text,
  scope: (value) => typeof value === 'string',
  metadata: (value) => typeof value === 'object' && value !== null && !Array.isArray(value),
  token_type: (value) => value === 'access',
};

/**
 * Members that are not known are let be: a newer service may add one.
 * @returns the first claim that is missing or not what it must be; null when all are
 */
export function firstWrongClaim(payload: Readonly<Record<string, unknown>>): string | null {
  for (const [name, rule] of Object.entries(RULES)) {
    if (!Object.hasOwn(payload, name) || !rule(payload[name])) return name;
  }
  return null;
}
