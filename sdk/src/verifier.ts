/** Verifies access tokens in this process: no call for a request, and revocations known all the same. */
import type { AccessClaims } from './claims.js';
import { SessionClient, tenantOf } from './client.js';
import { MAX_TOKEN_LENGTH } from './compact-jwt.js';
import { denialIn, isRefusal, reasonOf, refusal, SessionServiceError, undecidable } from './errors.js';
import { KeySet, type VerificationKey } from './key-set.js';
import { RevocationFeed } from './revocation-feed.js';
import { freeze, type Session } from './session.js';
import { TokenProof } from './token-proof.js';
import { Transport } from './transport.js';
import { VerifiedTokens } from './verified-tokens.js';
import type { VerifierOptions, VerifierState, WhenStale } from './verifier-options.js';
import { warn } from './warning.js';

/** How far ahead of ours the clock of the instance that issued a token may be. */
const CLOCK_SKEW_SECONDS = 5;
/** While the service does not answer, requests do not all wait for it. */
const ASKED_AGAIN_AFTER_MS = 500;
const ASKING_TIMEOUT_MS = 2000;
/** How long a key that was just made may stay unknown to the feed. */
const NEW_KEY_WAIT_MS = 1500;
/** A service that starts at the same time is not worth a word yet. */
const WAIT_TOLD_AFTER_MS = 3000;

export class SessionVerifier {
  readonly tenantId: string;
  private readonly url: string;
  private readonly keySet: KeySet;
  private readonly proof: TokenProof;
  private readonly verified: VerifiedTokens;
  private readonly client: SessionClient | null;
  private readonly asked = new Map<string, Promise<Session>>();
  private notAskedBeforeMs = Number.NEGATIVE_INFINITY;
  private readonly maxStalenessMs: number;
  private readonly whenStale: WhenStale;
  private readonly nowMs: () => number;
  private feed: RevocationFeed | null = null;
  private watch: NodeJS.Timeout | undefined;
  private state: VerifierState = 'starting';
  private lastError: unknown;

  constructor(private readonly options: VerifierOptions) {
    const { apiKey, revocations = 'follow', maxStalenessMs = 2000, whenStale = 'ask' } = options;
    if (options.tenantId === undefined && apiKey === undefined)
      throw new TypeError('Give tenantId or apiKey.');
    if (revocations === 'follow' && apiKey === undefined) {
      throw new TypeError("Revocations are followed with an apiKey; without one, say revocations: 'none'.");
    }
    this.tenantId = options.tenantId ?? tenantOf(apiKey ?? '');
    const { url } = new Transport(options);
    this.url = url;
    this.maxStalenessMs = maxStalenessMs;
    this.whenStale = whenStale;
    this.nowMs = options.nowMs ?? Date.now;
    this.client =
      apiKey !== undefined && revocations === 'follow'
        ? new SessionClient({
            timeoutMs: ASKING_TIMEOUT_MS,
            retries: 0,
            ...options,
            apiKey,
            tenantId: this.tenantId,
          })
        : null;
    const anonymous = new Transport({ ...options, apiKey: undefined });
    this.keySet = new KeySet(anonymous, `${this.path}/jwks`, options.jwksCooldownMs ?? 1000);
    this.proof = new TokenProof(this.tenantId, url, options, this.keySet, this.nowMs);
    this.verified = new VerifiedTokens((options.tokenCacheMb ?? 16) * 1_000_000);
  }

  /**
   * The session of a good access token.
   * @throws SessionServiceError whose `action` says what to do: `refresh` or `reauthenticate` for a token that is not
   *   good; `retry` when that cannot be known now, which is no reason to log anybody out
   */
  async verify(token: string): Promise<Session> {
    if (this.state === 'closed') {
      throw new SessionServiceError('closed', 'This verifier was closed.', { action: 'fix_request' });
    }
    this.start();
    if (typeof token !== 'string' || token.length > MAX_TOKEN_LENGTH) throw refusal('invalid_token');
    const digest = VerifiedTokens.digest(token);
    const known = this.verified.get(digest);
    if (known && this.keySet.peek(known.key.kid) === known.key) {
      this.judgeTimes(known.session.claims);
      return this.judgeRevocation(token, digest, known.session, known.key);
    }
    const { session, key } = await this.proof.of(token);
    this.verified.keep(digest, token.length, { session, key });
    this.judgeTimes(session.claims);
    return this.judgeRevocation(token, digest, session, key);
  }

  /**
   * Waits for keys and revocations, so that the first request finds them. An outage is waited out, and so is whatever else
   * answers in the service's place; after 3 s a process warning says what is waited for, and why.
   * @throws SessionServiceError when waiting is no use: a wrong API key, a missing scope, an unknown tenant, a closed verifier
   */
  async ready({ signal }: { readonly signal?: AbortSignal | undefined } = {}): Promise<void> {
    this.start();
    let keyError: unknown;
    const tell = (): void => {
      const reason = reasonOf(this.keySet.loaded ? this.lastError : (keyError ?? this.lastError));
      warn(`Still waiting for the session service at ${this.url}: ${reason}`);
    };
    const notice = setTimeout(tell, WAIT_TOLD_AFTER_MS).unref();
    try {
      for (;;) {
        signal?.throwIfAborted();
        keyError = await this.keySet.ensure().catch((error: unknown) => error);
        const isReady = this.keySet.loaded && (!this.feed || this.isFresh());
        if (isReady) return;
        const denial = denialIn(this.lastError) ?? denialIn(keyError);
        if (denial) throw denial;
        if (this.state === 'closed') throw this.lastError ?? undecidable('This verifier was closed.');
        await this.feed?.untilHeard(100);
      }
    } finally {
      clearTimeout(notice);
    }
  }

