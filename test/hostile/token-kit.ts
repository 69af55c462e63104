/** What attackers of tokens dream of: a tenant's own keys, a good session, keys of nobody, and every route to try. */
import { generateKeyPairSync, type KeyObject } from 'node:crypto';
import { expect } from '@jest/globals';
import { ERRORS, type TokenErrorCode } from '../../src/errors.js';
import { KeyRingsService } from '../../src/keys/key-rings.service.js';
import { partsOf, signHmac, signRsa, type Json } from '../e2e/token-parts.js';
import type { TestService, TestTenant, Tokens } from '../support/test-service.js';

export interface Keys {
  readonly kid: string;
  readonly privateKey: KeyObject;
  readonly publicKey: KeyObject;
  readonly refreshKid: string;
  readonly refreshSecret: Buffer;
}

export interface Kit {
  readonly acme: TestTenant;
  readonly bravo: TestTenant;
  readonly keys: Keys;
  readonly keysOfBravo: Keys;
  readonly attacker: { readonly privateKey: KeyObject; readonly publicKey: KeyObject };
  /** Of acme; alive until the end of the suite. */
  readonly session: Tokens;
  readonly sessionOfBravo: Tokens;
  /** What the session's tokens say. */
  readonly header: Json;
  readonly claims: Json;
  readonly refreshHeader: Json;
  readonly refreshClaims: Json;
  readonly nowSeconds: () => number;
  /** An access token with something changed, signed by acme's own key unless another is given. */
  readonly access: (header?: Json, claims?: Json, key?: KeyObject) => string;
  /** The same for a refresh token. */
  readonly refresh: (header?: Json, claims?: Json, secret?: Buffer | string) => string;
}

/** Something that must not pass for a token. */
export interface Vector {
  readonly name: string;
  /** Whose route gives the precise reason; the others say `invalid_token`. */
  readonly kind?: 'access' | 'refresh';
  readonly error?: TokenErrorCode;
  readonly tokens: (kit: Kit) => string[] | Promise<string[]>;
}

export async function keysOf(service: TestService, { tenantId }: TestTenant): Promise<Keys> {
  const nowMs = service.clock.nowMs();
  const ring = await service.app.get(KeyRingsService).get(tenantId);
  const signing = ring.signingKey(nowMs);
  const refreshKid = ring.refreshKid(nowMs);
  const publicKey = signing && ring.verificationKey(signing.kid, nowMs)?.key;
  const refreshSecret = refreshKid && ring.refreshKey(refreshKid, nowMs)?.key.export();
  if (!signing || !publicKey || !refreshKid || !refreshSecret) throw new Error('the tenant has no keys');
  return { kid: signing.kid, privateKey: signing.key, publicKey, refreshKid, refreshSecret };
}

export async function makeKit(service: TestService): Promise<Kit> {
  const [acme, bravo] = await Promise.all([service.tenant(), service.tenant()]);
  const keys = await keysOf(service, acme);
  const session = await service.createSession(acme, { metadata: { device: 'phone' } });
  const { header, claims } = partsOf(session.access_token);
  const { header: refreshHeader, claims: refreshClaims } = partsOf(session.refresh_token);
  return {
    acme,
    bravo,
    keys,
    keysOfBravo: await keysOf(service, bravo),
    attacker: generateKeyPairSync('rsa', { modulusLength: 2048 }),
    session,
    sessionOfBravo: await service.createSession(bravo),
    header,
    claims,
    refreshHeader,
    refreshClaims,
    nowSeconds: () => Math.floor(service.clock.nowMs() / 1000),
    access: (moreHeader, moreClaims, key = keys.privateKey) =>
      signRsa({ ...header, ...moreHeader }, { ...claims, ...moreClaims }, key),
    refresh: (moreHeader, moreClaims, secret = keys.refreshSecret) =>
      signHmac({ ...refreshHeader, ...moreHeader }, { ...refreshClaims, ...moreClaims }, secret),
  };
}

const CHECKS = ['replica', 'store', 'skip'];

/** Presents the tokens to every route that takes one; each must refuse each, and say why in the words of the table. */
export async function expectRefusedEverywhere(
  service: TestService,
  tenant: TestTenant,
  tokens: readonly string[],
  { kind = 'access', error = 'invalid_token' }: Pick<Vector, 'kind' | 'error'> = {},
): Promise<void> {
  expect(tokens).not.toEqual([]);
  const byValidate = kind === 'access' ? error : 'invalid_token';
  const byRefresh = kind === 'refresh' ? error : 'invalid_token';
  // A token of either kind will do to revoke: the kind is read from the header.
  const byRevoke = expect.stringMatching(new RegExp(`^(${error}|invalid_token)$`));
  for (const token of tokens) {
    const [refreshed, revoked, alone, ...validated] = await Promise.all([
      service.refresh(tenant, token),
      service.revoke(tenant, token),
      service.revoke(tenant, token, { only_this_token: true }),
      ...CHECKS.map((check) => service.validate(tenant, token, check)),
    ]);
    for (const answer of validated) expect(refusal(token, answer)).toEqual(refused(token, byValidate, true));
    expect(refusal(token, refreshed)).toEqual(refused(token, byRefresh, false));
    for (const answer of [revoked, alone]) {
      expect(refusal(token, answer)).toEqual({
        ...refused(token, 'invalid_token', false),
        error: byRevoke,
        error_description: expect.any(String),
      });
    }
  }
  const batch = await service.post(tenant, '/sessions/revoke-batch', { tokens, reason: 'admin' });
  expect(batch).toMatchObject({
    status: 200,
    body: {
      revoked_count: 0,
      results: tokens.map((_, at) => ({ token_index: at, status: 'refused', error: byRevoke })),
    },
  });
}

/** The whole body, so that nothing slips into it. */
function refusal(token: string, { status, body }: { status: number; body: object }): object {
  return { token: start(token), status, ...body };
}

function refused(token: string, error: TokenErrorCode, isValidation: boolean): object {
  return {
    token: start(token),
    status: 401,
    ...(isValidation ? { valid: false } : {}),
    error,
    error_description: ERRORS[error].description,
    action: isValidation ? ERRORS[error].action : 'reauthenticate',
    request_id: expect.any(String),
  };
}

/** Enough to tell which one failed. */
const start = (token: string): string => `${token.slice(0, 200)} (${token.length})`;
