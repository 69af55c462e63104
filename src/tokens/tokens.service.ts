/** Signs and verifies tokens: CPU only, no store. The only user of jsonwebtoken. */
import { createHmac, sign, verify, type KeyObject } from 'node:crypto';
import { promisify } from 'node:util';
import { Injectable } from '@nestjs/common';
import jwt from 'jsonwebtoken';
import { Clock, toSeconds } from '../clock.js';
import { Config } from '../config.js';
import { AppError, type TokenErrorCode } from '../errors.js';
import type { OpenKeyRing, VerificationKey } from '../keys/open-key-ring.js';
import { KeyRingsService } from '../keys/key-rings.service.js';
import { isAccessClaims, isRefreshClaims, type AccessClaims, type RefreshClaims } from './claims.js';
import { hasFormOfCompactJwt, parseCompactJwt, type CompactJwt } from './compact-jwt.js';
import { VerifiedTokens } from './verified-tokens.js';

/** How far ahead of ours the clock of the instance that issued a token may be. */
const CLOCK_SKEW_SECONDS = 5;

/** A token whose signature is good carries its claims even when it is refused, so that it can be revoked. */
export type Verified<C> =
  | { readonly ok: true; readonly claims: C }
  | { readonly ok: false; readonly error: TokenErrorCode; readonly claims?: C };

type AccessInput = Omit<AccessClaims, 'iss' | 'nbf' | 'token_type'>;
type RefreshInput = Omit<RefreshClaims, 'iss' | 'aud' | 'token_type'>;

interface Kind {
  readonly alg: 'RS256' | 'HS256';
  readonly typ: 'at+jwt' | 'rt+jwt';
  readonly obeys: (payload: Readonly<Record<string, unknown>>) => boolean;
  readonly find: (ring: OpenKeyRing, kid: string, nowMs: number) => VerificationKey | null;
}

const ACCESS: Kind = {
  alg: 'RS256',
  typ: 'at+jwt',
  obeys: isAccessClaims,
  find: (ring, kid, nowMs) => ring.verificationKey(kid, nowMs),
};

const REFRESH: Kind = {
  alg: 'HS256',
  typ: 'rt+jwt',
  obeys: isRefreshClaims,
  find: (ring, kid, nowMs) => ring.refreshKey(kid, nowMs),
};

/** In libuv's pool: a signature takes a quarter of a millisecond, which validations beside it need not wait for. */
const signInPool = promisify(sign);

@Injectable()
export class TokensService {
  private readonly verified: VerifiedTokens;

  constructor(
    private readonly keyRings: KeyRingsService,
    private readonly config: Config,
    private readonly clock: Clock,
  ) {
    this.verified = new VerifiedTokens(config.verifiedTokenCacheMb * 1_000_000);
  }

  async signAccess(ring: OpenKeyRing, claims: AccessInput): Promise<string> {
    const signing = ring.signingKey(this.clock.nowMs());
    if (!signing)
      throw new AppError('store_unavailable', { description: 'The tenant has no key to sign with.' });
    const { aud, exp, iat, jti, metadata, scope, sid, sub, tenant_id } = claims;
    const payload: AccessClaims = {
      iss: this.issuerOf(tenant_id),
      sub,
      aud,
      exp,
      iat,
      nbf: iat,
      jti,
      sid,
      tenant_id,
      scope,
      metadata,
      token_type: 'access',
    };
    return signRs256(signing, payload);
  }

  /**
   * The same input gives the same bytes: a repeated refresh answers with the very token it gave before.
   * @param kid the refresh secret that the session remembers for its current token
   */
  signRefresh(ring: OpenKeyRing, kid: string, claims: RefreshInput): string {
    const secret = ring.refreshKey(kid, this.clock.nowMs());
    if (!secret)
      throw new AppError('store_unavailable', { description: 'The tenant has no key to sign with.' });
    const { exp, iat, jti, sid, sub, tenant_id } = claims;
    const payload: RefreshClaims = {
      iss: this.issuerOf(tenant_id),
      aud: this.config.publicUrl,
      sub,
      tenant_id,
      sid,
      jti,
      iat,
      exp,
      token_type: 'refresh',
    };
    return signHs256(kid, secret.key, payload);
  }

