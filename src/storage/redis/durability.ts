/**
 * Waits until replicas have what was written. `WAIT` speaks of the writes of its own connection, so a small write
 * goes before it, behind everything that was written to that master until then; and it holds up its connection,
 * so it has one to itself.
 */
import { AppError } from '../../errors.js';
import type { RedisConnection } from './redis-connection.js';
import { barrierKey } from './redis-keys.js';

const BARRIER_LIFE_MS = 1000;
const SLOT_MOVING_MS = 25;

export interface Durability {
  /**
   * @param key in the slot whose master was written to
   * @param proof `holds`: the key itself was written, and must be there
   * @throws AppError store_unavailable when too few replicas confirm in time; the write itself has happened
   */
  barrier(key: string, proof?: { readonly holds: boolean }): Promise<void>;
}

/** A write counts as soon as the master has it. */
export const MASTER_ONLY: Durability = { barrier: async () => undefined };

export class ReplicaDurability implements Durability {
  private readonly gathering = new Map<string, Group>();
  private readonly underWay = new Map<string, Promise<void>>();

  constructor(
    private readonly redis: RedisConnection,
    private readonly options: {
      readonly waitReplicas: number;
      readonly timeoutMs: number;
      /** Whether all keys are on one master: then one confirmation speaks for all that were written before it. */
      readonly oneMaster: boolean;
    },
  ) {}

  async barrier(key: string, { holds } = { holds: false }): Promise<void> {
    const { confirmed, present } = await this.joinGroup(key);
    // In a failover this connection may have another master than the one that wrote: then it confirms nothing.
    if (confirmed >= this.options.waitReplicas && (present.has(key) || !holds)) return;
    throw new AppError('store_unavailable', {
      description: 'Too few replicas of the store confirmed the change; repeat the call to complete it.',
      cause: new Error(`${confirmed} of ${this.options.waitReplicas} replicas confirmed`),
    });
  }

  /** One confirmation is under way for a master; who comes meanwhile shares the next. */
  private joinGroup(key: string): Promise<Confirmation> {
    const place = this.options.oneMaster ? '' : barrierKey(key);
    const gathering = this.gathering.get(place);
    if (gathering) {
      gathering.keys.add(key);
      return gathering.confirmation;
    }
    const keys = new Set([key]);
    const before = this.underWay.get(place) ?? Promise.resolve();
    const confirmation = before.then(() => {
      this.gathering.delete(place);
      return this.confirmations([...keys], performance.now() + this.options.timeoutMs);
    });
    const done = confirmation.then(
      () => undefined,
      () => undefined,
    );
    this.gathering.set(place, { keys, confirmation });
    this.underWay.set(place, done);
    void done.then(() => this.underWay.get(place) === done && this.underWay.delete(place));
    return confirmation;
  }

  /** A slot that is being moved has what was written in one of two places; it is waited for until it is in one. */
  private async confirmations(keys: readonly string[], untilMs: number): Promise<Confirmation> {
    for (;;) {
      try {
        return await this.askOnce(keys, untilMs);
      } catch (error) {
        if (!isRedirection(error) || performance.now() + SLOT_MOVING_MS > untilMs) throw error;
        // Sent alone, a command is sent on to where the slot is now, and the connection learns of it.
        await this.redis.run('find-slot', (client) => client.exists(barrierKey(keys[0] ?? '')));
        await new Promise((resolve) => setTimeout(resolve, SLOT_MOVING_MS));
      }
    }
  }

  private async askOnce(keys: readonly string[], untilMs: number): Promise<Confirmation> {
    const leftMs = Math.max(1, Math.ceil(untilMs - performance.now()));
    const [, ...replies] = await this.redis.pipeline('wait-for-replicas', (pipeline) => {
      pipeline.set(barrierKey(keys[0] ?? ''), '1', 'PX', BARRIER_LIFE_MS);
      for (const key of keys) pipeline.exists(key);
      return pipeline.wait(this.options.waitReplicas, leftMs);
    });
    return {
      confirmed: Number(replies.at(-1)),
      present: new Set(keys.filter((_, at) => Number(replies[at]) > 0)),
    };
  }
}

/** Waits for the confirmation before it, and then speaks for all of its keys. */
interface Group {
  readonly keys: Set<string>;
  readonly confirmation: Promise<Confirmation>;
}

interface Confirmation {
  /** How many replicas have everything up to here. */
  readonly confirmed: number;
  /** Those of the keys that this master has. */
  readonly present: ReadonlySet<string>;
}

function isRedirection(error: unknown): boolean {
  const cause = error instanceof AppError ? error.cause : error;
  return cause instanceof Error && /^(MOVED|ASK|TRYAGAIN) /.test(cause.message);
}
