/**
 * What the readers of one tenant's revocations are told, and in which order. It knows the tenant's kids and who reads,
 * and asks nobody anything: `revocation-feeds.service.ts` finds out and tells it.
 */
import { EventStream, eventOf } from '../http/event-stream.js';
import type { StreamEnd, StreamEvent, StreamMetrics } from '../http/metrics/stream.metrics.js';
import type { Revocation } from './change-feed.js';

/** Of one reader. Beyond it the reader is cut off: it comes back when it can, and is told everything. */
const MAX_WAITING_BYTES = 1024 * 1024;
/** A reader that has taken nothing for so long is gone, or as good as gone. */
const STALLED_MS = 30_000;
const REVOCATIONS_IN_AN_EVENT = 1000;

/** A revocation as readers get it. */
export interface RevocationView {
  readonly id: string;
  readonly kind: 'session' | 'token';
  /** Unix time in seconds from which it may be forgotten. */
  readonly expires_at: number;
}

export function toView({ id, kind, expiresAtMs }: Revocation): RevocationView {
  return {
    id,
    kind: kind === 'session_revoked' ? 'session' : 'token',
    expires_at: Math.ceil(expiresAtMs / 1000),
  };
}

/** The API key by which a reader was let in; null: the platform's. */
export type ReaderKey = { readonly keyId: string; readonly expiresAtMs: number | null } | null;

export class FeedReader {
  /**
   * `waiting`: nothing was said yet; what is read meanwhile will be found. `snapshot`: is being told everything, and
   * what is read meanwhile is part of that. `live`: knows everything up to the last event.
   */
  phase: 'waiting' | 'snapshot' | 'live' = 'waiting';
  /** What goes into the next part of the snapshot. */
  private part: RevocationView[] = [];
  private ended: StreamEnd | null = null;
  private stalledSinceMs: number | null = null;

  constructor(
    readonly key: ReaderKey,
    private readonly stream: EventStream,
    private readonly metrics: StreamMetrics,
  ) {
    metrics.countOpened();
  }

  get isOpen(): boolean {
    return this.stream.isOpen;
  }

  send(name: StreamEvent, event: Buffer): void {
    if (!this.isOpen) return;
    this.stream.send(event);
    this.metrics.countSent(name);
    if (this.stream.waitingBytes > MAX_WAITING_BYTES) this.cut();
  }

  addToSnapshot(revocations: readonly RevocationView[], kids: readonly string[]): void {
    for (const revocation of revocations) {
      this.part.push(revocation);
      if (this.part.length < REVOCATIONS_IN_AN_EVENT) continue;
      this.send('snapshot', eventOf('snapshot', { kids, revocations: this.part, complete: false }));
      this.part = [];
    }
  }

  completeSnapshot(kids: readonly string[], positionId: string): void {
    const { part } = this;
    this.part = [];
    this.send('snapshot', eventOf('snapshot', { kids, revocations: part, complete: true }, positionId));
    this.phase = 'live';
  }

  /** Until the reader has taken what it was sent, or is gone. */
  async drained(): Promise<void> {
    await this.stream.drained();
    this.stalledSinceMs = null;
  }

  end(reason: StreamEnd): void {
    this.ended ??= reason;
    this.stream.end();
  }

  /** Cuts off who has stopped reading. */
  mindStall(nowMs: number): void {
    if (this.stream.waitingBytes === 0) this.stalledSinceMs = null;
    else this.stalledSinceMs ??= nowMs;
    if (this.stalledSinceMs !== null && nowMs - this.stalledSinceMs > STALLED_MS) this.cut();
  }

  /** The connection is closed, whoever closed it. */
  closed(): void {
    this.metrics.countEnded(this.ended ?? 'client_left');
  }

  private cut(): void {
    this.ended ??= 'slow_reader';
    this.stream.cut();
  }
}

export class TenantFeed {
  readonly readers = new Set<FeedReader>();
  private kids: readonly string[] = [];
  /** The last position that readers were given. */
  private givenId = '';
  private givenAtMs = 0;

  constructor(readonly tenantId: string) {}

  get knownKids(): readonly string[] {
    return this.kids;
  }

  /** Tells those who have been told of other kids. */
  setKids(kids: readonly string[], positionId: string): void {
    if (kids.length === this.kids.length && kids.every((kid, at) => kid === this.kids[at])) return;
    this.kids = kids;
    this.toLive('keys', eventOf('keys', { kids }, positionId));
  }

  /** @param positionId up to which everything was read, these included */
  revoked(revocations: readonly RevocationView[], positionId: string): void {
    for (const reader of this.readers) {
      if (reader.phase === 'snapshot') reader.addToSnapshot(revocations, this.kids);
    }
    this.sendRevoked(revocations, positionId, (name, event) => this.toLive(name, event));
    this.given(positionId);
  }

  /** What a reader has missed that was here before; its kids may have changed as well. */
  resume(reader: FeedReader, missed: readonly RevocationView[], positionId: string): void {
    if (missed.length > 0) {
      this.sendRevoked(missed, positionId, (name, event) => reader.send(name, event));
    }
    reader.send('keys', eventOf('keys', { kids: this.kids }, positionId));
    reader.phase = 'live';
  }

  tellAge(ageMs: number): void {
    this.toLive('age', eventOf('age', { age_ms: ageMs }));
  }

  /** Where nothing happens for long, readers are given a position that is not yet too far back to go on from. */
  renewPosition(positionId: string, everyMs: number): void {
    const nowMs = performance.now();
    if (positionId === this.givenId || nowMs - this.givenAtMs < everyMs) return;
    this.toLive('revoked', eventOf('revoked', { revocations: [] }, positionId));
    this.given(positionId);
  }

  endAll(reason: StreamEnd): void {
    for (const reader of this.readers) reader.end(reason);
  }

  /** Only the last of several events has the position: whoever has heard half of them has to hear them again. */
  private sendRevoked(
    revocations: readonly RevocationView[],
    positionId: string,
    send: (name: 'revoked', event: Buffer) => void,
  ): void {
    for (let at = 0; at < revocations.length; at += REVOCATIONS_IN_AN_EVENT) {
      const some = revocations.slice(at, at + REVOCATIONS_IN_AN_EVENT);
      const isLast = at + some.length === revocations.length;
      send('revoked', eventOf('revoked', { revocations: some }, isLast ? positionId : undefined));
    }
  }

  private toLive(name: StreamEvent, event: Buffer): void {
    for (const reader of this.readers) if (reader.phase === 'live') reader.send(name, event);
  }

  private given(positionId: string): void {
    this.givenId = positionId;
    this.givenAtMs = performance.now();
  }
}
