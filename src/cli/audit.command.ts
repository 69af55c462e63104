/** `audit`: follow what happens in a tenant, and verify that nothing of it was changed. */
import { setTimeout as pause } from 'node:timers/promises';
import type { Command } from 'commander';
import { verifyAudits } from './audit-verification.js';
import { CommandError, EXIT } from './failure.js';
import { action, type Invocation } from './invocation.js';
import { segment, type Json, type Service } from './service.js';
import { printable, printableJson } from './terminal.js';

const POLL_MS = 1000;
/** What one call gives at most. */
const PAGE = 500;

interface TailOptions {
  readonly tenant?: string;
  readonly user?: string;
  readonly session?: string;
  readonly action?: string;
  readonly lines: string;
  readonly follow?: boolean;
}

interface Page {
  readonly entries: readonly (Json & { readonly seq: number })[];
  readonly next_cursor?: string;
}

export function addAudit(program: Command): void {
  const audit = program.command('audit').description('the audit of a tenant (platform key, audit:read)');

  audit
    .command('tail')
    .description('show the newest entries, oldest first')
    .option('--tenant <id>', 'whose; the tenant of the API key where it is left out')
    .option('--user <id>', 'of this user only')
    .option('--session <id>', 'of this session only')
    .option('--action <action>', 'of this kind only, such as session_ended')
    .option('-n, --lines <n>', 'how many, up to 500', '20')
    .option('-f, --follow', 'go on with what happens from now on, until you stop it')
    .action(action(tail));

  audit
    .command('verify [tenant...]')
    .description('verify the chains of all tenants, or of those that are named')
    .option('--expect <seq:hash>', 'and that the chain held this head, written down elsewhere')
    .addHelpText(
      'after',
      '\nExits with 0 when all are intact, 1 when one is not, 2 when that could not be found out.',
    )
    .action(
      action(async (cli, { expect }: { expect?: string }, tenantIds) => {
        process.exitCode = await verifyAudits(cli, tenantIds, expect);
      }),
    );
}

async function tail(cli: Invocation, { lines, follow, ...options }: TailOptions): Promise<void> {
  const service = cli.service('either');
  const path = `/tenants/${segment(cli.tenant(options.tenant))}/audit`;
  const query = { user_id: options.user, session_id: options.session, action: options.action };
  const newest = await service.call<Page>('GET', path, { query: { ...query, limit: lines } });
  printEntries(cli, newest.entries.toReversed());
  let last = newest.entries[0]?.seq ?? 0;
  if (!follow) return;
  for (;;) {
    await pause(POLL_MS);
    try {
      const entries = await entriesSince(service, path, query, last);
      printEntries(cli, entries);
      last = entries.at(-1)?.seq ?? last;
    } catch (error) {
      // Whoever watches wants to go on watching; what happened meanwhile is in the chain.
      if (!(error instanceof CommandError) || error.exitCode !== EXIT.unreachable) throw error;
      cli.warn(error.message);
    }
  }
}

/** Oldest first. */
async function entriesSince(
  service: Service,
  path: string,
  query: Readonly<Record<string, string | undefined>>,
  last: number,
): Promise<Page['entries']> {
  const found: Page['entries'][number][] = [];
  let cursor: string | undefined;
  do {
    const page = await service.call<Page>('GET', path, { query: { ...query, limit: PAGE, cursor } });
    const since = page.entries.filter(({ seq }) => seq > last);
    found.push(...since);
    const reached = since.length < page.entries.length || Number(page.next_cursor ?? 0) <= last;
    cursor = reached ? undefined : page.next_cursor;
  } while (cursor !== undefined);
  return found.toReversed();
}

function printEntries(cli: Invocation, entries: Page['entries']): void {
  for (const entry of entries) cli.print(`${cli.asJson ? printableJson(entry) : lineOf(entry)}\n`);
}

/** `2026-11-24T09:00:00.000Z  42  session_ended  ok  by=checkout  user=alice ...` */
function lineOf(entry: Json): string {
  const actor = (entry['actor'] ?? {}) as Json;
  const who =
    actor['kind'] === 'api_key' ? `${String(actor['name'])} (${String(actor['key_id'])})` : actor['kind'];
  const more: [string, unknown][] = [
    ['by', who],
    ['user', entry['user_id']],
    ['session', entry['session_id']],
    ['reason', entry['reason']],
    ['comment', entry['comment']],
    ['from', entry['source_address']],
    ['request', entry['request_id']],
    ['details', entry['details']],
  ];
  const told = more.filter(([, value]) => value !== undefined);
  return [
    printable(entry['time']),
    `#${printable(entry['seq'])}`,
    printable(entry['action']),
    printable(entry['outcome']),
    ...told.map(([name, value]) => `${name}=${printable(value)}`),
  ].join('  ');
}
