/**
 * One SQLite file, opened by one process. Writes of one event-loop turn share a transaction, and nobody is
 * answered before it is on disk: an acknowledged change survives kill -9 and a power cut.
 */
import { closeSync, mkdirSync, openSync } from 'node:fs';
import { dirname } from 'node:path';
import { backup, DatabaseSync, type SQLInputValue, type StatementSync } from 'node:sqlite';
import { AppError, BootError } from '../../errors.js';
import { afterMs } from '../../turn-end.js';
import { SCHEMA, SCHEMA_VERSION } from './sqlite-schema.js';

/** No column of ours is a BLOB, and no number in one is beyond 2^53. */
export type Row = Readonly<Record<string, string | number | null>>;

const SQLITE_ERROR = 'ERR_SQLITE_ERROR';
/** Where a turn does not end: once a write has waited so long, the next end that enough work makes commits it. */
const MAX_GATHER_MS = 20;
/** Of 4 KiB: who writes meanwhile waits for no more than these. */
const PAGES_AT_ONCE = 256;

interface PendingWrite {
  readonly run: () => unknown;
  readonly resolve: (value: never) => void;
  readonly reject: (error: unknown) => void;
}

export class SqliteDatabase {
  private readonly database: DatabaseSync;
  private readonly statements = new Map<string, StatementSync>();
  private pending: PendingWrite[] = [];
  private closed = false;

  /**
   * @param path of the file, or `:memory:`
   * @param migrate brings what an earlier version wrote up to date, once
   * @throws BootError when another process has the file open, a newer version of the service wrote it, or it cannot
   * be made or read
   */
  constructor(path: string, migrate: (db: SqliteDatabase, from: number) => void = () => undefined) {
    this.database = open(path);
    try {
      this.prepareFile(path, migrate);
    } catch (error) {
      this.database.close();
      throw toBootError(path, error);
    }
  }

  /** Runs inside a transaction, with what else this turn writes. @throws whatever `work` throws; then nothing of it is kept */
  write<T>(work: () => T): Promise<T> {
    return new Promise<T>((resolve, reject) => {
      if (this.closed) throw storeClosed();
      this.pending.push({ run: work, resolve, reject });
      if (this.pending.length === 1) this.scheduleFlush();
    });
  }

  /** Sees every acknowledged write. */
  async read<T>(work: () => T): Promise<T> {
    if (this.closed) throw storeClosed();
    return asStoreError(work);
  }

  get(sql: string, ...values: SQLInputValue[]): Row | undefined {
    return this.prepared(sql).get(...values) as Row | undefined;
  }

  all(sql: string, ...values: SQLInputValue[]): Row[] {
    return this.prepared(sql).all(...values) as Row[];
  }

  /** One by one, for what is too much to hold. */
  each(sql: string): IterableIterator<Row> {
    return this.prepared(sql).iterate() as IterableIterator<Row>;
  }

  /** @returns how many rows changed */
  run(sql: string, ...values: SQLInputValue[]): number {
    return Number(this.prepared(sql).run(...values).changes);
  }

  /** Some pages at a time, beside everything else; what is written meanwhile is in it. */
  async copyTo(path: string): Promise<void> {
    if (this.closed) throw storeClosed();
    try {
      await backup(this.database, path, { rate: PAGES_AT_ONCE });
    } catch (error) {
      throw toStoreError(error);
    }
  }

  close(): void {
    if (this.closed) return;
    this.flush();
    this.closed = true;
    this.statements.clear();
    this.database.close();
  }

  private prepareFile(path: string, migrate: (db: SqliteDatabase, from: number) => void): void {
    // Exclusive: two processes would each keep caches that the other cannot invalidate.
    this.database.exec('PRAGMA locking_mode = EXCLUSIVE');
    this.database.exec('PRAGMA journal_mode = WAL');
    this.database.exec('PRAGMA synchronous = FULL');
    this.database.exec('BEGIN IMMEDIATE');
    const version = Number(this.database.prepare('PRAGMA user_version').get()?.['user_version'] ?? 0);
    if (version > SCHEMA_VERSION) {
      throw new BootError(`${path} was written by a newer version of this service (schema ${version})`);
    }
    this.database.exec(SCHEMA);
    if (version > 0) migrate(this, version);
    this.database.exec(`PRAGMA user_version = ${SCHEMA_VERSION}`);
    this.database.exec('COMMIT');
  }

  private prepared(sql: string): StatementSync {
    const known = this.statements.get(sql);
    if (known) return known;
    const statement = this.database.prepare(sql);
    this.statements.set(sql, statement);
    return statement;
  }

  /** The more writes a transaction has, the cheaper each; but a turn of many requests may not end for seconds. */
  private scheduleFlush(): void {
    const flush = (): void => {
      clearImmediate(turnEnd);
      takeBack();
      this.flush();
    };
    const turnEnd = setImmediate(flush);
    const takeBack = afterMs(MAX_GATHER_MS, flush);
  }

  private flush(): void {
    const writes = this.pending;
    this.pending = [];
    if (writes.length === 0) return;
    try {
      this.database.exec('BEGIN IMMEDIATE');
      const settled = writes.map((write) => this.runOne(write));
      this.database.exec('COMMIT');
      for (const settle of settled) settle();
    } catch (error) {
      const failure = toStoreError(error);
      for (const { reject } of writes) reject(failure);
      if (this.database.isTransaction) this.database.exec('ROLLBACK');
    }
  }

  /** @returns how to answer once the transaction is on disk */
  private runOne({ run, resolve, reject }: PendingWrite): () => void {
    this.database.exec('SAVEPOINT one');
    try {
      const value = asStoreError(run);
      this.database.exec('RELEASE one');
      return () => resolve(value as never);
    } catch (error) {
      this.database.exec('ROLLBACK TO one; RELEASE one');
      return () => reject(error);
    }
  }
}

/** @throws BootError */
function open(path: string): DatabaseSync {
  try {
    if (path !== ':memory:') createPrivately(path);
    return new DatabaseSync(path, { timeout: 2000 });
  } catch (error) {
    throw toBootError(path, error);
  }
}

/** What the file system and SQLite say is for the operator; anything else is our mistake. */
function toBootError(path: string, error: unknown): unknown {
  const { message, code, syscall } = error as NodeJS.ErrnoException;
  if (code !== SQLITE_ERROR && syscall === undefined) return error;
  return /locked|busy/i.test(message)
    ? new BootError(`${path} is open in another process; SQLite serves one at a time`)
    : new BootError(`STORE_URL names a database file that cannot be opened: ${path} (${message}).`);
}

/** Only the owner may read it; SQLite gives its side files the same mode. */
function createPrivately(path: string): void {
  mkdirSync(dirname(path), { recursive: true, mode: 0o700 });
  closeSync(openSync(path, 'a', 0o600));
}

function asStoreError<T>(work: () => T): T {
  try {
    return work();
  } catch (error) {
    throw toStoreError(error);
  }
}

/** A full disk, an unreadable file: an outage of the store, whatever SQLite calls it. */
function toStoreError(error: unknown): unknown {
  const isSqlite = (error as { code?: unknown }).code === SQLITE_ERROR;
  return isSqlite ? new AppError('store_unavailable', { cause: error }) : error;
}

function storeClosed(): AppError {
  return new AppError('store_unavailable', { description: 'The service is shutting down.' });
}
