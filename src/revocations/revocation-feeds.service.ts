/**
 * Hands tenants' revocations on to those who check tokens by themselves: as a list, or as a stream for as long as
 * they stay. All of them hear what the follower hears, through one fan-out; none of them reads the store.
 */
import {
  Injectable,
  Logger,
  type BeforeApplicationShutdown,
  type OnApplicationBootstrap,
} from '@nestjs/common';
import type { FastifyReply, FastifyRequest } from 'fastify';
import { Clock } from '../clock.js';
import { Config } from '../config.js';
import { AppError } from '../errors.js';
import { EventStream, eventOf } from '../http/event-stream.js';
import { StreamMetrics } from '../http/metrics/stream.metrics.js';
import type { Principal } from '../http/principal.js';
import { KeyRingsService } from '../keys/key-rings.service.js';
import type { OpenKeyRing } from '../keys/open-key-ring.js';
import { SafeError } from '../logging/safe-error.js';
import { RequestScope } from '../request-scope.js';
import { ApiKeysService } from '../tenants/api-keys.service.js';
import { TenantsService } from '../tenants/tenants.service.js';
import { isRevocation, type Change } from './change-feed.js';
import { FeedFollower, type FeedListener } from './feed-follower.js';
import { OpenAnswers } from './open-answers.js';
import { FeedReader, TenantFeed, toView, type ReaderKey, type RevocationView } from './tenant-feed.js';
import { TenantReview, type Sources } from './tenant-review.js';
import { Turns } from './turns.js';

const ROUND_INTERVAL_MS = 500;
/** Of a reader to whom nothing happens: what happens to others must not make its position too old to go on from. */
const POSITION_RENEWED_MS = 10_000;

/** A tenant that somebody reads of. */
interface Watched {
  readonly feed: TenantFeed;
  readonly review: TenantReview;
}

/** Who asks, for what, and where the answer goes. */
export interface FeedRequest {
  readonly caller: Principal;
  readonly tenantId: string;
  readonly request: FastifyRequest;
  readonly reply: FastifyReply;
}

@Injectable()
export class RevocationFeeds implements FeedListener, OnApplicationBootstrap, BeforeApplicationShutdown {
  private readonly logger = new Logger('RevocationFeeds');
  private readonly watched = new Map<string, Watched>();
  private readonly answers: OpenAnswers;
  private readonly sources: Sources;
  private readonly turns = new Turns();
  /** How often everything was read anew. */
  private readings = 0;
  private timer: NodeJS.Timeout | undefined;
  private stopped = false;

  constructor(
    private readonly follower: FeedFollower,
    private readonly tenants: TenantsService,
    private readonly keyRings: KeyRingsService,
    private readonly apiKeys: ApiKeysService,
    private readonly metrics: StreamMetrics,
    private readonly clock: Clock,
    config: Config,
  ) {
    this.sources = { follower, tenants, keyRings, apiKeys, clock };
    this.answers = new OpenAnswers({
      all: config.revocationStreamsMax,
      perTenant: config.revocationStreamsMaxPerTenant,
    });
    follower.listen(this);
  }

  onApplicationBootstrap(): void {
    this.schedule();
  }

  /** Connections that stay open would hold the process up. */
  beforeApplicationShutdown(): void {
    this.stopped = true;
    clearTimeout(this.timer);
    for (const { feed } of this.watched.values()) feed.endAll('shutdown');
  }

  /**
   * Everything that is known now, as the text of a RevocationListDto in pieces: a list of a million is made beside
   * other work, and not in memory.
   * @throws AppError tenant_not_found, tenant_suspended, rate_limited, store_unavailable
   */
  async list(wanted: FeedRequest): Promise<AsyncGenerator<string>> {
    const { ring } = await this.admit(wanted);
    return this.piecesOf(wanted.tenantId, ring);
  }

  /** Answers with a stream. @throws AppError like `list`, before anything was sent */
  async stream(wanted: FeedRequest, lastEventId: string | undefined): Promise<void> {
    const { tenantId, request, reply } = wanted;
    const { key, ring } = await this.admit(wanted);
    if (reply.raw.destroyed) return;
    const reader = new FeedReader(key, new EventStream(request, reply), this.metrics);
    const watched = this.watch(tenantId, ring);
    watched.feed.readers.add(reader);
    reply.raw.once('close', () => {
      reader.closed();
      watched.feed.readers.delete(reader);
      if (watched.feed.readers.size === 0) this.watched.delete(tenantId);
    });
    // From here on nothing is done for the request, which has its answer.
    RequestScope.exit(() => this.beside(this.begin(watched, reader, lastEventId)));
  }

  read(changes: readonly Change[]): void {
    if (this.watched.size === 0) return;
    const revoked = new Map<TenantFeed, RevocationView[]>();
    for (const change of changes) {
      const watched = this.watched.get(change.tenantId);
      if (!watched) continue;
      if (!isRevocation(change)) {
        watched.review.heardOfChange();
        this.beside(watched.review.run());
        continue;
      }
      const known = revoked.get(watched.feed);
      if (known) known.push(toView(change));
      else revoked.set(watched.feed, [toView(change)]);
    }
    for (const [feed, revocations] of revoked) feed.revoked(revocations, this.follower.positionId);
  }

