/**
 * Holds a client's two tokens and keeps the access token fresh: one refresh at a time, repeated when its answer is
 * lost. Tokens are dropped only when the service says that the session is over; no race and no outage does that.
 */
import { SessionServiceError } from './errors.js';

/** What a login and a refresh give. IssuedTokens of SessionClient are such. */
export interface NewTokens {
  readonly accessToken: string;
  /** Absent where it lives in a cookie that scripts cannot read. */
  readonly refreshToken?: string | undefined;
  /** Seconds that the access token lives. */
  readonly expiresInSeconds: number;
}

export interface HeldTokens {
  readonly accessToken: string;
  readonly refreshToken?: string | undefined;
  /** By this machine's clock, counted from when they came: that clock need not be right. */
  readonly expiresAtMs: number;
  readonly lifeMs: number;
}

/** Where tokens are held. `memoryStore()`, or `browserStore()` for several tabs, or one of yours. */
export interface TokenStore {
  get(): HeldTokens | null | Promise<HeldTokens | null>;
  set(tokens: HeldTokens | null): void | Promise<void>;
  /** Runs the work while nobody else who shares the store does. */
  exclusively?<T>(work: () => Promise<T>): Promise<T>;
  /** Tells when somebody else has changed the tokens. @returns how to stop it */
  onChange?(listener: () => void): () => void;
}

export interface SessionTokensOptions {
  /**
   * Exchanges the refresh token for new tokens: `(token) => client.refresh(token)` on a server; in a browser, which
   * must hold no API key, `refreshAt('/your/endpoint')`.
   */
  readonly refresh: (refreshToken: string | undefined, call: { signal: AbortSignal }) => Promise<NewTokens>;
  readonly store?: TokenStore | undefined;
  /** How long before its end an access token is replaced; at most a third of its life. */
  readonly refreshBeforeSeconds?: number | undefined;
  /** For a refresh with its repetitions. */
  readonly timeoutMs?: number | undefined;
  /** The session is over, or somebody has logged out in another tab. */
  readonly onSignedOut?: ((cause: SessionServiceError | undefined) => void) | undefined;
}

const FIRST_PAUSE_MS = 200;
const LONGEST_PAUSE_MS = 3000;

export class SessionTokens {
  private readonly store: TokenStore;
  private readonly stopListening: (() => void) | undefined;
  private refreshing: Promise<HeldTokens> | null = null;

  constructor(private readonly options: SessionTokensOptions) {
    this.store = options.store ?? memoryStore();
    this.stopListening = this.store.onChange?.(() => void this.lookForSignOut());
  }

  /** Takes the tokens of a login. */
  async signIn(tokens: NewTokens): Promise<void> {
    await this.store.set(held(tokens));
  }

  /** Drops the tokens; the service is not told: revoke the session too. */
  async signOut(): Promise<void> {
    await this.store.set(null);
    this.options.onSignedOut?.(undefined);
  }

  async isSignedIn(): Promise<boolean> {
    return (await this.store.get()) !== null;
  }

  /**
   * An access token that is still good for a while. During an outage it is the one that is held, as long as it lives.
   * @throws SessionServiceError: `reauthenticate` when nobody is logged in (any more), `retry` in an outage
   */
  async accessToken(): Promise<string> {
    const tokens = await this.store.get();
    if (!tokens) throw signedOut();
    const leftMs = tokens.expiresAtMs - Date.now();
    const earlyMs = Math.min((this.options.refreshBeforeSeconds ?? 60) * 1000, tokens.lifeMs / 3);
    if (leftMs > earlyMs) return tokens.accessToken;
    try {
      return await this.refreshed(tokens.accessToken);
    } catch (error) {
      const isOver = error instanceof SessionServiceError && error.action === 'reauthenticate';
      if (isOver || tokens.expiresAtMs <= Date.now()) throw error;
      return tokens.accessToken;
    }
  }