  /** Signature, claims and times; whether it was revoked one by one is not known here. */
  async verifyAccess(tenantId: string, token: string): Promise<Verified<AccessClaims>> {
    const here = this.verifyAccessHere(tenantId, token);
    if (here) return here;
    if (!claimsOf(ACCESS, tenantId, parseCompactJwt(token))) return INVALID;
    return (
      this.verifyAccessUnder(await this.keyRings.get(tenantId), tenantId, token) ??
      this.verifyAccessUnder(await this.keyRings.refetch(tenantId), tenantId, token) ??
      FORGED
    );
  }

  /** As `verifyAccess`, where nothing must be waited for. @returns undefined elsewhere */
  verifyAccessHere(tenantId: string, token: string, digest?: string): Verified<AccessClaims> | undefined {
    if (!hasFormOfCompactJwt(token)) return INVALID;
    const ring = this.keyRings.peek(tenantId);
    return ring && this.verifyAccessUnder(ring, tenantId, token, digest);
  }

  /** @returns undefined when the ring has no key of the token's kid */
  private verifyAccessUnder(
    ring: OpenKeyRing,
    tenantId: string,
    token: string,
    digest = VerifiedTokens.digest(token),
  ): Verified<AccessClaims> | undefined {
    const nowMs = this.clock.nowMs();
    const known = this.recall(ring, tenantId, digest, nowMs);
    if (known) return known;
    const parsed = parseCompactJwt(token);
    const claims = claimsOf(ACCESS, tenantId, parsed) as AccessClaims | null;
    if (!parsed || !claims) return INVALID;
    const { kid } = parsed.header;
    const found = ring.verificationKey(kid, nowMs);
    if (!found) return undefined;
    if (!hasRs256Signature(token, parsed, found)) return FORGED;
    this.verified.keep(digest, token.length, { claims, kid, key: found.key });
    return judge(claims, found.state, nowMs);
  }

  /** As `verifyAccessHere`, of a token that was found good before. @returns undefined for others */
  verifyKnown(tenantId: string, digest: string): Verified<AccessClaims> | undefined {
    const ring = this.keyRings.peek(tenantId);
    return ring && this.recall(ring, tenantId, digest, this.clock.nowMs());
  }

  /** All but the signature is judged anew. @returns undefined when that must be, too */
  private recall(
    ring: OpenKeyRing,
    tenantId: string,
    digest: string,
    nowMs: number,
  ): Verified<AccessClaims> | undefined {
    const known = this.verified.get(digest);
    if (!known) return undefined;
    if (known.claims.tenant_id !== tenantId) return INVALID;
    const found = ring.verificationKey(known.kid, nowMs);
    // Under another key of that kid it must be proved again.
    return found?.key === known.key ? judge(known.claims, found.state, nowMs) : undefined;
  }

  async verifyRefresh(tenantId: string, token: string): Promise<Verified<RefreshClaims>> {
    return this.verify<RefreshClaims>(REFRESH, tenantId, token, parseCompactJwt(token));
  }

  /** For calls that take either kind. The kind is read from the header, and the signature then proves it. */
  async verifyEither(tenantId: string, token: string): Promise<Verified<AccessClaims | RefreshClaims>> {
    const parsed = parseCompactJwt(token);
    const kind = parsed?.header.typ === REFRESH.typ ? REFRESH : ACCESS;
    return this.verify<AccessClaims | RefreshClaims>(kind, tenantId, token, parsed);
  }

  issuerOf(tenantId: string): string {
    return `${this.config.publicUrl}/tenants/${tenantId}`;
  }

