/** A tenant for tests: real keys, real RS256 tokens, sessions in memory. It knows nothing of HTTP. */
import { randomBytes, type webcrypto } from 'node:crypto';
import { CompactSign, exportJWK, generateKeyPair } from 'jose';
import type { AccessClaims, Metadata } from './claims.js';

export interface TestTenantOptions {
  readonly tenantId?: string | undefined;
  readonly audience?: string | undefined;
  /** Root of the issuer; nothing listens there. */
  readonly publicUrl?: string | undefined;
  readonly accessTokenSeconds?: number | undefined;
  readonly refreshTokenSeconds?: number | undefined;
  /** How long a refresh token that was replaced gets the same successor. */
  readonly graceSeconds?: number | undefined;
}

export interface TestLogin {
  readonly userId?: string | undefined;
  readonly scope?: string | undefined;
  readonly metadata?: Metadata | undefined;
}

export interface TestSession {
  readonly sessionId: string;
  readonly userId: string;
  readonly scope: string;
  readonly metadata: Metadata;
  readonly createdAtSeconds: number;
  lastUsedAtSeconds: number;
  refreshToken: string;
  /** The one before, and until when it gets the same successor. */
  replaced: { readonly refreshToken: string; readonly untilMs: number } | null;
}

export interface TestKey {
  readonly kid: string;
  readonly privateKey: webcrypto.CryptoKey;
  /** Its public half. */
  readonly jwk: Readonly<Record<string, unknown>>;
}

/** What the feed says. */
export type TestFeedEvent =
  | {
      readonly event: 'revoked';
      readonly data: { readonly revocations: readonly TestRevocation[] };
    }
  | { readonly event: 'keys'; readonly data: { readonly kids: readonly string[] } };

export interface TestRevocation {
  readonly id: string;
  readonly kind: 'session' | 'token';
  readonly expires_at: number;
}

export const newId = (): string => randomBytes(20).toString('base64url').slice(0, 26);

export class TestTenant {
  readonly tenantId: string;
  readonly audience: string;
  readonly issuer: string;
  readonly apiKey: string;
  readonly accessTokenSeconds: number;
  readonly refreshTokenSeconds: number;
  readonly sessions = new Map<string, TestSession>();
  readonly revocations: TestRevocation[] = [];
  keys: TestKey[];
  epoch = 1;
  private readonly graceSeconds: number;
  private readonly listeners = new Set<(event: TestFeedEvent) => void>();
  private aheadMs = 0;

  protected constructor(options: TestTenantOptions, key: TestKey) {
    this.tenantId = options.tenantId ?? 'test';
    this.audience = options.audience ?? this.tenantId;
    this.issuer = `${options.publicUrl ?? 'https://sessions.test'}/tenants/${this.tenantId}`;
    this.apiKey = `sk_${this.tenantId}_${'0'.repeat(16)}_${randomBytes(32).toString('hex')}`;
    this.accessTokenSeconds = options.accessTokenSeconds ?? 900;
    this.refreshTokenSeconds = options.refreshTokenSeconds ?? 2_592_000;
    this.graceSeconds = options.graceSeconds ?? 10;
    this.keys = [key];
  }

  /** Milliseconds since 1970, as this tenant has them. */
  nowMs = (): number => Date.now() + this.aheadMs;

  /** Turns the clock of this tenant, and of the verifiers that it made. */
  advanceSeconds(seconds: number): void {
    this.aheadMs += seconds * 1000;
  }

  get nowSeconds(): number {
    return Math.floor(this.nowMs() / 1000);
  }

  newSession({ userId = 'alice', scope = '', metadata = {} }: TestLogin = {}): TestSession {
    const session: TestSession = {
      sessionId: newId(),
      userId,
      scope,
      metadata,
      createdAtSeconds: this.nowSeconds,
      lastUsedAtSeconds: this.nowSeconds,
      refreshToken: '',
      replaced: null,
    };
    session.refreshToken = `${session.sessionId}.${newId()}`;
    this.sessions.set(session.sessionId, session);
    return session;
  }

