/**
 * Looks after chains: signs their ends when they have been unsigned for long enough, and trims what is old or too
 * much, up to a signed place. What an instance that died has left undone, a pass over all chains does.
 */
import { randomInt } from 'node:crypto';
import { Injectable, Logger, type OnApplicationBootstrap, type OnApplicationShutdown } from '@nestjs/common';
import { Clock } from '../clock.js';
import { Config } from '../config.js';
import { AppError } from '../errors.js';
import { KeyRingsService } from '../keys/key-rings.service.js';
import type { OpenKeyRing } from '../keys/open-key-ring.js';
import { Leases } from '../keys/leases.js';
import { SafeError } from '../logging/safe-error.js';
import { AuditStore, type AuditRecord, type ChainHead } from './audit.js';
import { timeText } from './audit-record.js';
import { AuditTrail } from './audit-trail.js';
import { checkpointsOf, latestCheckpoint, newestProven, type KeptCheckpoint } from './checkpoints.js';
import { signCheckpoint } from './checkpoint.js';

const LOOK_INTERVAL_MS = 1000;
const PASS_INTERVAL_MS = 3_600_000;
/** Not in the first minutes, when caches are empty; instances that were started together do not all knock at once. */
const FIRST_PASS_AFTER_MS = 300_000;
const FIRST_PASS_WITHIN_MS = 300_000;
const LEASE_MS = PASS_INTERVAL_MS / 2;
const PAGE = 200;
const DAY_MS = 86_400_000;
/** One step of trimming, and how many of them one visit makes: nobody waits for long. */
const TRIM_STEP = 100;
const TRIM_STEPS = 50;
/** A chain grows beyond its bound by this much before it is trimmed: not by one entry at a time. */
const SLACK_SHARE = 0.1;
const LAST_SIGNATURES_MS = 2000;

/** Entries that no checkpoint speaks of yet, as far as this instance wrote them. */
interface Unsigned {
  readonly sinceMs: number;
  entries: number;
}

@Injectable()
export class AuditKeeper implements OnApplicationBootstrap, OnApplicationShutdown {
  private readonly logger = new Logger('Audit');
  private readonly unsigned = new Map<string, Unsigned>();
  private lookTimer: NodeJS.Timeout | undefined;
  private passTimer: NodeJS.Timeout | undefined;
  private looking: Promise<void> | null = null;
  private stopped = false;

  constructor(
    private readonly trail: AuditTrail,
    private readonly store: AuditStore,
    private readonly keyRings: KeyRingsService,
    private readonly leases: Leases,
    private readonly config: Config,
    private readonly clock: Clock,
  ) {
    trail.onKept((tenantId, entries) => this.note(tenantId, entries));
  }

  onApplicationBootstrap(): void {
    this.lookTimer = setInterval(() => void this.look(), LOOK_INTERVAL_MS).unref();
    this.schedulePass(FIRST_PASS_AFTER_MS + randomInt(FIRST_PASS_WITHIN_MS));
  }

  /** After the last request: what waits is written and signed, as far as there is time; a later pass does the rest. */
  async onApplicationShutdown(): Promise<void> {
    this.stopped = true;
    clearInterval(this.lookTimer);
    clearTimeout(this.passTimer);
    await this.looking;
    await this.trail.finish();
    const untilMs = performance.now() + LAST_SIGNATURES_MS;
    for (const tenantId of this.unsigned.keys()) {
      if (performance.now() > untilMs || !(await this.tryVisit(tenantId, { force: true }))) return;
    }
  }

  /** Signs and trims the chains that are due. */
  look(): Promise<void> {
    this.looking ??= this.visitDue().finally(() => (this.looking = null));
    return this.looking;
  }

  /** Every chain that there is; tenants that are gone have one too. */
  async visitAll(): Promise<void> {
    let after = '';
    for (;;) {
      const tenantIds = await this.store.chains({ after, limit: PAGE });
      for (const tenantId of tenantIds) {
        if (this.stopped) return;
        await this.tryVisit(tenantId, { force: true });
      }
      after = tenantIds.at(-1) ?? '';
      if (tenantIds.length < PAGE) return;
    }
  }

  /** Unless another instance is at it. */
  private async passInTurn(): Promise<void> {
    if (await this.leases.acquire('audit-keeping', LEASE_MS)) await this.visitAll();
  }

  private note(tenantId: string, entries: number): void {
    if (entries === 0) return; // its own
    const known = this.unsigned.get(tenantId);
    if (known) known.entries += entries;
    else this.unsigned.set(tenantId, { sinceMs: this.clock.nowMs(), entries });
  }

  private async visitDue(): Promise<void> {
    const { checkpointSeconds, checkpointEntries } = this.config.audit;
    const nowMs = this.clock.nowMs();
    const due = [...this.unsigned].filter(
      ([, { sinceMs, entries }]) =>
        entries >= checkpointEntries || nowMs - sinceMs >= checkpointSeconds * 1000,
    );
    for (const [tenantId] of due) {
      if (this.stopped || !(await this.tryVisit(tenantId, { force: false }))) return;
    }
  }

