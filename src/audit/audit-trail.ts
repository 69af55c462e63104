/**
 * Keeps what happens: each entry is logged at once, waits in memory, and is written to its tenant's chain beside the
 * requests. A slow store makes nobody wait; what happens when too many entries wait is a setting.
 */
import { Injectable, Logger, type OnApplicationBootstrap } from '@nestjs/common';
import { Clock } from '../clock.js';
import { Config } from '../config.js';
import { AppError } from '../errors.js';
import type { Happening } from '../happening.js';
import { Happenings, type Circumstances, type HappeningsListener } from '../http/happenings.js';
import { AuditMetrics } from '../http/metrics/audit.metrics.js';
import { SafeError } from '../logging/safe-error.js';
import { RequestScope } from '../request-scope.js';
import { AuditStore, type AuditRecord, type ChainHead } from './audit.js';
import { logLineOf, recordOf, refusalOf, whereRefusalGoes } from './audit-record.js';
import { ChainWriter } from './chain-writer.js';
import { RepeatedRefusals, type ToldRefusal } from './repeated-refusals.js';

/** Entries of so long are written together. */
const GATHER_MS = 50;
const MAX_RETRY_DELAY_MS = 1000;
const CHAINS_AT_ONCE = 8;
/** Chains whose end is remembered. */
const MAX_WRITERS = 10_000;
/** What has happened all the same, through requests under way, has this much room beyond the bound. */
const OVERFLOW_SHARE = 2;
const REFUSALS_INTERVAL_MS = 10_000;
const DROP_LOG_INTERVAL_MS = 60_000;
const LAST_WRITE_MS = 5000;

/** Called after entries were kept, with the chain's new end. */
export type KeptListener = (tenantId: string, entries: number, head: ChainHead) => void;

@Injectable()
export class AuditTrail implements HappeningsListener, OnApplicationBootstrap {
  private readonly logger = new Logger('Audit');
  private readonly writers = new Map<string, ChainWriter>();
  private readonly refusals = new RepeatedRefusals();
  private waiting = 0;
  private failures = 0;
  private timer: NodeJS.Timeout | undefined;
  private refusalsTimer: NodeJS.Timeout | undefined;
  private passing: Promise<void> | null = null;
  private dropLoggedAtMs = Number.NEGATIVE_INFINITY;
  private keptListener: KeptListener = () => undefined;

  constructor(
    private readonly store: AuditStore,
    private readonly metrics: AuditMetrics,
    private readonly config: Config,
    private readonly clock: Clock,
    happenings: Happenings,
  ) {
    happenings.subscribe(this);
  }

  onApplicationBootstrap(): void {
    this.refusalsTimer = setInterval(() => {
      this.takeRefusals(this.refusals.takeOver(this.clock.nowMs()));
    }, REFUSALS_INTERVAL_MS).unref();
  }

  /** What still waits is written, as far as the store takes it in a few seconds; for the end of the process. */
  async finish(): Promise<void> {
    clearInterval(this.refusalsTimer);
    this.takeRefusals(this.refusals.takeOver(this.clock.nowMs(), { all: true }));
    await this.settleAll(LAST_WRITE_MS);
    clearTimeout(this.timer);
    if (this.waiting > 0) this.logger.error({ event: 'audit_not_written', entries: this.waiting });
  }

  onKept(listener: KeptListener): void {
    this.keptListener = listener;
  }

  hear(happenings: readonly Happening[], circumstances: Circumstances): void {
    for (const happening of happenings) {
      if (happening.kind === 'refused') this.hearRefusal(circumstances);
      else this.take(recordOf(happening, circumstances), this.config.audit.queueMaxEntries * OVERFLOW_SHARE);
    }
  }

  /** @throws AppError store_unavailable while no more changes are to be made than can be kept */
  requireRoom(): void {
    const { whenFull, queueMaxEntries } = this.config.audit;
    if (whenFull === 'drop' || this.waiting < queueMaxEntries) return;
    throw new AppError('store_unavailable', {
      description: 'The audit cannot take this change now; try again.',
    });
  }

  /** Waits until what this instance has told of the tenant is in its chain. @throws AppError store_unavailable */
  async settle(tenantId: string): Promise<void> {
    const writer = this.writers.get(tenantId);
    if (writer && !writer.isIdle) await RequestScope.exit(() => writer.write());
  }

  /** Waits until nothing waits any more, or the time is over. */
  async settleAll(withinMs: number): Promise<void> {
    const untilMs = performance.now() + withinMs;
    while (this.waiting > 0 && performance.now() < untilMs) {
      await this.pass();
      if (this.waiting > 0) await delay(GATHER_MS);
    }
  }

