/**
 * One connection to Redis in any of its shapes, set for truth rather than comfort: a command is sent once, is
 * answered in time or fails, and what fails is called store_unavailable.
 */
import { readFileSync } from 'node:fs';
import { setTimeout as delay } from 'node:timers/promises';
import { BrokenCircuitError, circuitBreaker, CircuitState, ConsecutiveBreaker, handleWhen } from 'cockatiel';
import { Cluster, type ChainableCommander, type Redis } from 'ioredis';
import { AppError } from '../../errors.js';
import { StoreBudget } from '../../store-budget.js';
import { UNCOUNTED, type OperationStatus, type StoreOperations } from '../../store-operations.js';
import { connect, type RedisUrl } from './redis-client.js';
import { isTimeout, NotConnectedError, statusOf, type CommandName } from './redis-operations.js';
import { RedisOutage } from './redis-outage.js';
import { RedisTime } from './redis-time.js';
import { writeTogether } from './write-together.js';

export interface RedisConnectionOptions {
  readonly commandTimeoutMs: number;
  /** Hears of every operation. */
  readonly operations?: StoreOperations;
  /** Whether this connection logs when Redis is away and when it is back. */
  readonly tellsOutages?: boolean;
}

/** So many commands in a row without an answer in time, and for a moment nobody is made to wait for another. */
const TIMEOUTS_TO_BREAK = 3;
const BREAK_MS = 250;

/** A slot table is asked for this often at most. */
const SLOTS_REFRESH_MS = 100;

/** Every script of `lua/`, with the number of its keys. */
const SCRIPTS = {
  'insert-tenant': 2,
  'insert-api-key': 2,
  'empty-api-key': 1,
  'replace-document': 1,
  'create-session': 2,
  'rotate-session': 2,
  'confirm-rotation': 1,
  'check-session': 3,
  'revoke-session': 2,
  'announce-changes': 2,
  'append-audit': 2,
  'trim-audit': 2,
  'spend-tokens': 1,
  'count-sessions': 1,
} as const;
export type ScriptName = keyof typeof SCRIPTS;

export type RedisOperation = ScriptName | CommandName;

type ScriptArgument = string | number;
type ScriptRunner = (...args: ScriptArgument[]) => Promise<unknown>;

export class RedisConnection {
  readonly client: Redis | Cluster;
  private readonly operations: StoreOperations;
  private readonly time: RedisTime;
  private readonly breaker = circuitBreaker(handleWhen(isTimeout), {
    breaker: new ConsecutiveBreaker(TIMEOUTS_TO_BREAK),
    halfOpenAfter: BREAK_MS,
  });
  private readonly outage: RedisOutage;

  constructor(
    url: RedisUrl,
    private readonly options: RedisConnectionOptions,
  ) {
    this.client = connect(url, options.commandTimeoutMs);
    writeTogether(this.client);
    this.operations = options.operations ?? UNCOUNTED;
    this.outage = new RedisOutage(options.tellsOutages ?? false);
    this.client.on('error', (error: Error) => this.outage.begins(error));
    this.client.on('node error', (error: Error) => this.outage.trouble(error));
    this.client.on('ready', () => this.outage.ends());
    this.breaker.onBreak((reason) => this.outage.begins('error' in reason ? reason.error : undefined));
    this.breaker.onReset(() => this.outage.ends());
    for (const [name, numberOfKeys] of Object.entries(SCRIPTS)) {
      const lua = readFileSync(new URL(`./lua/${name}.lua`, import.meta.url), 'utf8');
      this.client.defineCommand(name, { numberOfKeys, lua });
    }
    this.time = new RedisTime(this.client);
  }

  /** Starts to connect. A Redis that is not there yet, or is silent, is no error: the connection keeps trying. */
  async open(): Promise<void> {
    const connected = this.client.connect().then(() => this.time.measure());
    await Promise.race([
      connected.catch(() => undefined),
      delay(this.options.commandTimeoutMs, undefined, { ref: false }),
    ]);
  }

  /**
   * @throws AppError store_unavailable when there is no answer in time, internal_error when we asked wrongly
   */
  async run<T>(operation: RedisOperation, command: (client: Redis | Cluster) => Promise<T>): Promise<T> {
    const startedAtMs = performance.now();
    let status: OperationStatus = 'ok';
    try {
      return await this.ask(command);
    } catch (error) {
      status = statusOf(error);
      throw this.failure(error);
    } finally {
      this.operations.observe(operation, status, (performance.now() - startedAtMs) / 1000);
    }
  }

