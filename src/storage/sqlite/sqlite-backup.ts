/** Copies of the file while it is in use. A copy says of itself that it is one, until somebody has seen to it. */
import { randomUUID } from 'node:crypto';
import { closeSync, createReadStream, fstatSync, globSync, openSync, rmSync, unlinkSync } from 'node:fs';
import { DatabaseSync } from 'node:sqlite';
import type { BackupCopy, StoreBackup } from '../../backup/store-backup.js';
import type { SqliteDatabase } from './sqlite-database.js';

/** In the file's header, where other programs say what the file is for: "back". */
const COPY = 0x6261636b;

export class SqliteBackup implements StoreBackup {
  constructor(
    private readonly db: SqliteDatabase,
    private readonly path: string,
  ) {
    // A process that was killed over a copy has left it.
    if (path !== ':memory:') for (const draft of globSync(`${path}.backup-*`)) rmSync(draft);
  }

  /** The copy has no name any more when it is handed out: nothing is left behind, however its reading ends. */
  async copy(): Promise<BackupCopy | null> {
    if (this.path === ':memory:') return null;
    const draft = `${this.path}.backup-${randomUUID()}`;
    closeSync(openSync(draft, 'wx', 0o600));
    try {
      await this.db.copyTo(draft);
      mark(draft);
      const fd = openSync(draft, 'r');
      const sizeBytes = fstatSync(fd).size;
      return { sizeBytes, content: createReadStream('', { fd }) };
    } finally {
      unlinkSync(draft);
    }
  }

  get isRestored(): boolean {
    return this.db.get('PRAGMA application_id')?.['application_id'] === COPY;
  }

  async markAsSeenTo(): Promise<void> {
    await this.db.write(() => this.db.run('PRAGMA application_id = 0'));
  }
}

/** Without a log beside it: one file is the whole copy. */
function mark(path: string): void {
  const copy = new DatabaseSync(path);
  try {
    copy.exec('PRAGMA locking_mode = EXCLUSIVE');
    copy.exec('PRAGMA journal_mode = DELETE');
    copy.exec(`PRAGMA application_id = ${COPY}`);
  } finally {
    copy.close();
  }
}