  /** A token of a session, signed by the newest key. @param more in place of what it would say */
  async accessToken(session: TestSession, more: Partial<AccessClaims> = {}): Promise<string> {
    return this.sign({
      iss: this.issuer,
      sub: session.userId,
      aud: this.audience,
      exp: this.nowSeconds + this.accessTokenSeconds,
      iat: this.nowSeconds,
      nbf: this.nowSeconds,
      jti: newId(),
      sid: session.sessionId,
      tenant_id: this.tenantId,
      scope: session.scope,
      metadata: session.metadata,
      token_type: 'access',
      ...more,
    });
  }

  /** Any claims under any header, really signed: for tests of what must be refused. */
  async sign(claims: object, header: Readonly<Record<string, unknown>> = {}): Promise<string> {
    const key = this.keys.at(-1) as TestKey;
    return new CompactSign(new TextEncoder().encode(JSON.stringify(claims)))
      .setProtectedHeader({ alg: 'RS256', typ: 'at+jwt', kid: key.kid, ...header })
      .sign(key.privateKey);
  }

  /** @returns why not, in the service's words, or the session whose refresh token is now another one */
  rotateRefreshToken(presented: string): TestSession | 'refresh_token_not_found' | 'refresh_token_reused' {
    const session = this.sessions.get(presented.split('.', 1)[0] ?? '');
    if (!session) return 'refresh_token_not_found';
    if (presented === session.refreshToken) {
      session.replaced = { refreshToken: presented, untilMs: this.nowMs() + this.graceSeconds * 1000 };
      session.refreshToken = `${session.sessionId}.${newId()}`;
      session.lastUsedAtSeconds = this.nowSeconds;
      return session;
    }
    const { replaced } = session;
    if (replaced?.refreshToken === presented && this.nowMs() <= replaced.untilMs) return session;
    this.endSession(session.sessionId);
    return 'refresh_token_reused';
  }

  /** @returns false when there was none */
  endSession(sessionId: string): boolean {
    if (!this.sessions.delete(sessionId)) return false;
    this.announce({ id: sessionId, kind: 'session', expires_at: this.lastExpirySeconds });
    return true;
  }

  endToken(tokenId: string): void {
    this.announce({ id: tokenId, kind: 'token', expires_at: this.lastExpirySeconds });
  }

  /** Another key signs from now on; tokens of the one before stay good. */
  async rotate(): Promise<string> {
    const key = await newKey();
    this.keys = [...this.keys, key];
    this.tellKeys();
    return key.kid;
  }

  /** As when a key was stolen: its tokens are refused from now on, and another key signs. */
  async kill(kid = this.keys.at(-1)?.kid): Promise<void> {
    const left = this.keys.filter((key) => key.kid !== kid);
    this.keys = left.length > 0 ? left : [await newKey()];
    this.tellKeys();
  }

  /** Ends every session of the tenant: its keys are replaced. */
  async revokeAll(): Promise<void> {
    this.epoch++;
    this.sessions.clear();
    this.keys = [await newKey()];
    this.tellKeys();
  }

  /** @returns how to stop listening */
  onFeed(listener: (event: TestFeedEvent) => void): () => void {
    this.listeners.add(listener);
    return () => this.listeners.delete(listener);
  }

  private get lastExpirySeconds(): number {
    return this.nowSeconds + this.accessTokenSeconds;
  }

  private announce(revocation: TestRevocation): void {
    this.revocations.push(revocation);
    this.tell({ event: 'revoked', data: { revocations: [revocation] } });
  }

  private tellKeys(): void {
    this.tell({ event: 'keys', data: { kids: this.keys.map(({ kid }) => kid) } });
  }

  private tell(event: TestFeedEvent): void {
    for (const listener of this.listeners) listener(event);
  }
}

export async function newKey(): Promise<TestKey> {
  const { privateKey, publicKey } = await generateKeyPair('RS256', { extractable: true });
  const kid = newId();
  return { kid, privateKey, jwk: { ...(await exportJWK(publicKey)), kid, alg: 'RS256', use: 'sig' } };
}
