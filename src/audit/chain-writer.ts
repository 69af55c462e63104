/**
 * Writes one tenant's entries, in the order in which they were told, some at a time. Other instances write to the
 * same chain: whoever finds it longer than it was links its entries anew and tries again. Whoever finds it shorter,
 * or another one, says so in the chain itself.
 */
import { Logger } from '@nestjs/common';
import { nextEntry, type AuditRecord, type AuditStore, type ChainHead, type KeptEntry } from './audit.js';
import { timeText } from './audit-record.js';

const BATCH = 200;
/** Of instances that write at once, each attempt lets one through. */
const MAX_ATTEMPTS = 64;

interface Batch {
  readonly records: readonly AuditRecord[];
  readonly after: ChainHead;
  readonly entries: readonly KeptEntry[];
  /** How many of the records came from the queue; the others say what was found. */
  readonly fromQueue: number;
}

export class ChainWriter {
  private readonly logger = new Logger('Audit');
  private readonly queue: AuditRecord[] = [];
  /** Sent, perhaps kept, and not answered: it is sent again as it is before anything else. */
  private unanswered: Batch | null = null;
  private turn: Promise<unknown> = Promise.resolve();
  private users = 0;
  /** The end of the chain as this instance last saw it. */
  private seen: ChainHead | null = null;

  constructor(
    private readonly tenantId: string,
    private readonly store: AuditStore,
    private readonly options: {
      readonly nowMs: () => number;
      readonly kept: (entries: number, head: ChainHead) => void;
    },
  ) {}

  get isIdle(): boolean {
    return this.users === 0 && this.queue.length === 0 && this.unanswered === null;
  }

  get hasWork(): boolean {
    return this.queue.length > 0 || this.unanswered !== null;
  }

  add(record: AuditRecord): void {
    this.queue.push(record);
  }

  /** Until everything that was added before is kept. @throws AppError store_unavailable; nothing is lost by that */
  write(): Promise<void> {
    return this.inTurn(() => this.writeQueue());
  }

  /**
   * Appends an entry that speaks of the chain's end, behind everything that waits.
   * @param make returns null when the entry is not wanted after all
   * @returns the chain's end afterwards
   */
  append(make: (head: ChainHead) => Promise<AuditRecord | null>): Promise<ChainHead> {
    return this.inTurn(async () => {
      for (let attempt = 0; attempt < MAX_ATTEMPTS; attempt++) {
        await this.writeQueue();
        const after = await this.end();
        const record = await make(after);
        if (!record) return after;
        const batch = this.link([record], 0, after);
        const appended = await this.store.append(this.tenantId, after, batch.entries);
        if (appended.outcome === 'appended') return this.keep(batch);
        if (!appended.continues) this.unanswered = this.link([this.lossOf(after)], 0, appended.head);
        this.seen = appended.head;
      }
      return this.end();
    });
  }

  private async writeQueue(): Promise<void> {
    let attempts = 0;
    while (this.hasWork && attempts < MAX_ATTEMPTS) {
      const batch = this.unanswered ?? (await this.nextBatch());
      this.unanswered = batch;
      const appended = await this.store.append(this.tenantId, batch.after, batch.entries);
      if (appended.outcome === 'appended') {
        this.keep(batch);
        attempts = 0;
        continue;
      }
      attempts++;
      const lost = appended.continues ? [] : [this.lossOf(batch.after)];
      this.unanswered = this.link([...lost, ...batch.records], batch.fromQueue, appended.head);
    }
  }

  private async nextBatch(): Promise<Batch> {
    const after = await this.end();
    const records = this.queue.splice(0, BATCH);
    return this.link(records, records.length, after);
  }

  private link(records: readonly AuditRecord[], fromQueue: number, after: ChainHead): Batch {
    const entries: KeptEntry[] = [];
    for (const record of records) entries.push(nextEntry(entries.at(-1) ?? after, record));
    return { records, after, entries, fromQueue };
  }

  private keep({ entries, after, fromQueue }: Batch): ChainHead {
    const { seq, hash } = entries.at(-1) ?? after;
    this.seen = { seq, hash };
    this.unanswered = null;
    this.options.kept(fromQueue, this.seen);
    return this.seen;
  }

  private async end(): Promise<ChainHead> {
    this.seen ??= await this.store.head(this.tenantId);
    return this.seen;
  }

  /** A failover lost entries, or somebody took them away: only an instance that saw them can tell. */
  private lossOf({ seq, hash }: ChainHead): AuditRecord {
    this.logger.warn({ event: 'audit_entries_lost', tenant_id: this.tenantId, seq, hash });
    return {
      tenant_id: this.tenantId,
      time: timeText(this.options.nowMs()),
      action: 'audit_lost',
      actor: { kind: 'service' },
      outcome: 'ok',
      details: { seq, hash },
    };
  }

  private inTurn<T>(work: () => Promise<T>): Promise<T> {
    this.users++;
    const done = this.turn.then(work).finally(() => this.users--);
    this.turn = done.catch(() => undefined);
    return done;
  }
}