  /** Appends an entry that speaks of the chain's end. @returns the end afterwards. @throws as `settle` */
  async append(tenantId: string, make: (head: ChainHead) => Promise<AuditRecord | null>): Promise<ChainHead> {
    return RequestScope.exit(() => this.writerOf(tenantId).append(make));
  }

  private hearRefusal(circumstances: Circumstances): void {
    const { actor, outcome } = circumstances;
    if (outcome === 'ok') return;
    const place = whereRefusalGoes(outcome, actor);
    if (place === 'nowhere') return;
    const who = actor.kind === 'api_key' ? `${actor.tenantId}/${actor.keyId}` : actor.kind;
    const told = this.refusals.note(`${who} ${outcome}`, circumstances);
    if (told.length === 0 && place === 'chain') this.metrics.count('repeated');
    this.takeRefusals(told);
  }

  private takeRefusals(told: readonly ToldRefusal[]): void {
    for (const { circumstances, repeated } of told) {
      const { actor, outcome, requestId, sourceAddress } = circumstances;
      if (actor.kind === 'api_key') {
        this.take(refusalOf(actor.tenantId, circumstances, repeated), this.config.audit.queueMaxEntries);
        continue;
      }
      this.logger.warn({
        event: 'request_refused',
        actor: actor.kind,
        code: outcome,
        repeated,
        request_id: requestId,
        source_address: sourceAddress,
      });
    }
  }

  /** The log has it first: a process that is killed now has said it. */
  private take(record: AuditRecord, room: number): void {
    this.logger.log(logLineOf(record));
    const { whenFull, queueMaxEntries } = this.config.audit;
    if (this.waiting >= (whenFull === 'drop' ? queueMaxEntries : room)) {
      this.drop();
      return;
    }
    this.writerOf(record.tenant_id).add(record);
    this.setWaiting(this.waiting + 1);
    this.schedule(GATHER_MS);
  }

  private drop(): void {
    this.metrics.count('dropped');
    if (performance.now() - this.dropLoggedAtMs < DROP_LOG_INTERVAL_MS) return;
    this.dropLoggedAtMs = performance.now();
    this.logger.error({ event: 'audit_dropping', waiting: this.waiting });
  }

  /** Also after a request's end, and then on nobody's account. */
  private schedule(inMs: number): void {
    if (this.timer || this.passing) return;
    this.timer = RequestScope.exit(() =>
      setTimeout(() => {
        this.timer = undefined;
        void this.pass();
      }, inMs),
    );
  }

  /** Writes what waits, some chains at a time; what the store does not take stays, and is tried again. */
  private pass(): Promise<void> {
    this.passing ??= this.writeAll().finally(() => {
      this.passing = null;
      if (this.waiting > 0) {
        this.schedule(this.failures > 0 ? Math.min(25 * 2 ** this.failures, MAX_RETRY_DELAY_MS) : GATHER_MS);
      }
    });
    return this.passing;
  }

  private async writeAll(): Promise<void> {
    const busy = [...this.writers.values()].filter((writer) => writer.hasWork);
    let failed = false;
    const worker = async (): Promise<void> => {
      for (let writer = busy.shift(); writer && !failed; writer = busy.shift()) {
        try {
          await writer.write();
        } catch (error) {
          failed = true;
          this.logFailure(error);
        }
      }
    };
    await Promise.all(Array.from({ length: CHAINS_AT_ONCE }, worker));
    this.failures = failed ? this.failures + 1 : 0;
  }

  /** Once an outage; metrics say how many wait. */
  private logFailure(error: unknown): void {
    if (this.failures > 0) return;
    const isOutage = error instanceof AppError && error.code === 'store_unavailable';
    const cause = SafeError.of(error, { stack: !isOutage });
    this.logger.warn({ event: 'audit_not_written_yet', waiting: this.waiting, cause });
  }

  private writerOf(tenantId: string): ChainWriter {
    const known = this.writers.get(tenantId);
    if (known) return known;
    if (this.writers.size >= MAX_WRITERS) this.forgetIdle();
    const writer = new ChainWriter(tenantId, this.store, {
      nowMs: () => this.clock.nowMs(),
      kept: (entries, head) => {
        this.setWaiting(this.waiting - entries);
        this.metrics.count('recorded', entries);
        this.keptListener(tenantId, entries, head);
      },
    });
    this.writers.set(tenantId, writer);
    return writer;
  }

  /** A tenth at a time: looking for them one by one would cost each new tenant a look at all. */
  private forgetIdle(): void {
    const idle = [...this.writers].filter(([, writer]) => writer.isIdle).slice(0, MAX_WRITERS / 10);
    for (const [tenantId] of idle) this.writers.delete(tenantId);
  }

  private setWaiting(entries: number): void {
    this.waiting = entries;
    this.metrics.setWaiting(entries);
  }
}

function delay(ms: number): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, ms));
}