  /** What a metric or a health check may show. */
  status(): { state: VerifierState; ageMs: number | null; revocations: number; keys: number } {
    const ageMs = this.feed?.ageMs() ?? Number.POSITIVE_INFINITY;
    return {
      state: this.state,
      ageMs: Number.isFinite(ageMs) ? Math.round(ageMs) : null,
      revocations: this.feed?.size ?? 0,
      keys: this.keySet.size,
    };
  }

  /** Ends the connection to the service: without it, that connection keeps a process alive. */
  close(): void {
    clearInterval(this.watch);
    this.feed?.close();
    this.enter('closed');
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.close();
  }

  private get path(): string {
    return `/tenants/${encodeURIComponent(this.tenantId)}`;
  }

  /** At the first use, so that making a verifier opens no connection. */
  private start(): void {
    if (this.feed || !this.client || this.state === 'closed') return;
    const listener = {
      heard: () => this.look(),
      keys: (kids: ReadonlySet<string>) => {
        const isNew = [...kids].some((kid) => !this.keySet.has(kid));
        if (isNew) this.keySet.load().catch((error: unknown) => (this.lastError = error));
      },
      failed: (error: unknown) => {
        this.lastError = error ?? this.lastError;
      },
    };
    this.feed = new RevocationFeed(
      new Transport(this.options),
      `${this.path}/revocations`,
      this.options.maxRevocations ?? 1_000_000,
      listener,
      this.nowMs,
    );
    this.watch = setInterval(() => this.look(), Math.max(50, this.maxStalenessMs / 4));
    this.watch.unref();
  }

  /** `exp` is exact; a token may come from an instance whose clock is a little ahead. */
  private judgeTimes({ nbf, iat, exp }: AccessClaims): void {
    const nowMs = this.nowMs();
    if (Math.max(nbf, iat) * 1000 > nowMs + CLOCK_SKEW_SECONDS * 1000) throw refusal('invalid_token');
    if (nowMs >= exp * 1000) throw refusal('token_expired');
  }

  private async judgeRevocation(
    token: string,
    digest: string,
    session: Session,
    key: VerificationKey,
  ): Promise<Session> {
    const feed = this.feed;
    if (!feed) {
      if (!key.listed) throw refusal('token_revoked');
      return session;
    }
    if (feed.has(session.sessionId) || feed.has(session.tokenId)) throw refusal('token_revoked');
    if (this.isFresh() && feed.kids?.has(key.kid) === false) await this.untilKeyIsJudged(feed, key);
    if (this.isFresh() && feed.kids?.has(key.kid)) {
      return { ...session, revocation: { checked: 'feed', ageMs: Math.round(feed.ageMs()) } };
    }
    if (feed.kids?.has(key.kid) === false && feed.asOfMs >= key.firstListedAtMs)
      throw refusal('token_revoked');
    return this.decideStale(token, digest, session, feed);
  }

  /**
   * The feed does not name the token's key among the good ones. Either the key was ended, or it is newer than the last
   * word of the feed: then the next word tells.
   */
  private async untilKeyIsJudged(feed: RevocationFeed, key: VerificationKey): Promise<void> {
    const deadlineMs = performance.now() + NEW_KEY_WAIT_MS;
    while (feed.kids?.has(key.kid) === false && this.state !== 'closed') {
      if (feed.asOfMs >= key.firstListedAtMs) throw refusal('token_revoked');
      const leftMs = deadlineMs - performance.now();
      if (leftMs <= 0) return;
      await feed.untilHeard(leftMs);
    }
  }

  private async decideStale(
    token: string,
    digest: string,
    session: Session,
    feed: RevocationFeed,
  ): Promise<Session> {
    this.look();
    if (this.whenStale === 'accept' && !feed.isDenied) {
      const ageMs = feed.ageMs();
      const known = Number.isFinite(ageMs) ? Math.round(ageMs) : null;
      return { ...session, revocation: { checked: 'stale', ageMs: known } };
    }
    if (this.whenStale !== 'ask') {
      throw undecidable('What is known of revocations is too old to accept a token.', this.lastError);
    }
    if (performance.now() < this.notAskedBeforeMs) throw unknowable(this.lastError);
    // Many requests with one token ask once.
    const asked = this.asked.get(digest) ?? this.ask(token).finally(() => this.asked.delete(digest));
    this.asked.set(digest, asked);
    return asked;
  }

  private async ask(token: string): Promise<Session> {
    try {
      return freeze(await (this.client as SessionClient).validate(token));
    } catch (error) {
      if (isRefusal(error)) throw error;
      this.lastError = error;
      const isBusy = error instanceof SessionServiceError && error.code === 'rate_limited';
      if (!isBusy) this.notAskedBeforeMs = performance.now() + ASKED_AGAIN_AFTER_MS;
      throw unknowable(error);
    }
  }

  private isFresh(): boolean {
    const feed = this.feed;
    return feed !== null && !feed.isDenied && feed.isWhole && feed.ageMs() <= this.maxStalenessMs;
  }

  private look(): void {
    if (this.isFresh()) this.enter('following');
    else if (this.state === 'following') this.enter('stale');
  }

  private enter(state: VerifierState): void {
    const previous = this.state;
    if (state === previous || previous === 'closed') return;
    this.state = state;
    const cause = state === 'following' ? undefined : this.lastError;
    if (state === 'following') this.lastError = undefined;
    this.options.onStateChange?.({ state, previous, ageMs: this.status().ageMs, cause });
  }
}

function unknowable(cause: unknown): SessionServiceError {
  return undecidable('What is known of revocations is too old, and the service cannot tell.', cause);
}
