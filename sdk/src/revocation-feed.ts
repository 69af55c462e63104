/**
 * Follows a tenant's revocation feed: a snapshot, then server-sent events, and again after every break. What it has
 * heard it keeps; how old that is it always knows. It judges no token.
 */
import { object } from './answers.js';
import { isDenial, SessionServiceError } from './errors.js';
import { readEvents, type ServerEvent } from './event-stream.js';
import { RevocationReplica } from './revocation-replica.js';
import { errorOf, type Transport } from './transport.js';

/** The service speaks about every half second. A connection that says nothing for so long is given up. */
const SILENCE_MS = 3000;
const CONNECT_TIMEOUT_MS = 5000;
const FIRST_PAUSE_MS = 50;
const LONGEST_PAUSE_MS = 5000;
const SWEEP_MS = 10_000;

/** What one connection has told so far. */
interface Connection {
  /** They count once the connection is not older than what was known before. */
  kids: ReadonlySet<string> | null;
  isCaughtUp: boolean;
  heard: boolean;
  /** Where the snapshot goes that is being told: a new one, when that which is there had no room for all. */
  told: RevocationReplica | null;
}

export interface FeedListener {
  /** Something was heard. */
  heard(): void;
  /** These keys sign, or may: the verifier should have them. */
  keys(kids: ReadonlySet<string>): void;
  failed(error: unknown): void;
}

export class RevocationFeed {
  /** Keys whose tokens may be accepted; null until the feed was read. */
  kids: ReadonlySet<string> | null = null;
  /** The moment at which all of this was true, on the monotonic clock. */
  asOfMs = Number.NEGATIVE_INFINITY;
  /** The service's last word was that this API key may hear nothing: nothing of before counts any more. */
  isDenied = false;
  private replica: RevocationReplica;
  private loaded = false;
  private lastId = '';
  private readonly stopping = new AbortController();
  private readonly sweep: NodeJS.Timeout;
  private readonly waiters = new Set<() => void>();

  constructor(
    private readonly transport: Transport,
    private readonly path: string,
    private readonly maxEntries: number,
    private readonly listener: FeedListener,
    nowMs: () => number,
  ) {
    this.replica = new RevocationReplica(maxEntries);
    this.sweep = setInterval(() => this.replica.forgetExpired(nowMs() / 1000), SWEEP_MS);
    this.sweep.unref();
    void this.follow();
  }

  get size(): number {
    return this.replica.size;
  }

  /** Whether what is not in here is not revoked, as of `asOfMs`. */
  get isWhole(): boolean {
    return this.loaded && this.replica.isWhole;
  }

  /** Infinity before the feed was read whole. */
  ageMs(): number {
    return this.loaded ? performance.now() - this.asOfMs : Number.POSITIVE_INFINITY;
  }

  has(id: string): boolean {
    return this.replica.has(id);
  }

  /** @returns when something was heard, or the time is over */
  async untilHeard(timeoutMs: number): Promise<void> {
    await new Promise<void>((resolve) => {
      const done = (): void => {
        clearTimeout(timer);
        this.waiters.delete(done);
        resolve();
      };
      const timer = setTimeout(done, timeoutMs);
      this.waiters.add(done);
    });
  }

  close(): void {
    clearInterval(this.sweep);
    this.stopping.abort();
    this.wake();
  }

  private async follow(): Promise<void> {
    let failures = 0;
    while (!this.stopping.signal.aborted) {
      const connection: Connection = { kids: null, isCaughtUp: false, heard: false, told: null };
      let error: unknown;
      try {
        await this.connect(connection);
      } catch (cause) {
        error = cause;
      }
      if (this.stopping.signal.aborted) return;
      failures = connection.heard ? 0 : failures + 1;
      this.isDenied = isDenial(error);
      this.listener.failed(error);
      await this.pause(pauseMs(failures, error));
    }
  }

  /** @returns when the service ends the stream, as when it shuts down */
  private async connect(connection: Connection): Promise<void> {
    const silence = new AbortController();
    const giveUp = (): void => silence.abort(silent());
    let timer = setTimeout(giveUp, CONNECT_TIMEOUT_MS);
    const isAlive = (): void => {
      clearTimeout(timer);
      timer = setTimeout(giveUp, SILENCE_MS);
      timer.unref();
    };
    timer.unref();
    // What did not fit must be read anew once there is room.
    const resume = this.lastId !== '' && this.replica.isWhole ? { 'last-event-id': this.lastId } : undefined;
    const signal = AbortSignal.any([silence.signal, this.stopping.signal]);
    try {
      const headers = { accept: 'text/event-stream', 'cache-control': 'no-store', ...resume };
      const answer = await this.transport.open(this.path, headers, signal);
      if (!answer.ok) throw errorOf(answer, await answer.text());
      const isStream = answer.headers.get('content-type')?.startsWith('text/event-stream') ?? false;
      if (!isStream || !answer.body) throw noStream(answer);
      isAlive();
      for await (const event of readEvents(answer.body, isAlive)) {
        this.take(event, connection);
        if (connection.told === null && this.hasRoomAgain()) return;
      }
    } finally {
      clearTimeout(timer);
      silence.abort();
    }
  }

