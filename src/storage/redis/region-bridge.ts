/**
 * Carries one region's change feed into another region's Redis: revocations, and from the region where tenants are
 * at home their records, API keys and key rings. One direction; a pair of regions has two. What it does may be done
 * twice: cut off or started anew it reads the whole feed, and what the other side knows already is passed over.
 */
import { setTimeout as delay } from 'node:timers/promises';
import type { Clock } from '../../clock.js';
import { AppError } from '../../errors.js';
import type { FeedEntry, FeedPosition, Change, Revocation } from '../../revocations/change-feed.js';
import { REVOCATION_MARGIN_MS } from '../../sessions/session.js';
import type { RegionTenants } from './region-tenants.js';
import type { Stores } from '../stores.js';

/** A read waits for news this long at most. */
const READ_WAIT_MS = 200;
const RETRY_DELAY_MS = 200;
/** Tenants come to be without a word in the feed: how soon they are found. */
const TENANTS_EVERY_MS = 10_000;
/** Of a backlog, so many are carried at once. */
const AT_ONCE = 100;

export type BridgeEvent = 'bridge_cut' | 'bridge_caught_up' | 'bridge_feed_broken' | 'bridge_epoch_is_ahead';

export interface BridgeEnds {
  readonly from: Pick<Stores, 'changes'>;
  readonly to: Pick<Stores, 'changes' | 'sessions'>;
  /** null where tenants are not at home in `from`. */
  readonly tenants: RegionTenants | null;
}

export class RegionBridge {
  private position: FeedPosition | null = null;
  private tenantsAtMs = Number.NEGATIVE_INFINITY;
  /** A round of tenants that is under way. */
  private tenantIds: AsyncGenerator<string> | null = null;
  private isCut = true;

  constructor(
    private readonly ends: BridgeEnds,
    private readonly clock: Clock,
    private readonly tell: (event: BridgeEvent, more: { count?: number; tenant_id?: string }) => void,
  ) {}

  /** Until the signal. An outage at either end is waited out. */
  async run(signal: AbortSignal): Promise<void> {
    while (!signal.aborted) {
      try {
        await this.step();
      } catch (error) {
        if (!(error instanceof AppError)) throw error;
        if (!this.isCut) this.tell('bridge_cut', {});
        this.isCut = true;
        this.tenantIds = null; // who was missed is in the round that begins anew
        await delay(RETRY_DELAY_MS);
      }
    }
  }

  /** The position moves when everything up to it has been carried. */
  private async step(): Promise<void> {
    const { position } = this;
    if (position === null) return this.carryAll();
    await this.copySomeTenants();
    const read = await this.ends.from.changes.readAfter(position, READ_WAIT_MS);
    if ('broken' in read) {
      this.tell('bridge_feed_broken', {});
      this.position = null;
      return;
    }
    await this.carry(read.entries);
    this.position = read.position;
    if (this.isCut) this.tell('bridge_caught_up', {});
    this.isCut = false;
  }

  private async carryAll(): Promise<void> {
    const entries: FeedEntry[] = [];
    const position = await this.ends.from.changes.readWhole((page) => entries.push(...page));
    await this.carry(entries);
    this.position = position;
    this.tell('bridge_caught_up', { count: entries.length });
    this.isCut = false;
  }

  private async carry(entries: readonly FeedEntry[]): Promise<void> {
    const changes = entries.flatMap(({ change }) => (change ? [change] : []));
    for (let at = 0; at < changes.length; at += AT_ONCE) {
      await Promise.all(changes.slice(at, at + AT_ONCE).map((change) => this.carryOne(change)));
    }
  }

  private async carryOne(change: Change): Promise<void> {
    if (change.kind === 'session_revoked' || change.kind === 'token_revoked') return this.revoke(change);
    if (!this.ends.tenants) return;
    await this.copyTenant(change.tenantId);
    // Told in any case: a copy that was made before may have been cut short of this.
    await this.ends.to.changes.announce([change]);
  }

  /**
   * Announced before it is blocked: cut short in between, it is not taken for known the next time. What came from
   * the other side is blocked there already, and goes no further.
   */
  private async revoke(revocation: Revocation): Promise<void> {
    const { changes, sessions } = this.ends.to;
    const { tenantId, id, expiresAtMs } = revocation;
    const nowMs = this.clock.nowMs();
    if (expiresAtMs <= nowMs) return;
    if ((await sessions.check({ tenantId, sessionId: id, tokenId: id, nowMs })) === 'revoked') return;
    await changes.announce([revocation]);
    const ended =
      revocation.kind === 'session_revoked' ? await sessions.revoke(tenantId, id, 'other', nowMs) : null;
    if (!ended) {
      const token = { tenantId, tokenId: id, expiresAtMs: expiresAtMs - REVOCATION_MARGIN_MS };
      return sessions.revokeToken(token, nowMs);
    }
    // A session of this side: only here it is known for how long its tokens live.
    const untilMs = ended.accessExpiresAtMs + REVOCATION_MARGIN_MS;
    if (untilMs > expiresAtMs) await changes.announce([{ ...revocation, expiresAtMs: untilMs }]);
    await sessions.remove(tenantId, ended);
  }

  /** Some with each step: no revocation waits until a region has all of its tenants. */
  private async copySomeTenants(): Promise<void> {
    const { tenants, to } = this.ends;
    if (!tenants) return;
    if (!this.tenantIds && performance.now() - this.tenantsAtMs <= TENANTS_EVERY_MS) return;
    this.tenantIds ??= tenants.ids();
    const some = new Set<string>();
    while (some.size < AT_ONCE && this.tenantIds) {
      const next = await this.tenantIds.next();
      if (next.done) {
        this.tenantIds = null;
        this.tenantsAtMs = performance.now();
      } else some.add(next.value);
    }
    const changes = (await Promise.all([...some].map((tenantId) => this.copyTenant(tenantId)))).flat();
    if (changes.length > 0) await to.changes.announce(changes);
  }

  private async copyTenant(tenantId: string): Promise<readonly Change[]> {
    const copied = await this.ends.tenants?.copy(tenantId);
    if (copied?.epochIsAhead) this.tell('bridge_epoch_is_ahead', { tenant_id: tenantId });
    return copied?.changes ?? [];
  }
}
