/** `sessions`: look at a user's sessions and end them. */
import type { Command } from 'commander';
import { action } from './invocation.js';
import { segment, type Json } from './service.js';
import { withReason, type ReasonOptions } from './tenants.command.js';
import { printable, record, table, timeOf } from './terminal.js';

interface UserOptions {
  readonly user: string;
  readonly tenant?: string;
}

interface History {
  readonly summary: string;
  readonly events: readonly Json[];
}

export function addSessions(program: Command): void {
  const sessions = program
    .command('sessions')
    .description('sessions of users (API key of the tenant: sessions:read, sessions:revoke)');

  sessions
    .command('list')
    .description("list a user's live sessions, oldest first")
    .requiredOption('--user <id>', 'whose')
    .option('--tenant <id>', 'the tenant of the API key where it is left out')
    .action(
      action(async (cli, { user, tenant }: UserOptions) => {
        const service = cli.service('tenant');
        const query = { tenant_id: cli.tenant(tenant), user_id: user };
        const list = await service.call<{ sessions: Json[] }>('GET', '/sessions', { query });
        cli.show(list, () =>
          table(
            ['SESSION', 'CREATED', 'LAST USED', 'EXPIRES', 'METADATA'],
            list.sessions.map((session) => [
              session['session_id'],
              timeOf(session['created_at']),
              timeOf(session['last_used_at']),
              timeOf(session['expires_at']),
              session['metadata'],
            ]),
          ),
        );
      }),
    );

  sessions
    .command('show <session>')
    .description('show one session')
    .action(
      action(async (cli, _, [sessionId = '']) => {
        const session = await cli.service('tenant').call('GET', `/sessions/${segment(sessionId)}`);
        const times = ['created_at', 'last_used_at', 'expires_at', 'absolute_expires_at'];
        cli.show(session, () =>
          record({ ...session, ...Object.fromEntries(times.map((name) => [name, timeOf(session[name])])) }),
        );
      }),
    );

  sessions
    .command('history <session>')
    .description('tell its story, also when it is gone: who created it and why it ended')
    .action(
      action(async (cli, _, [sessionId = '']) => {
        const path = `/sessions/${segment(sessionId)}/history`;
        const history = await cli.service('tenant').call<History>('GET', path);
        cli.show(history, () => {
          const rows = history.events.map((event) => [event['time'], event['text']]);
          return `${printable(history.summary)}\n\n${table(['TIME', 'WHAT HAPPENED'], rows)}`;
        });
      }),
    );

  withReason(sessions.command('revoke <session>').description('end one session'), 'admin').action(
    action(async (cli, { reason, comment }: ReasonOptions, [sessionId = '']) => {
      const service = cli.service('tenant');
      await service.call('DELETE', `/sessions/${segment(sessionId)}`, { query: { reason, comment } });
      cli.show({ session_id: sessionId, revoked: true }, () => `Ended ${printable(sessionId)}.\n`);
    }),
  );

  withReason(
    sessions
      .command('revoke-all')
      .description('log a user out everywhere')
      .requiredOption('--user <id>', 'whom')
      .option('--tenant <id>', 'the tenant of the API key where it is left out'),
    'admin',
  ).action(
    action(async (cli, { user, tenant, reason, comment }: UserOptions & ReasonOptions) => {
      const service = cli.service('tenant');
      const tenantId = cli.tenant(tenant);
      await cli.confirm(`log user ${user} of tenant ${tenantId} out everywhere`);
      const body = {
        tenant_id: tenantId,
        user_id: user,
        reason,
        ...(comment === undefined ? {} : { comment }),
      };
      const answer = await service.call('POST', '/sessions/revoke-all', { body });
      const count = Number(answer['revoked_count']);
      cli.show(answer, () => `Ended ${count} ${count === 1 ? 'session' : 'sessions'}.\n`);
    }),
  );
}