  private take({ event, data, lastId }: ServerEvent, connection: Connection): void {
    const body = object(JSON.parse(data));
    if (event === 'snapshot') {
      // Chosen once: what runs over in the middle of a snapshot does not hold the parts that came before in another.
      connection.told ??= this.replica.isWhole ? this.replica : new RevocationReplica(this.maxEntries);
      addAll(connection.told, body['revocations']);
      if (body['complete'] !== true) return;
      this.replica = connection.told;
      connection.told = null;
      this.loaded = true;
      this.hearKeys(body['kids'], connection);
    } else if (event === 'revoked') {
      addAll(this.replica, body['revocations']);
      if (connection.told) addAll(connection.told, body['revocations']);
    } else if (event === 'keys') {
      this.hearKeys(body['kids'], connection);
    } else if (event === 'age') {
      this.hearAge(body['age_ms'], connection);
    } else {
      return;
    }
    connection.heard = true;
    this.isDenied = false;
    if (lastId !== '') this.lastId = lastId;
    this.listener.heard();
    this.wake();
  }

  private hearKeys(kids: unknown, connection: Connection): void {
    if (!Array.isArray(kids)) return;
    connection.kids = new Set(kids.filter((kid): kid is string => typeof kid === 'string'));
    if (connection.isCaughtUp || this.kids === null) this.adopt(connection.kids);
  }

  private hearAge(ageMs: unknown, connection: Connection): void {
    if (typeof ageMs !== 'number' || !(ageMs >= 0)) return;
    const asOfMs = performance.now() - ageMs;
    // The first word of another instance may be older than the last of the one before.
    if (!connection.isCaughtUp && asOfMs >= this.asOfMs) {
      connection.isCaughtUp = true;
      if (connection.kids) this.adopt(connection.kids);
    }
    this.asOfMs = Math.max(this.asOfMs, asOfMs);
  }

  private adopt(kids: ReadonlySet<string>): void {
    this.kids = kids;
    this.listener.keys(kids);
  }

  private hasRoomAgain(): boolean {
    return !this.replica.isWhole && this.replica.size < this.maxEntries * 0.9;
  }

  private wake(): void {
    for (const waiter of this.waiters) waiter();
  }

  private async pause(ms: number): Promise<void> {
    await new Promise<void>((resolve) => {
      const { signal } = this.stopping;
      const end = (): void => {
        clearTimeout(timer);
        signal.removeEventListener('abort', end);
        resolve();
      };
      const timer = setTimeout(end, ms);
      timer.unref();
      signal.addEventListener('abort', end);
    });
  }
}

/**
 * A snapshot adds and takes nothing away: a revocation is never undone, and an instance that lags behind must not
 * bring one to life. What is over leaves by itself.
 */
function addAll(replica: RevocationReplica, revocations: unknown): void {
  if (!Array.isArray(revocations)) return;
  for (const entry of revocations) {
    const { id, expires_at: expiresAtSeconds } = object(entry);
    if (typeof id === 'string' && typeof expiresAtSeconds === 'number') replica.add({ id, expiresAtSeconds });
  }
}

function silent(): SessionServiceError {
  return new SessionServiceError('timed_out', 'The revocation feed said nothing.', { action: 'retry' });
}

function noStream({ status }: Response): SessionServiceError {
  const message = 'Something other than the revocation feed answered: no stream of events.';
  return new SessionServiceError('unexpected_answer', message, { action: 'retry', status });
}

/** Jitter, so that the verifiers of a service that restarted do not all come back at once. */
function pauseMs(failures: number, error: unknown): number {
  const backoffMs = Math.min(FIRST_PAUSE_MS * 2 ** failures, LONGEST_PAUSE_MS) * (0.5 + Math.random());
  if (!(error instanceof SessionServiceError)) return backoffMs;
  // A wrong API key or a suspended tenant is not right a moment later.
  if (error.action !== 'retry') return LONGEST_PAUSE_MS;
  return Math.max(backoffMs, Math.min((error.retryAfterSeconds ?? 0) * 1000, LONGEST_PAUSE_MS));
}