  /** With as few promises on the way as can be: each is made and followed for every command. */
  private ask<T>(command: (client: Redis | Cluster) => Promise<T>): Promise<T> {
    // A cluster that is not connected would keep the command for later.
    if (this.client instanceof Cluster && this.client.status !== 'ready') throw new NotConnectedError();
    // One command at a time finds out whether the store is back; the others do not wait for it to find out.
    if (this.breaker.state === CircuitState.HalfOpen) throw new BrokenCircuitError();
    const ask = () => this.breaker.execute(() => command(this.client));
    // A cluster may send a command on to another node, and each has the whole time.
    return StoreBudget.wait(ask, this.client instanceof Cluster ? undefined : this.options.commandTimeoutMs);
  }

  /** Commands for one slot, sent together. @returns their replies. @throws as `run`, what the first failed one says */
  async pipeline(
    operation: RedisOperation,
    fill: (pipeline: ChainableCommander) => ChainableCommander,
  ): Promise<unknown[]> {
    return this.run(operation, async (client) => {
      const replies = (await fill(client.pipeline()).exec()) ?? [];
      return replies.map(([error, reply]) => {
        if (error) throw error;
        return reply;
      });
    });
  }

  /**
   * What an error means: `ERR` and `WRONGTYPE` are our mistakes; everything else that Redis or its absence says is an
   * outage. A cluster in which something may have moved is asked who serves what.
   */
  private failure(error: unknown): AppError {
    if (isSlotTableSuspect(error)) this.refreshSlots();
    if (error instanceof AppError) return error;
    const ours =
      !(error instanceof BrokenCircuitError) &&
      /^(ERR (?!max number of clients)|WRONGTYPE )/.test((error as Error).message);
    return new AppError(ours ? 'internal_error' : 'store_unavailable', { cause: error });
  }

  /** What time it is at the server, ms since the epoch; ours while unknown. */
  serverTimeMs(): number {
    return this.time.nowMs();
  }

  /**
   * ioredis sends a script whole once for each connection, then its digest. Where somebody has flushed it away meanwhile,
   * Redis says so and it is sent whole again: that call may take a second time-out, beyond its request's budget.
   */
  script(name: ScriptName, keys: readonly string[], args: readonly ScriptArgument[]): Promise<unknown> {
    const runner = (this.client as unknown as Record<ScriptName, ScriptRunner>)[name];
    return this.run(name, () => runner.call(this.client, ...keys, ...args));
  }

  /**
   * Runs a script that must not run after its caller has given up: it gets a deadline as its first argument, in
   * Redis' own clock, and answers `late` when that has passed. A command that was stuck in a socket or behind a
   * paused server would otherwise change a session that its client was told nothing about.
   */
  async scriptInTime(
    name: ScriptName,
    keys: readonly string[],
    args: readonly ScriptArgument[],
  ): Promise<unknown> {
    const withinMs = (): number => Math.min(this.options.commandTimeoutMs, StoreBudget.leftMs());
    const deadline = this.time.deadlineNow(withinMs) ?? (await this.deadlineIn(withinMs));
    const reply = await this.script(name, keys, [deadline, ...args]);
    const outcome = Array.isArray(reply) ? (reply[0] as unknown) : reply;
    if (outcome !== 'late') return reply;
    this.time.forget();
    throw new AppError('store_unavailable');
  }

  private async deadlineIn(withinMs: () => number): Promise<number> {
    try {
      return await this.ask(() => this.time.deadlineIn(withinMs));
    } catch (error) {
      throw this.failure(error);
    }
  }

  close(): void {
    this.time.stop();
    this.client.disconnect();
  }

  /** Why Redis cannot be reached, in words that are fit for everybody. */
  get trouble(): string {
    return this.outage.reason;
  }

  private slotsAskedAtMs = 0;

  /**
   * ioredis asks a cluster for its slots when a command is told to go elsewhere. It is told nothing by a node that
   * hangs and was replaced meanwhile, and it does not follow where only part of a pipeline was redirected.
   */
  private refreshSlots(): void {
    const nowMs = performance.now();
    if (!(this.client instanceof Cluster) || nowMs - this.slotsAskedAtMs < SLOTS_REFRESH_MS) return;
    this.slotsAskedAtMs = nowMs;
    this.client.refreshSlotsCache();
  }
}

function isSlotTableSuspect(error: unknown): boolean {
  return (
    isTimeout(error) || (error instanceof Error && /^(MOVED|ASK|TRYAGAIN|Connection)\b/.test(error.message))
  );
}
