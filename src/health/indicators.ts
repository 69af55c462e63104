/** What each part of the service says of its health, in terminus' words, each within a bounded time. */
import { Injectable } from '@nestjs/common';
import { HealthIndicatorService, type HealthIndicatorResult } from '@nestjs/terminus';
import { Config } from '../config.js';
import { Drain } from '../http/drain.js';
import { KeyRingsService } from '../keys/key-rings.service.js';
import { FeedFollower } from '../revocations/feed-follower.js';
import { StoreProbe, type StoreStatus } from './store-probe.js';

const TIMEOUT_MS = 1000;

@Injectable()
export class Indicators {
  private probing: Promise<StoreStatus> | undefined;

  constructor(
    private readonly indicators: HealthIndicatorService,
    private readonly store: StoreProbe,
    private readonly replica: FeedFollower,
    private readonly keyRings: KeyRingsService,
    private readonly drain: Drain,
    private readonly config: Config,
  ) {}

  /** However many ask at once, the store is asked once. */
  storeStatus(): Promise<StoreStatus> {
    this.probing ??= within(this.store.status(), {
      up: false,
      trouble: 'no_answer',
      reason: `the store does not answer within ${TIMEOUT_MS} ms`,
    } as const).finally(() => (this.probing = undefined));
    return this.probing;
  }

  traffic(): HealthIndicatorResult {
    const indicator = this.indicators.check('traffic');
    return this.drain.draining ? indicator.down('the instance is shutting down') : indicator.up();
  }

  /**
   * A store that is out takes every instance's writes with it, and none is better than another: who can validate
   * from memory goes on, unless the operator wants it otherwise. One that evicts must not be used at all.
   */
  async storeIndicator(): Promise<HealthIndicatorResult> {
    const indicator = this.indicators.check('store');
    const status = await this.storeStatus();
    if (status.up) return indicator.up();
    const servesOn =
      status.trouble !== 'evicts' && this.config.readyWithoutStore && this.validatesFromMemory();
    return servesOn ? indicator.degraded(status.reason) : indicator.down(status.reason);
  }

  /** Loaded is enough: while it is too old the store is asked, and when that is out the tenants have decided. */
  replicaIndicator(): HealthIndicatorResult {
    const indicator = this.indicators.check('replica');
    if (!this.replica.loaded) return indicator.down('the change feed has not been read yet');
    const details = { age_ms: this.replica.ageMs() };
    if (this.replica.isFull) {
      return indicator.degraded({ ...details, reason: 'full: revocations are checked in the store' });
    }
    return indicator.up(details);
  }

  /** Once keys were opened they are in memory; before, an instance with the wrong master keys would refuse everything. */
  async keys(): Promise<HealthIndicatorResult> {
    const indicator = this.indicators.check('keys');
    switch (await within(this.keyRings.tryKeys(), 'unknown' as const)) {
      case 'opened':
      case 'none':
        return indicator.up();
      case 'unreadable':
        return indicator.down(this.keyRings.remedy);
      case 'unknown':
        return indicator.down('no key could be fetched and opened yet');
    }
  }

  private validatesFromMemory(): boolean {
    return this.replica.loaded && this.keyRings.haveOpened;
  }
}

/** @returns what was asked for, or `late` when that takes too long */
async function within<T, L>(asked: Promise<T>, late: L): Promise<T | L> {
  let timer: NodeJS.Timeout | undefined;
  const end = new Promise<L>((resolve) => (timer = setTimeout(() => resolve(late), TIMEOUT_MS)));
  try {
    return await Promise.race([asked, end]);
  } finally {
    clearTimeout(timer);
  }
}