  readAnew(): void {
    this.readings++;
    for (const watched of this.watched.values()) {
      watched.review.heardOfChange();
      this.beside(watched.review.run());
      for (const reader of watched.feed.readers) {
        if (reader.phase === 'live') this.beside(this.tellEverything(watched, reader));
      }
    }
  }

  private async admit(wanted: FeedRequest): Promise<{ key: ReaderKey; ring: OpenKeyRing }> {
    const { caller, tenantId, reply } = wanted;
    const { status } = await this.tenants.get(tenantId);
    // Whoever asks: nothing of this tenant is accepted now.
    if (status === 'suspended') throw new AppError('tenant_suspended');
    if (this.stopped) {
      throw new AppError('store_unavailable', { description: 'This instance is about to leave.' });
    }
    this.requireEverything();
    this.answers.take(tenantId, reply.raw);
    const ring = await this.keyRings.get(tenantId);
    if (caller.kind === 'platform') return { key: null, ring };
    const apiKey = await this.apiKeys.find(tenantId, caller.keyId);
    if (!apiKey) throw new AppError('unauthorized');
    return { key: { keyId: apiKey.keyId, expiresAtMs: apiKey.expiresAtMs }, ring };
  }

  private requireEverything(): void {
    if (this.follower.holdsEverything) return;
    throw new AppError('store_unavailable', {
      description: 'This instance does not know of every revocation now.',
    });
  }

  private async *piecesOf(tenantId: string, ring: OpenKeyRing): AsyncGenerator<string> {
    const { positionId } = this.follower;
    const known = {
      tenant_id: tenantId,
      event_id: positionId,
      age_ms: this.follower.ageMs(),
      kids: ring.publishedKids(this.clock.nowMs()),
      revocations: [],
    };
    yield JSON.stringify(known).slice(0, -']}'.length);
    let isFirst = true;
    for (const some of this.follower.revocationsOf(tenantId)) {
      if (some.length > 0) {
        yield (isFirst ? '' : ',') + JSON.stringify(some.map(toView)).slice(1, -1);
        isFirst = false;
      }
      await this.turns.next();
    }
    yield ']}';
  }

  private watch(tenantId: string, ring: OpenKeyRing): Watched {
    const known = this.watched.get(tenantId);
    if (known) return known;
    const feed = new TenantFeed(tenantId);
    const watched = { feed, review: new TenantReview(feed, ring, this.sources) };
    this.watched.set(tenantId, watched);
    return watched;
  }

  private async begin(watched: Watched, reader: FeedReader, lastEventId?: string): Promise<void> {
    const { feed, review } = watched;
    // Something may have happened between the admission of the reader and its being among those who are told.
    review.heardOfChange();
    await review.run();
    const missed = lastEventId && this.follower.changesSince(lastEventId, feed.tenantId);
    if (!missed) return this.tellEverything(watched, reader);
    feed.resume(reader, missed.filter(isRevocation).map(toView), this.follower.positionId);
    reader.send('age', eventOf('age', { age_ms: review.ageMs() }));
  }

  /** What is read meanwhile becomes part of it. Its age is told when it is complete, not before. */
  private async tellEverything({ feed, review }: Watched, reader: FeedReader): Promise<void> {
    reader.phase = 'snapshot';
    let reading: number;
    do {
      reading = this.readings;
      for (const some of this.follower.revocationsOf(feed.tenantId)) {
        reader.addToSnapshot(some.map(toView), feed.knownKids);
        await reader.drained();
        await this.turns.next();
        if (!reader.isOpen) return;
      }
      // When everything was read anew meanwhile, what was told is not enough.
    } while (reading !== this.readings);
    if (!this.follower.holdsEverything) return reader.end('replica_incomplete');
    reader.completeSnapshot(feed.knownKids, this.follower.positionId);
    reader.send('age', eventOf('age', { age_ms: review.ageMs() }));
  }

  private schedule(): void {
    if (this.stopped) return;
    const round = (): void => this.beside(this.round().finally(() => this.schedule()));
    this.timer = setTimeout(round, ROUND_INTERVAL_MS).unref();
  }

  private async round(): Promise<void> {
    for (const watched of this.watched.values()) {
      this.tend(watched);
      await this.turns.next();
    }
  }

  private tend({ feed, review }: Watched): void {
    if (!this.follower.holdsEverything) return feed.endAll('replica_incomplete');
    // While nothing is heard, every look would be one into a store that does not answer.
    if (this.follower.isCurrent()) this.beside(review.run());
    else review.byTheClock();
    feed.tellAge(review.ageMs());
    feed.renewPosition(this.follower.positionId, POSITION_RENEWED_MS);
    const nowMs = performance.now();
    for (const reader of feed.readers) reader.mindStall(nowMs);
  }

  /** Nobody waits for it. */
  private beside(work: Promise<void>): void {
    work.catch((error: unknown) => {
      this.logger.error({ event: 'revocation_feed_failed', cause: SafeError.of(error, { stack: true }) });
    });
  }
}