  /**
   * A newer access token than this one: somebody refused it. Whoever asks at the same time, here or in another tab,
   * gets the same one.
   */
  async refreshed(refusedAccessToken: string): Promise<string> {
    this.refreshing ??= this.refresh(refusedAccessToken).finally(() => (this.refreshing = null));
    return (await this.refreshing).accessToken;
  }

  /** Stops listening to other tabs. */
  close(): void {
    this.stopListening?.();
  }

  private async refresh(refusedAccessToken: string): Promise<HeldTokens> {
    return this.exclusively(async () => {
      const before = await this.store.get();
      if (!before) throw signedOut();
      // Somebody else did it while we waited.
      if (before.accessToken !== refusedAccessToken) return before;
      const outcome = await this.exchange(before).catch((error: unknown) => error);
      const now = await this.store.get();
      // Whoever logged in or out meanwhile has the last word.
      if (now?.accessToken !== before.accessToken) {
        if (now) return now;
        throw signedOut();
      }
      if (!(outcome instanceof Error)) {
        const after = held({ refreshToken: before.refreshToken, ...(outcome as NewTokens) });
        await this.store.set(after);
        return after;
      }
      if (outcome instanceof SessionServiceError && outcome.action === 'reauthenticate') {
        await this.store.set(null);
        this.options.onSignedOut?.(outcome);
      }
      throw outcome;
    });
  }

  /** Repeats with the same refresh token, as its answer may have been lost: it then gets the same successor. */
  private async exchange({ refreshToken }: HeldTokens): Promise<NewTokens> {
    const timeoutMs = this.options.timeoutMs ?? 15_000;
    const signal = AbortSignal.timeout(timeoutMs);
    const deadlineMs = performance.now() + timeoutMs;
    for (let attempt = 0; ; attempt++) {
      try {
        return await this.options.refresh(refreshToken, { signal });
      } catch (error) {
        const pauseMs = pauseAfter(error, attempt);
        if (pauseMs === null || performance.now() + pauseMs >= deadlineMs) throw asError(error);
        await new Promise((resolve) => setTimeout(resolve, pauseMs));
      }
    }
  }

  private async exclusively<T>(work: () => Promise<T>): Promise<T> {
    return this.store.exclusively ? this.store.exclusively(work) : work();
  }

  private async lookForSignOut(): Promise<void> {
    if ((await this.store.get()) === null) this.options.onSignedOut?.(undefined);
  }
}

/** For one process or one page: gone when it ends. */
export function memoryStore(): TokenStore {
  let held: HeldTokens | null = null;
  return {
    get: () => held,
    set: (tokens) => {
      held = tokens;
    },
  };
}

function held({ accessToken, refreshToken, expiresInSeconds }: NewTokens): HeldTokens {
  const lifeMs = expiresInSeconds * 1000;
  return {
    accessToken,
    ...(refreshToken === undefined ? {} : { refreshToken }),
    expiresAtMs: Date.now() + lifeMs,
    lifeMs,
  };
}

function signedOut(): SessionServiceError {
  return new SessionServiceError('missing_token', 'Nobody is logged in.', {
    action: 'reauthenticate',
    status: 401,
  });
}

/** Errors of other kinds are those of a network or of a refresh function that does not know our words. */
function pauseAfter(error: unknown, attempt: number): number | null {
  const backoffMs = Math.min(FIRST_PAUSE_MS * 2 ** attempt, LONGEST_PAUSE_MS) * (0.5 + Math.random());
  if (!(error instanceof SessionServiceError)) return backoffMs;
  if (error.action !== 'retry') return null;
  return Math.max(backoffMs, (error.retryAfterSeconds ?? 0) * 1000);
}

function asError(error: unknown): SessionServiceError {
  if (error instanceof SessionServiceError) return error;
  return new SessionServiceError('unreachable', 'The tokens could not be refreshed.', {
    action: 'retry',
    cause: error,
  });
}
