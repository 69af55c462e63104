/**
 * Follows the change feed: reads it whole before the instance is ready, then tails it, and keeps this instance's
 * replica of the blocklist. It knows how old its knowledge is, and finds out when the feed is not the
 * continuation of what it has read (a failover lost entries, the store was emptied): then it reads everything
 * again, and has announced again what only it still remembers.
 */
import {
  Injectable,
  Logger,
  type BeforeApplicationShutdown,
  type OnApplicationBootstrap,
} from '@nestjs/common';
import { Clock, ForgettingTime } from '../clock.js';
import { Config } from '../config.js';
import { AppError } from '../errors.js';
import { ReplicaMetrics } from '../http/metrics/replica.metrics.js';
import { SafeError } from '../logging/safe-error.js';
import { TenantChanges, type TenantChangesListener, type TenantEvent } from '../tenants/tenant-changes.js';
import {
  ChangeFeed,
  isRevocation,
  type Change,
  type FeedEntry,
  type FeedPosition,
  type Revocation,
} from './change-feed.js';
import { RecentChanges } from './recent-changes.js';
import { RevocationTable } from './revocation-table.js';

/**
 * How long one read waits for news, at most. What is known is as old as the last completed read, counted from
 * when that was issued: up to two such waits. A quarter of the bound leaves room.
 */
const MAX_READ_WAIT_MS = 200;
const MAX_RETRY_DELAY_MS = 500;
/** With a read at least every MAX_READ_WAIT_MS, each shard is visited about every 25 s. */
const SHARDS_PER_READ = 2;
/** While entries do not fit, room is looked for in all shards within some ten reads. */
const SHARDS_PER_READ_WHEN_FULL = 32;
const RESTORED_AT_ONCE = 100;

/** Makes a lost revocation stick again, in the store and in the feed. Sessions register it. */
export type Restorer = (revocation: Revocation) => Promise<void>;

/** Who hears of everything that is read, in its order, once it is in the replica. */
export interface FeedListener {
  read(changes: readonly Change[]): void;
  /** Everything was read anew, and may hold what was never heard of before. */
  readAnew(): void;
}

export type ReplicaVerdict = 'revoked' | 'clear' | 'unknown';

@Injectable()
export class FeedFollower extends TenantChanges implements OnApplicationBootstrap, BeforeApplicationShutdown {
  private readonly logger = new Logger('FeedFollower');
  private readonly listeners: TenantChangesListener[] = [];
  private readonly feedListeners: FeedListener[] = [];
  private readonly forgetting: ForgettingTime;
  private restorer: Restorer = async () => undefined;
  private table = new RevocationTable();
  private recent = new RecentChanges();
  private position: FeedPosition | null = null;
  /** When the last completed read was issued, on the monotonic clock; -Infinity before the first. */
  private readIssuedAtMs = Number.NEGATIVE_INFINITY;
  /**
   * By how much the last answer came later than it was waited for: it stood in line behind other work, or came from
   * afar. So much less the next read waits, or what is known would be as old as both together.
   */
  private lagMs = 0;
  /** Entries did not fit: what is not in the table may be revoked all the same. */
  private overflowed = false;
  /** What the store has lost and only this instance still knows. */
  private toRestore: Revocation[] = [];
  private isRestoring = false;
  private stopped = false;
  private following: Promise<void> = Promise.resolve();

  constructor(
    private readonly feed: ChangeFeed,
    private readonly config: Config,
    clock: Clock,
    private readonly metrics: ReplicaMetrics,
  ) {
    super();
    this.forgetting = new ForgettingTime(clock);
    metrics.observe(() => ({
      ageSeconds: this.ageMs() / 1000,
      entries: this.table.size,
      bytes: this.table.sizeBytes,
    }));
  }

  /** The first read happens here if the store answers; if not, the service boots all the same, not ready. */
  async onApplicationBootstrap(): Promise<void> {
    await this.step();
    this.following = this.follow();
  }

  async beforeApplicationShutdown(): Promise<void> {
    this.stopped = true;
    await this.following;
  }

  onMissing(restorer: Restorer): void {
    this.restorer = restorer;
  }

  subscribe(listener: TenantChangesListener): void {
    this.listeners.push(listener);
  }

  listen(listener: FeedListener): void {
    this.feedListeners.push(listener);
  }

  async announce(...changes: readonly Change[]): Promise<void> {
    await this.feed.announce(changes);
    for (const change of changes) this.apply(change);
  }

  /** Age of what is known here, in ms; Infinity before the feed was read whole. */
  ageMs(): number {
    return Math.round(performance.now() - this.readIssuedAtMs);
  }

  get loaded(): boolean {
    return this.position !== null;
  }

  /** Whether everything up to a moment ago was heard of, though not all of it may have fitted: see `verdict`. */
  isCurrent(ageMs = this.ageMs()): boolean {
    return ageMs <= this.config.revocationReplicaMaxAgeMs;
  }

  get isFull(): boolean {
    return this.overflowed;
  }

  /** `unknown` only when revocations did not fit or were never read; age is for the caller to judge. */
  verdict(sessionId: string, tokenId: string): ReplicaVerdict {
    if (this.table.has(sessionId) || this.table.has(tokenId)) return 'revoked';
    return this.loaded && !this.overflowed ? 'clear' : 'unknown';
  }

  /** Whether every revocation that matters is known here, as of `ageMs` ago. */
  get holdsEverything(): boolean {
    return this.loaded && !this.overflowed;
  }

