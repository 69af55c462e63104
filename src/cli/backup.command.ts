/** `backup`: keeps a copy of a SQLite store; and `end-all-sessions`, for after a Redis was put back from an old one. */
import { createWriteStream, existsSync, renameSync, rmSync } from 'node:fs';
import { Readable } from 'node:stream';
import { pipeline } from 'node:stream/promises';
import type { Command } from 'commander';
import { OWNER_ONLY } from '../development-secrets.js';
import { CommandError, EXIT, UsageError } from './failure.js';
import { action, type Invocation } from './invocation.js';
import { segment, type Service } from './service.js';
import { printable } from './terminal.js';

const PAGE = 200;
const WHY = { reason: 'other', comment: 'Everything ends: the store was restored from a backup.' };

export function addBackup(program: Command): void {
  program
    .command('backup <file>')
    .description('copy the SQLite file of the running service into a new file (platform key)')
    .action(
      action(async (cli, _, [file = '']) => {
        if (existsSync(file))
          throw new UsageError(`${file} is there already: a backup takes no other's place.`);
        const bytes = await save(cli.service('platform'), file);
        cli.show({ file, bytes }, () => `${printable(file)}: ${bytes} bytes.\n`);
      }),
    );

  program
    .command('end-all-sessions')
    .description('end every session of every tenant, after Redis was restored from a backup (platform key)')
    .option('--after <tenant>', 'go on after this one, where it broke off')
    .action(
      action(async (cli, { after }: { after?: string }) => {
        const service = cli.service('platform');
        await cli.confirm('log out every user of every tenant');
        const count = await endAll(cli, service, after ?? '');
        const what = count === 1 ? '1 tenant' : `${count} tenants`;
        cli.show({ tenants: count }, () => `Every session of ${what} has ended.\n`);
      }),
    );
}

/** There is a file of that name when the copy is whole and on disk, and only then. */
async function save(service: Service, file: string): Promise<number> {
  const { content, sizeBytes } = await service.download('/backup');
  const draft = `${file}.part`;
  const target = createWriteStream(draft, { mode: OWNER_ONLY, flush: true });
  try {
    await pipeline(Readable.fromWeb(content), target);
    if (target.bytesWritten !== sizeBytes) throw new Error('it is shorter than it was said to be');
    renameSync(draft, file);
  } catch (error) {
    throw new CommandError(`The copy broke off (${(error as Error).message}): try again.`, EXIT.unreachable);
  } finally {
    rmSync(draft, { force: true });
  }
  return target.bytesWritten;
}

/** By their ids. @returns how many there were */
async function endAll(cli: Invocation, service: Service, after: string): Promise<number> {
  let last = after;
  let count = 0;
  try {
    const query = { limit: PAGE, ...(after === '' ? {} : { cursor: after }) };
    for await (const page of service.pages<{ tenant_id: string }>('/tenants', 'tenants', query)) {
      for (const { tenant_id: tenantId } of page) {
        cli.progress.say(`${count} tenants done, now ${tenantId}`);
        await service.call('POST', `/tenants/${segment(tenantId)}/revoke-all`, { body: WHY });
        last = tenantId;
        count++;
      }
    }
  } catch (error) {
    if (last !== '') cli.warn(`To go on: session-service end-all-sessions --after ${last}`);
    throw error;
  }
  return count;
}
