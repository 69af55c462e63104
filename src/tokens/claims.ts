/** What access and refresh tokens say, and the exact shape that each member must have (RFC 7519, RFC 9068). */

/** JSON values that a session may carry into its access tokens. */
export type Metadata = Readonly<Record<string, MetadataValue>>;
export type MetadataValue = MetadataScalar | readonly MetadataScalar[];
type MetadataScalar = string | number | boolean;

interface CommonClaims {
  readonly iss: string;
  readonly sub: string;
  readonly aud: string;
  /** NumericDate, whole seconds. */
  readonly exp: number;
  readonly iat: number;
  readonly jti: string;
  readonly sid: string;
  readonly tenant_id: string;
}

export interface AccessClaims extends CommonClaims {
  readonly nbf: number;
  readonly scope: string;
  readonly metadata: Metadata;
  readonly token_type: 'access';
}

export interface RefreshClaims extends CommonClaims {
  readonly token_type: 'refresh';
}

type Rule = (value: unknown) => boolean;

const text: Rule = (value) => typeof value === 'string' && value.length > 0;
const id: Rule = (value) => typeof value === 'string' && /^[A-Za-z0-9_-]{1,64}$/.test(value);
const numericDate: Rule = (value) => Number.isSafeInteger(value) && (value as number) >= 0;
const object: Rule = (value) => typeof value === 'object' && value !== null && !Array.isArray(value);

const COMMON_RULES: Record<keyof CommonClaims, Rule> = {
  iss: text,
  sub: text,
  aud: text,
  exp: numericDate,
  iat: numericDate,
  jti: id,
  sid: id,
  tenant_id: text,
};

const ACCESS_RULES: Record<keyof AccessClaims, Rule> = {
  ...COMMON_RULES,
  nbf: numericDate,
  scope: (value) => typeof value === 'string',
  metadata: object,
  token_type: (value) => value === 'access',
};

const REFRESH_RULES: Record<keyof RefreshClaims, Rule> = {
  ...COMMON_RULES,
  token_type: (value) => value === 'refresh',
};

/** Members that are not known are let be: an instance of the next version may add one. */
export function isAccessClaims(payload: Readonly<Record<string, unknown>>): boolean {
  return obeys(payload, ACCESS_RULES);
}

export function isRefreshClaims(payload: Readonly<Record<string, unknown>>): boolean {
  return obeys(payload, REFRESH_RULES);
}

/** The names of the claims that are missing or not of their shape. */
export function brokenClaims(
  payload: Readonly<Record<string, unknown>>,
  type: 'access' | 'refresh',
): string[] {
  const rules: Record<string, Rule> = type === 'access' ? ACCESS_RULES : REFRESH_RULES;
  return Object.keys(rules).filter((name) => !Object.hasOwn(payload, name) || !rules[name]?.(payload[name]));
}

function obeys(payload: Readonly<Record<string, unknown>>, rules: Record<string, Rule>): boolean {
  for (const name in rules) {
    if (!Object.hasOwn(payload, name) || !rules[name]?.(payload[name])) return false;
  }
  return true;
}
