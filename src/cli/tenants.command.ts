/** `tenants`: make, change, suspend and delete them. */
import { Option, type Command } from 'commander';
import { REVOCATION_REASONS } from '../revocation-reason.js';
import { UsageError } from './failure.js';
import { action, type Invocation } from './invocation.js';
import { segment, type Json } from './service.js';
import { record, table, timeOf } from './terminal.js';

export interface ReasonOptions {
  readonly reason: string;
  readonly comment?: string;
}

/** For everything that ends sessions. */
export function withReason(command: Command, byDefault: string): Command {
  return command
    .addOption(
      new Option('--reason <reason>', 'why, for metrics and the audit')
        .choices(REVOCATION_REASONS)
        .default(byDefault),
    )
    .option('--comment <text>', 'free text for the audit');
}

/** Texts stay texts; everything else that a tenant can set is a whole number. */
const TEXT_SETTINGS = new Set(['audience', 'on_store_outage', 'name']);

export function addTenants(program: Command): void {
  const tenants = program.command('tenants').description('tenants and their settings (platform key)');

  tenants
    .command('list')
    .description('list all tenants')
    .action(
      action(async (cli) => {
        const all: Json[] = [];
        for await (const page of cli.service('platform').pages<Json>('/tenants', 'tenants', { limit: 200 })) {
          all.push(...page);
          cli.progress.say(`${all.length} tenants`);
        }
        cli.show({ tenants: all }, () =>
          table(
            ['TENANT', 'STATUS', 'NAME', 'CREATED'],
            all.map((tenant) => [
              tenant['tenant_id'],
              tenant['status'],
              tenant['name'],
              timeOf(tenant['created_at']),
            ]),
          ),
        );
      }),
    );

  tenants
    .command('show <tenant>')
    .description('show a tenant and the settings that apply to it')
    .action(
      action(async (cli, _, [tenantId = '']) => {
        showTenant(cli, await cli.service('platform').call('GET', `/tenants/${segment(tenantId)}`));
      }),
    );

  tenants
    .command('create <tenant> [setting=value...]')
    .description('make a tenant with its keys; its first API key is shown this once')
    .option('--name <name>', 'for people')
    .option('--out <file>', 'write the API key into this new file instead of showing it')
    .action(
      action(async (cli, { name, out }: { name?: string; out?: string }, [tenantId = '', ...settings]) => {
        const service = cli.service('platform');
        const body = { tenant_id: tenantId, ...(name === undefined ? {} : { name }), ...parse(settings) };
        showTenant(
          cli,
          await cli.keepSecret(out, 'api_key', () => service.call('POST', '/tenants', { body })),
        );
      }),
    );

  tenants
    .command('set <tenant> [setting=value...]')
    .description('change settings, such as access_token_ttl_seconds=600; "default" is the service\'s own')
    .option('--name <name>', 'for people')
    .action(
      action(async (cli, { name }: { name?: string }, [tenantId = '', ...settings]) => {
        const body = { ...(name === undefined ? {} : { name }), ...parse(settings) };
        if (Object.keys(body).length === 0)
          throw new UsageError('What is to be set? setting=value, or --name.');
        await change(cli, tenantId, body);
      }),
    );

  for (const [word, status, what] of [
    ['suspend', 'suspended', 'refuse every call and token of the tenant; nobody is logged out'],
    ['resume', 'active', 'let a suspended tenant work again'],
  ] as const) {
    tenants
      .command(`${word} <tenant>`)
      .description(what)
      .action(action(async (cli, _, [tenantId = '']) => change(cli, tenantId, { status })));
  }

  tenants
    .command('delete <tenant>')
    .description('delete a tenant with its keys, API keys and all that it ever issued')
    .action(
      action(async (cli, _, [tenantId = '']) => {
        const service = cli.service('platform');
        await cli.confirm(`delete tenant ${tenantId} with all its keys, API keys and sessions, for good`);
        await service.call('DELETE', `/tenants/${segment(tenantId)}`);
        cli.show({ tenant_id: tenantId, deleted: true }, () => `Deleted ${tenantId}.\n`);
      }),
    );

  withReason(
    tenants
      .command('revoke-all <tenant>')
      .description('end every session of a tenant at once and replace its keys'),
    'security_incident',
  ).action(
    action(async (cli, { reason, comment }: ReasonOptions, [tenantId = '']) => {
      const service = cli.service('either');
      await cli.confirm(`log out every user of tenant ${tenantId}`);
      const body = { reason, ...(comment === undefined ? {} : { comment }) };
      const answer = await service.call('POST', `/tenants/${segment(tenantId)}/revoke-all`, { body });
      cli.show(
        answer,
        () => `Every session of ${tenantId} is ended. Epoch ${String(answer['epoch'])} begins.\n`,
      );
    }),
  );
}

async function change(cli: Invocation, tenantId: string, body: Json): Promise<void> {
  const service = cli.service('platform');
  showTenant(cli, await service.call('PATCH', `/tenants/${segment(tenantId)}`, { body }));
}

function showTenant(cli: Invocation, tenant: Json): void {
  cli.show(tenant, () =>
    record({
      ...tenant,
      created_at: timeOf(tenant['created_at']),
      updated_at: timeOf(tenant['updated_at']),
    }),
  );
}

function parse(settings: readonly string[]): Json {
  return Object.fromEntries(
    settings.map((text) => {
      const [, name, value] = /^([a-z_]+)=(.+)$/s.exec(text) ?? [];
      if (name === undefined || value === undefined)
        throw new UsageError('Settings are written setting=value.');
      if (value === 'default') return [name, null];
      return [name, !TEXT_SETTINGS.has(name) && /^\d{1,15}$/.test(value) ? Number(value) : value];
    }),
  );
}