  /** @returns false when the store does not answer: nobody else need be tried now */
  private async tryVisit(tenantId: string, options: { force: boolean }): Promise<boolean> {
    try {
      this.unsigned.delete(tenantId);
      await this.visit(tenantId, options);
      return true;
    } catch (error) {
      this.note(tenantId, 1);
      const expected = error instanceof AppError;
      if (!expected)
        this.logger.error({ event: 'audit_keeping_failed', cause: SafeError.of(error, { stack: true }) });
      return !expected;
    }
  }

  /** @param force signs also when another instance has done so a moment ago */
  private async visit(tenantId: string, { force }: { force: boolean }): Promise<void> {
    const wanted = await this.firstToKeep(tenantId);
    let first = 1;
    await this.trail.append(tenantId, async (head) => {
      // Asked again for each attempt: what another instance has declared is never taken back.
      const ring = await this.ringOf(tenantId);
      const latest = await latestCheckpoint(this.store, tenantId);
      const declared = (await newestProven(this.store, tenantId, ring))?.first ?? 1;
      first = Math.max(wanted, declared);
      const mustTrim = first > declared;
      const unsigned = head.seq - (latest?.seq ?? 0);
      if (head.seq === 0 || (unsigned === 0 && !mustTrim)) return null;
      if (!force && !mustTrim && this.isFresh(latest, unsigned)) {
        // Another instance has signed; what came since has its turn later.
        this.unsigned.set(tenantId, { sinceMs: latest?.atMs ?? 0, entries: unsigned });
        return null;
      }
      return this.checkpoint(tenantId, { head, first }, ring);
    });
    for (let step = 0; step < TRIM_STEPS && (await this.store.trim(tenantId, first, TRIM_STEP)); step++);
  }

  private isFresh(latest: KeptCheckpoint | null, unsigned: number): boolean {
    const { checkpointSeconds, checkpointEntries } = this.config.audit;
    const age = this.clock.nowMs() - (latest?.atMs ?? 0);
    return unsigned < checkpointEntries && age < checkpointSeconds * 1000;
  }

  /** Without a ring the chain's end is stated, not signed: the tenant was deleted, and its keys with it. */
  private async checkpoint(
    tenantId: string,
    { head, first }: { head: ChainHead; first: number },
    ring: OpenKeyRing | null,
  ): Promise<AuditRecord> {
    const nowMs = this.clock.nowMs();
    const signing = ring?.signingKey(nowMs);
    const jws = signing && (await signCheckpoint({ tenantId, head, first }, { ...signing, nowMs }));
    // An archive of the log pins what no later change to the store can undo.
    this.logger.log({
      event: 'audit_checkpoint',
      tenant_id: tenantId,
      seq: head.seq,
      hash: head.hash,
      first,
      kid: signing?.kid,
    });
    return {
      tenant_id: tenantId,
      time: timeText(nowMs),
      action: 'audit_checkpoint',
      actor: { kind: 'service' },
      outcome: 'ok',
      details: { seq: head.seq, hash: head.hash, first, ...(jws ? { jws } : {}) },
    };
  }

  private async ringOf(tenantId: string): Promise<OpenKeyRing | null> {
    try {
      return await this.keyRings.get(tenantId);
    } catch (error) {
      if (error instanceof AppError && error.code === 'tenant_not_found') return null;
      throw error;
    }
  }

  /** The place of a checkpoint before which everything may go: it is too old, or the chain too long. */
  private async firstToKeep(tenantId: string): Promise<number> {
    const { retentionDays, maxEntriesPerTenant } = this.config.audit;
    const [head, first] = [await this.store.head(tenantId), await this.store.first(tenantId)];
    const surplus = head.seq - first + 1 - maxEntriesPerTenant;
    let found = 1;
    if (surplus > maxEntriesPerTenant * SLACK_SHARE) {
      const newest = head.seq - maxEntriesPerTenant + 1;
      const at = await latestCheckpoint(this.store, tenantId, { notAfter: newest });
      found = at?.seq ?? 1;
    }
    const oldestMs = this.clock.nowMs() - retentionDays * DAY_MS;
    for await (const { seq, atMs } of checkpointsOf(this.store, tenantId)) {
      if (atMs >= oldestMs) break;
      found = Math.max(found, seq);
    }
    return found;
  }

  private schedulePass(inMs: number): void {
    this.passTimer = setTimeout(() => {
      this.passInTurn()
        .catch((error: unknown) => {
          this.logger.warn({ event: 'audit_pass_failed', cause: SafeError.of(error) });
        })
        .finally(() => {
          if (!this.stopped) this.schedulePass(PASS_INTERVAL_MS);
        });
    }, inMs).unref();
  }
}
