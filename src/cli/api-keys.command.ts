/** `api-keys`: the credentials of a tenant's services. */
import type { Command } from 'commander';
import { UsageError } from './failure.js';
import { action } from './invocation.js';
import { segment, type Json } from './service.js';
import { printable, record, table, timeOf } from './terminal.js';

interface TenantOptions {
  readonly tenant?: string;
}

interface IssueOptions extends TenantOptions {
  readonly name: string;
  readonly scope: readonly string[];
  readonly expiresIn?: string;
  readonly rateLimit?: string;
  readonly out?: string;
}

const UNIT_SECONDS: Readonly<Record<string, number>> = { '': 1, s: 1, m: 60, h: 3600, d: 86_400 };

export function addApiKeys(program: Command): void {
  const apiKeys = program
    .command('api-keys')
    .description('API keys of a tenant (platform key, api_keys:manage)');

  apiKeys
    .command('list')
    .description('list API keys, without their secrets')
    .option('--tenant <id>', 'whose; the tenant of the API key where it is left out')
    .action(
      action(async (cli, { tenant }: TenantOptions) => {
        const service = cli.service('either');
        const path = `/tenants/${segment(cli.tenant(tenant))}/api-keys`;
        const list = await service.call<{ api_keys: Json[] }>('GET', path);
        cli.show(list, () =>
          table(
            ['KEY ID', 'NAME', 'SCOPES', 'CREATED', 'EXPIRES'],
            list.api_keys.map((apiKey) => [
              apiKey['key_id'],
              apiKey['name'],
              (apiKey['scopes'] as string[]).join(' '),
              timeOf(apiKey['created_at']),
              apiKey['expires_at'] === null ? 'never' : timeOf(apiKey['expires_at']),
            ]),
          ),
        );
      }),
    );

  apiKeys
    .command('issue')
    .description('issue an API key; it is shown this once')
    .requiredOption('--name <name>', 'which service holds it')
    .requiredOption('--scope <scope...>', 'what it may do, such as sessions:validate')
    .option('--tenant <id>', 'whose; the tenant of the API key where it is left out')
    .option('--expires-in <time>', 'such as 90d, 12h, 30m or seconds; without it the key does not expire')
    .option('--rate-limit <n>', "requests a second with it, in place of the tenant's setting (platform key)")
    .option('--out <file>', 'write it into this new file, readable by you alone, instead of showing it')
    .action(
      action(async (cli, { name, scope, tenant, expiresIn, rateLimit, out }: IssueOptions) => {
        const service = cli.service('either');
        const path = `/tenants/${segment(cli.tenant(tenant))}/api-keys`;
        const body = {
          name,
          scopes: scope.flatMap((words) => words.split(/[\s,]+/)),
          ...(expiresIn === undefined ? {} : { expires_in: seconds(expiresIn) }),
          ...(rateLimit === undefined ? {} : { rate_limit_per_second: Number(rateLimit) }),
        };
        const issued = await cli.keepSecret(out, 'api_key', () => service.call('POST', path, { body }));
        cli.show(issued, () =>
          record({
            ...issued,
            scopes: (issued['scopes'] as string[]).join(' '),
            created_at: timeOf(issued['created_at']),
            expires_at: issued['expires_at'] === null ? 'never' : timeOf(issued['expires_at']),
          }),
        );
      }),
    );

  apiKeys
    .command('revoke <key-id>')
    .description('revoke an API key')
    .option('--tenant <id>', 'whose; the tenant of the API key where it is left out')
    .action(
      action(async (cli, { tenant }: TenantOptions, [keyId = '']) => {
        const service = cli.service('either');
        const tenantId = cli.tenant(tenant);
        await service.call('DELETE', `/tenants/${segment(tenantId)}/api-keys/${segment(keyId)}`);
        cli.show(
          { tenant_id: tenantId, key_id: keyId, revoked: true },
          () => `Revoked ${printable(keyId)}.\n`,
        );
      }),
    );
}

/** `90d` -> 7776000 */
function seconds(text: string): number {
  const [, count, unit = ''] = /^(\d{1,9})([smhd]?)$/.exec(text) ?? [];
  if (count === undefined) throw new UsageError('A time is written 90d, 12h, 30m, 45s, or in seconds.');
  return Number(count) * (UNIT_SECONDS[unit] ?? 1);
}