  /** The name of the position up to which everything was read and heard of; '' before the first read. */
  get positionId(): string {
    return this.position?.id ?? '';
  }

  /** A tenant's revocations, some at a time; those that are read meanwhile may be among them or not. */
  revocationsOf(tenantId: string): Generator<Revocation[]> {
    return this.table.of(tenantId);
  }

  /** @returns the tenant's changes after that position; null when it is too far back, or of another feed */
  changesSince(positionId: string, tenantId: string): Change[] | null {
    return this.recent.since(positionId, tenantId);
  }

  private async follow(): Promise<void> {
    let failures = 0;
    while (!this.stopped) {
      failures = (await this.step()) ? 0 : failures + 1;
      if (failures > 0) await delay(Math.min(10 * 2 ** failures, MAX_RETRY_DELAY_MS));
    }
  }

  /** One read. @returns whether the store answered */
  private async step(): Promise<boolean> {
    try {
      const issuedAtMs = performance.now();
      await (this.position ? this.readOn(this.position) : this.readWhole());
      this.readIssuedAtMs = issuedAtMs;
      void this.restoreSome();
      this.table.forgetExpired(
        this.forgetting.nowMs(),
        this.overflowed ? SHARDS_PER_READ_WHEN_FULL : SHARDS_PER_READ,
      );
      return true;
    } catch (error) {
      if (!(error instanceof AppError)) {
        this.logger.error({ event: 'feed_reader_failed', cause: SafeError.of(error, { stack: true }) });
      } else if (!this.stopped) {
        this.logger.debug({ event: 'feed_unreadable', cause: SafeError.of(error) });
      }
      return false;
    }
  }

  private async readOn(position: FeedPosition): Promise<void> {
    if (this.overflowed && this.table.size < this.config.revocationReplicaMaxEntries * 0.9) {
      return this.readWhole();
    }
    const waitMs = Math.ceil(Math.min(MAX_READ_WAIT_MS, this.config.revocationReplicaMaxAgeMs / 4));
    const waitNowMs = Math.max(0, waitMs - this.lagMs);
    const askedAtMs = performance.now();
    const read = await this.feed.readAfter(position, waitNowMs);
    const tookMs = Math.ceil(performance.now() - askedAtMs);
    if ('broken' in read) {
      this.logger.warn({ event: 'feed_broken', how: read.broken });
      this.metrics.countResync(read.broken);
      return this.readWhole();
    }
    for (const entry of read.entries) this.take(entry);
    this.position = read.position;
    if (read.entries.length === 0) {
      // News would have ended the wait, nobody knows when.
      this.lagMs = Math.max(0, tookMs - waitNowMs);
      return;
    }
    this.recent.add(read.entries);
    const changes = read.entries.flatMap(({ change }) => change ?? []);
    for (const listener of this.feedListeners) listener.read(changes);
  }

  /** Reads everything into a new table, then compares: what only the old one holds is announced again. */
  private async readWhole(): Promise<void> {
    const before = this.table;
    const fresh = new RevocationTable();
    const recent = new RecentChanges();
    const nowMs = this.forgetting.nowMs();
    let fits = true;
    const position = await this.feed.readWhole((entries) => {
      recent.add(entries);
      for (const { change } of entries) {
        if (!change) this.metrics.countMalformed();
        else if (isRevocation(change) && change.expiresAtMs > nowMs) {
          fits = this.addTo(fresh, change) && fits;
        }
      }
    });
    const missing: Revocation[] = [];
    for (const revocation of before) {
      if (revocation.expiresAtMs <= nowMs || fresh.has(revocation.id)) continue;
      missing.push(revocation);
      fits = this.addTo(fresh, revocation) && fits;
    }
    this.table = fresh;
    this.overflowed = !fits;
    for (const listener of this.listeners) listener.missedChanges();
    this.position = position;
    recent.standAt(position.id);
    this.recent = recent;
    for (const listener of this.feedListeners) listener.readAnew();
    this.toRestore = missing;
    if (missing.length > 0) this.logger.warn({ event: 'revocations_missing', count: missing.length });
  }

  /** Some at a time, beside the reading; what fails is tried again. */
  private async restoreSome(): Promise<void> {
    if (this.isRestoring || this.toRestore.length === 0) return;
    this.isRestoring = true;
    const missing = this.toRestore;
    const some = missing.splice(-RESTORED_AT_ONCE);
    const outcomes = await Promise.allSettled(some.map((revocation) => this.restorer(revocation)));
    missing.push(...some.filter((_, at) => outcomes[at]?.status === 'rejected'));
    this.isRestoring = false;
    if (missing.length === 0) this.logger.log({ event: 'revocations_announced_again' });
  }

  private take({ change, delayMs }: FeedEntry): void {
    if (!change) {
      this.metrics.countMalformed();
      this.logger.warn({ event: 'feed_entry_malformed' });
      return;
    }
    this.metrics.observePropagation(delayMs / 1000);
    this.apply(change);
  }

  private apply(change: Change): void {
    if (!isRevocation(change)) {
      for (const listener of this.listeners) listener.changed(change satisfies TenantEvent);
    } else if (!this.addTo(this.table, change) && !this.overflowed) {
      this.overflowed = true;
      this.logger.warn({ event: 'replica_full', entries: this.table.size });
    }
  }

  /** @returns whether there was room */
  private addTo(table: RevocationTable, revocation: Revocation): boolean {
    if (table.size >= this.config.revocationReplicaMaxEntries && !table.has(revocation.id)) return false;
    table.add(revocation);
    return true;
  }
}

function delay(ms: number): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, ms));
}