  private async verify<C extends AccessClaims | RefreshClaims>(
    kind: Kind,
    tenantId: string,
    token: string,
    parsed: CompactJwt | null,
  ): Promise<Verified<C>> {
    const claims = claimsOf(kind, tenantId, parsed) as C | null;
    if (!parsed || !claims) return INVALID;
    const nowMs = this.clock.nowMs();
    const { kid } = parsed.header;
    const found =
      kind.find(await this.keyRings.get(tenantId), kid, nowMs) ??
      kind.find(await this.keyRings.refetch(tenantId), kid, nowMs);
    return found && hasValidSignature(kind, token, found) ? judge(claims, found.state, nowMs) : FORGED;
  }
}

const INVALID = { ok: false, error: 'invalid_token' } as const;
const FORGED = { ok: false, error: 'invalid_signature' } as const;

/**
 * Before any key is looked up: a token of another tenant and one of no tenant are answered alike.
 * @returns null unless the token says what one of its kind and this tenant must
 */
function claimsOf(
  kind: Kind,
  tenantId: string,
  parsed: CompactJwt | null,
): AccessClaims | RefreshClaims | null {
  if (!parsed || parsed.header.alg !== kind.alg || parsed.header.typ !== kind.typ) return null;
  if (!kind.obeys(parsed.payload)) return null;
  const claims = parsed.payload as unknown as AccessClaims | RefreshClaims;
  return claims.tenant_id === tenantId && claims.iss.endsWith(`/tenants/${tenantId}`) ? claims : null;
}

/** What a token with a good signature is worth now. */
function judge<C extends AccessClaims | RefreshClaims>(
  claims: C,
  keyState: VerificationKey['state'],
  nowMs: number,
): Verified<C> {
  const error = timeError(claims, nowMs) ?? (keyState === 'revoked' ? 'token_revoked' : null);
  return error ? { ok: false, error, claims } : { ok: true, claims };
}

/** The bytes are those that jsonwebtoken would give, which signs on the event loop. */
async function signRs256(
  { kid, key }: { kid: string; key: KeyObject },
  payload: AccessClaims,
): Promise<string> {
  const text = `${encode({ alg: 'RS256', typ: 'at+jwt', kid })}.${encode(payload)}`;
  const signature = await signInPool('RSA-SHA256', Buffer.from(text), key);
  return `${text}.${signature.toString('base64url')}`;
}

/** As the library would, at a fifth of the price. */
function signHs256(kid: string, key: KeyObject, payload: RefreshClaims): string {
  const text = `${encode({ alg: 'HS256', typ: 'rt+jwt', kid })}.${encode(payload)}`;
  return `${text}.${createHmac('sha256', key).update(text).digest('base64url')}`;
}

function encode(value: object): string {
  return Buffer.from(JSON.stringify(value)).toString('base64url');
}

/** Of a token that was read strictly, and says RS256: without the library, which would read it once more. */
function hasRs256Signature(token: string, { signature }: CompactJwt, { key }: VerificationKey): boolean {
  const signed = Buffer.from(token.slice(0, token.lastIndexOf('.')));
  return verify('RSA-SHA256', signed, key, signature);
}

/** The clock is ours, so the library is told to leave times alone. */
function hasValidSignature(kind: Kind, token: string, { key }: VerificationKey): boolean {
  try {
    jwt.verify(token, key, { algorithms: [kind.alg], ignoreExpiration: true, ignoreNotBefore: true });
    return true;
  } catch {
    return false;
  }
}

/** `exp` is exact; a token may come from an instance whose clock is a little ahead. */
function timeError(claims: AccessClaims | RefreshClaims, nowMs: number): TokenErrorCode | null {
  const latestStart = 'nbf' in claims ? Math.max(claims.nbf, claims.iat) : claims.iat;
  if (latestStart > toSeconds(nowMs) + CLOCK_SKEW_SECONDS) return 'invalid_token';
  return nowMs >= claims.exp * 1000 ? 'token_expired' : null;
}
