/** A tenant's public keys: fetched once, renewed by age and when a token names a key that is not known yet. */
import type { webcrypto } from 'node:crypto';
import { importJWK } from 'jose';
import { jwkSet } from './answers.js';
import { undecidable } from './errors.js';
import { errorOf, type Transport } from './transport.js';

export interface VerificationKey {
  readonly kid: string;
  readonly key: webcrypto.CryptoKey;
  /** When it was first seen in the set, on the monotonic clock. */
  readonly firstListedAtMs: number;
  /** Whether the newest set still has it. */
  listed: boolean;
}

/** A tenant has three or four; what its set no longer lists is kept to tell why a token is refused. */
const MAX_KEYS = 64;
/** 2,048 bits in base64url. */
const SHORTEST_MODULUS = 342;
const DEFAULT_MAX_AGE_SECONDS = 300;
/** Who wait for a set that may have a new key; beyond that the answer is to come back later. */
const MAX_WAITING = 1000;
const FETCH_TIMEOUT_MS = 5000;

export class KeySet {
  private keys = new Map<string, VerificationKey>();
  private texts = new Map<string, string>();
  private etag: string | null = null;
  private loading: Promise<void> | null = null;
  private next: Promise<void> | null = null;
  private waiting = 0;
  private attemptedAtMs = Number.NEGATIVE_INFINITY;
  /** When the newest set was asked for. */
  private loadedAtMs = Number.NEGATIVE_INFINITY;
  private maxAgeMs = 0;

  /** @param cooldownMs between two fetches, however many unknown keys are named */
  constructor(
    private readonly transport: Transport,
    private readonly path: string,
    private readonly cooldownMs: number,
  ) {}

  get size(): number {
    return [...this.keys.values()].filter(({ listed }) => listed).length;
  }

  get loaded(): boolean {
    return this.loadedAtMs > 0;
  }

  /** The key as it is known now; a set that is too old is renewed meanwhile, and serves on while it cannot be. */
  peek(kid: string): VerificationKey | undefined {
    const nowMs = performance.now();
    const isOld = this.loaded && nowMs - this.loadedAtMs > this.maxAgeMs;
    if (isOld && nowMs - this.attemptedAtMs > this.cooldownMs) void this.load().catch(() => undefined);
    return this.keys.get(kid);
  }

  /**
   * @returns null when a set that was asked for after this question has no such key
   * @throws SessionServiceError undecidable when no such set can be had
   */
  async find(kid: string): Promise<VerificationKey | null> {
    const askedAtMs = performance.now();
    for (;;) {
      const key = this.peek(kid);
      if (key) return key;
      if (this.loadedAtMs >= askedAtMs) return null;
      if (this.waiting >= MAX_WAITING) throw undecidable('Too many tokens name keys that are not known yet.');
      this.waiting++;
      try {
        await this.loadWhenAllowed();
      } finally {
        this.waiting--;
      }
    }
  }

  /** Fetches the set unless it was fetched before. */
  async ensure(): Promise<void> {
    if (!this.loaded) await this.loadWhenAllowed();
  }

  /** Fetches at once: somebody who is trusted has named a key that is not here. */
  async load(): Promise<void> {
    this.loading ??= this.fetchSet().finally(() => (this.loading = null));
    return this.loading;
  }

  has(kid: string): boolean {
    return this.keys.get(kid)?.listed ?? false;
  }

  /** All who wait, wait for the same one. */
  private async loadWhenAllowed(): Promise<void> {
    this.next ??= this.loadAfterPause().finally(() => (this.next = null));
    return this.next;
  }

  private async loadAfterPause(): Promise<void> {
    const dueInMs = this.attemptedAtMs + this.cooldownMs - performance.now();
    if (!this.loading && dueInMs > 0) await new Promise((resolve) => setTimeout(resolve, dueInMs));
    await this.load();
  }

  private async fetchSet(): Promise<void> {
    const startedAtMs = performance.now();
    this.attemptedAtMs = startedAtMs;
    const known: Record<string, string> = this.etag === null ? {} : { 'if-none-match': this.etag };
    try {
      const answer = await this.transport.open(this.path, known, AbortSignal.timeout(FETCH_TIMEOUT_MS));
      if (answer.status !== 304) {
        if (!answer.ok) throw errorOf(answer, await answer.text());
        await this.take(await answer.json(), startedAtMs);
        this.etag = answer.headers.get('etag');
      }
      this.maxAgeMs = maxAgeSeconds(answer) * 1000;
      this.loadedAtMs = startedAtMs;
    } catch (error) {
      throw undecidable("The tenant's public keys cannot be fetched.", error);
    }
  }

  private async take(body: unknown, startedAtMs: number): Promise<void> {
    const fresh = new Map<string, VerificationKey>();
    const texts = new Map<string, string>();
    for (const jwk of jwkSet(body).keys.slice(0, MAX_KEYS)) {
      const { kid, n, e } = jwk;
      if (!isUsable(jwk) || typeof kid !== 'string') continue;
      const text = `${String(n)} ${String(e)}`;
      const known = this.texts.get(kid) === text ? this.keys.get(kid) : undefined;
      const key = known?.key ?? (await importJWK({ kty: 'RSA', n: String(n), e: String(e) }, 'RS256'));
      if (key instanceof Uint8Array) continue;
      fresh.set(kid, { kid, key, firstListedAtMs: known?.firstListedAtMs ?? startedAtMs, listed: true });
      texts.set(kid, text);
    }
    // An entry is the same object as long as its key is: tokens that it has proven stay proven.
    for (const [kid, old] of this.keys) {
      const isSame = fresh.get(kid)?.key === old.key;
      old.listed = isSame;
      if (isSame || (!fresh.has(kid) && fresh.size < MAX_KEYS)) {
        fresh.set(kid, old);
        texts.set(kid, this.texts.get(kid) ?? '');
      }
    }
    this.keys = fresh;
    this.texts = texts;
  }
}

/** Nothing but RSA keys that sign, long enough, without a private member. */
function isUsable({ kty, alg, use, n, e, d }: Readonly<Record<string, unknown>>): boolean {
  const isForSigning = (alg === undefined || alg === 'RS256') && (use === undefined || use === 'sig');
  const isLong = typeof n === 'string' && n.length >= SHORTEST_MODULUS && typeof e === 'string';
  return kty === 'RSA' && isForSigning && isLong && d === undefined;
}

function maxAgeSeconds(answer: Response): number {
  const [, seconds] = /(?:^|[\s,])max-age=(\d{1,6})/.exec(answer.headers.get('cache-control') ?? '') ?? [];
  return Math.min(Math.max(Number(seconds ?? DEFAULT_MAX_AGE_SECONDS), 30), 3600);
}
