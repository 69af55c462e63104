/** `keys`: a tenant's signing keys; and `reseal`, which moves all tenants' keys under the first master key. */
import { existsSync, readFileSync } from 'node:fs';
import type { Command } from 'commander';
import type { Environment } from '../config.js';
import { firstBootFiles } from './credentials.js';
import { action } from './invocation.js';
import { segment, type Json } from './service.js';
import { printable, table, timeOf } from './terminal.js';

interface TenantOptions {
  readonly tenant?: string;
}

interface KeyList {
  readonly epoch: number;
  readonly keys: readonly Json[];
}

export function addKeys(program: Command): void {
  const keys = program.command('keys').description('signing keys of a tenant (platform key, keys:manage)');

  keys
    .command('list')
    .description('list the keys with their states and times')
    .option('--tenant <id>', 'whose; the tenant of the API key where it is left out')
    .action(
      action(async (cli, { tenant }: TenantOptions) => {
        const service = cli.service('either');
        const list = await service.call<KeyList>('GET', `/tenants/${segment(cli.tenant(tenant))}/keys`);
        cli.show(list, () => describe(list));
      }),
    );

  keys
    .command('rotate')
    .description('publish the next key; it signs when every cache can know it')
    .option('--tenant <id>', 'whose; the tenant of the API key where it is left out')
    .option('--now', 'let it sign at once: verifiers may not know it for up to 5 minutes')
    .action(
      action(async (cli, { tenant, now }: TenantOptions & { now?: boolean }) => {
        const service = cli.service('either');
        const path = `/tenants/${segment(cli.tenant(tenant))}/keys/rotate`;
        const list = await service.call<KeyList>('POST', path, { body: now ? { now: true } : {} });
        cli.show(list, () => describe(list));
      }),
    );

  keys
    .command('kill <kid>')
    .description('kill a compromised key: out of the JWKS, its tokens revoked, another key signs')
    .option('--tenant <id>', 'whose; the tenant of the API key where it is left out')
    .action(
      action(async (cli, { tenant }: TenantOptions, [kid = '']) => {
        const service = cli.service('either');
        const tenantId = cli.tenant(tenant);
        await cli.confirm(`kill key ${kid} of tenant ${tenantId} and revoke every access token signed by it`);
        await service.call('DELETE', `/tenants/${segment(tenantId)}/keys/${segment(kid)}`);
        cli.show({ tenant_id: tenantId, kid, killed: true }, () => `Killed ${printable(kid)}.\n`);
      }),
    );

  program
    .command('reseal')
    .description("seal all tenants' keys under the first master key (platform key)")
    .addHelpText(
      'after',
      "\nTo be run with the service's own MASTER_KEYS, once every instance has the new list: an instance that still\n" +
        'has the old one seals new tenants under the old first key.',
    )
    .action(
      action(async (cli) => {
        const report = await cli.service('platform').call<Report>('POST', '/master-keys/reseal');
        cli.show(report, () => describeReport(report, masterKeyIds(cli.env)));
      }),
    );
}

function describe({ epoch, keys }: KeyList): string {
  const rows = keys.map((key) => [
    key['kid'],
    key['state'],
    key['epoch'],
    timeOf(key['activates_at']),
    timeOf(key['retires_at']),
    timeOf(key['expires_at']),
  ]);
  return `${table(['KID', 'STATE', 'EPOCH', 'SIGNS FROM', 'SIGNS UNTIL', 'VERIFIES UNTIL'], rows)}Epoch ${epoch}.\n`;
}

interface Report {
  readonly resealed: number;
  readonly in_use: Readonly<Record<string, number>>;
}

/** The first master key stays, used or not: it seals what comes next. */
function describeReport({ resealed, in_use: inUse }: Report, ids: readonly string[]): string {
  const used = Object.entries(inUse).map(([id, count]) => `${printable(id)} (${tenants(count)})`);
  const lines = [
    `${tenants(resealed)} resealed.`,
    used.length > 0 ? `Still in use: ${used.join(', ')}.` : 'No master key is in use: there are no tenants.',
  ];
  if (ids.length > 0) {
    const idle = ids.slice(1).filter((id) => !Object.hasOwn(inUse, id));
    lines.push(
      idle.length > 0
        ? `May be dropped from MASTER_KEYS: ${idle.join(', ')}.`
        : 'None of MASTER_KEYS may be dropped.',
    );
  }
  return `${lines.join('\n')}\n`;
}

/** Their ids alone; what they are is for the service. */
function masterKeyIds(env: Environment): string[] {
  const { masterKeysFile } = firstBootFiles(env);
  const isProduction = env['NODE_ENV'] === 'production';
  const text =
    env['MASTER_KEYS']?.trim() ||
    (!isProduction && existsSync(masterKeysFile) ? readFileSync(masterKeysFile, 'utf8') : '');
  return text.split(',').flatMap((part) => /^\s*([A-Za-z0-9_-]{1,32}):/.exec(part)?.[1] ?? []);
}

function tenants(count: number): string {
  return count === 1 ? '1 tenant' : `${count} tenants`;
}
