/** `incident`: ends every session that matches a query, after it has counted them and shown some. */
import { setTimeout as pause } from 'node:timers/promises';
import type { Command } from 'commander';
import { SystemClock } from '../clock.js';
import { CommandError, EXIT, Refusal, UsageError } from './failure.js';
import { action, type Invocation } from './invocation.js';
import { segment, type Json, type Service } from './service.js';
import { withReason, type ReasonOptions } from './tenants.command.js';
import { printable, table, timeOf } from './terminal.js';

/** A step that nobody answers is asked for again: an instance may be replaced, a store may fail over. */
const MAX_ATTEMPTS = 20;
const MAX_PAUSE_SECONDS = 5;
const SAMPLE = 10;

interface IncidentOptions extends ReasonOptions {
  readonly tenant?: string;
  readonly issuedBefore?: string;
  readonly createdAfter?: string;
  readonly userPrefix?: string;
  readonly metadata?: readonly string[];
  readonly kid?: string;
  readonly dryRun?: boolean;
  readonly resume?: string;
}

interface Step {
  readonly incident_id: string | null;
  readonly scanned: number;
  readonly matched: number;
  readonly revoked_count: number;
  readonly live: number;
  readonly sample: readonly Json[];
  readonly next_cursor?: string;
}

interface Incident {
  readonly query: Json;
  readonly reason: string;
}

export function addIncident(program: Command): void {
  const incident = program
    .command('incident')
    .description('what many sessions at once are ended for (platform key, sessions:revoke)');
  withReason(
    incident
      .command('revoke')
      .description('end every session that meets all the criteria; counts them and shows some first')
      .option('--tenant <id>', 'whose; the tenant of the API key where it is left out')
      .option('--issued-before <time>', 'sessions that began before this: RFC 3339, or "now"')
      .option('--created-after <time>', 'sessions that began then or later')
      .option('--user-prefix <text>', 'of users whose ids begin with exactly this')
      .option('--metadata <key=value...>', 'with this text in the metadata')
      .option('--kid <kid>', 'that may have an access token signed by this key')
      .option('--dry-run', 'count and show, and end nothing')
      .option('--resume <incident-id>', 'go on with one that was cut short; its criteria are in the audit'),
    'security_incident',
  ).action(action(revoke));
}

async function revoke(cli: Invocation, options: IncidentOptions): Promise<void> {
  const service = cli.service('either');
  const tenantId = cli.tenant(options.tenant);
  const path = `/tenants/${segment(tenantId)}/revoke-matching`;
  const incident = await incidentOf(service, tenantId, options);
  const body = {
    ...incident.query,
    reason: incident.reason,
    ...(options.comment === undefined ? {} : { comment: options.comment }),
  };
  if (options.resume === undefined) {
    const dry = await run(cli, service, path, { ...body, dry_run: true });
    if (!cli.asJson || options.dryRun) cli.show(dry, () => describeDryRun(dry));
    if (options.dryRun) return;
  }
  await cli.confirm(`end every session of tenant ${tenantId} that matches`);
  const begun = options.resume === undefined ? {} : { incident_id: options.resume };
  const done = await run(cli, service, path, { ...body, ...begun });
  cli.show(done, () => {
    const sessions = done.revoked_count === 1 ? '1 session' : `${done.revoked_count} sessions`;
    return `Ended ${sessions}; ${done.scanned} were looked at. Incident ${printable(done.incident_id)}.\n`;
  });
}

/** All steps. @returns what they came to, with the first sample */
async function run(cli: Invocation, service: Service, path: string, body: Json): Promise<Step> {
  const sample: Json[] = [];
  let named: Json = {};
  for (;;) {
    const step = await attempt(cli, service, path, { ...body, ...named });
    sample.push(...step.sample.slice(0, SAMPLE - sample.length));
    if (
      step.incident_id !== null &&
      named['incident_id'] === undefined &&
      body['incident_id'] === undefined
    ) {
      cli.warn(`Incident ${step.incident_id} has begun. If this is cut short: --resume ${step.incident_id}`);
    }
    const { next_cursor: cursor, ...rest } = step;
    if (cursor === undefined) return { ...rest, sample };
    named = { cursor, ...(step.incident_id === null ? {} : { incident_id: step.incident_id }) };
    const share = Math.min(99, Math.floor((100 * step.scanned) / Math.max(1, step.live)));
    cli.progress.say(
      `${step.scanned} looked at (about ${share} %), ${step.matched} match, ${step.revoked_count} ended`,
    );
  }
}

async function attempt(cli: Invocation, service: Service, path: string, body: Json): Promise<Step> {
  for (let tried = 1; ; tried++) {
    try {
      return await service.call<Step>('POST', path, { body });
    } catch (error) {
      const isOutage = error instanceof CommandError && error.exitCode === EXIT.unreachable;
      // The first step begins an incident; what is not known to have begun is not begun twice.
      const isBegun = body['incident_id'] !== undefined || body['dry_run'] === true;
      if (!isOutage || !isBegun || tried >= MAX_ATTEMPTS) throw error;
      const seconds = error instanceof Refusal ? error.retryAfterSeconds : 1;
      cli.progress.say(`${error.message} Trying again.`);
      await pause(Math.min(seconds, MAX_PAUSE_SECONDS) * 1000);
    }
  }
}

async function incidentOf(service: Service, tenantId: string, options: IncidentOptions): Promise<Incident> {
  const query = queryOf(options);
  const isGiven = Object.keys(query).length > 0;
  if (options.resume === undefined) {
    if (!isGiven) throw new UsageError('Name at least one criterion; tenants revoke-all takes none.');
    return { query, reason: options.reason };
  }
  if (isGiven) return { query, reason: options.reason };
  const pages = service.pages<Json>(`/tenants/${segment(tenantId)}/audit`, 'entries', {
    action: 'incident_begun',
    limit: 500,
  });
  for await (const entries of pages) {
    for (const { details, reason } of entries) {
      const { incident_id: id, query: begun } = (details ?? {}) as { incident_id?: string; query?: Json };
      if (id === options.resume && begun) return { query: begun, reason: String(reason) };
    }
  }
  throw new CommandError(
    'The audit has no such incident: repeat its criteria and its reason beside --resume.',
  );
}

function queryOf({ issuedBefore, createdAfter, userPrefix, metadata, kid }: IncidentOptions): Json {
  return {
    ...(issuedBefore === undefined ? {} : { created_before: timeText(issuedBefore) }),
    ...(createdAfter === undefined ? {} : { created_after: timeText(createdAfter) }),
    ...(userPrefix === undefined ? {} : { user_prefix: userPrefix }),
    ...(metadata === undefined ? {} : { metadata: Object.fromEntries(metadata.map(memberOf)) }),
    ...(kid === undefined ? {} : { kid }),
  };
}

function timeText(text: string): string {
  return text === 'now' ? new Date(new SystemClock().nowMs()).toISOString() : text;
}

function memberOf(text: string): [string, string] {
  const at = text.indexOf('=');
  if (at < 1) throw new UsageError('Metadata is written key=value.');
  return [text.slice(0, at), text.slice(at + 1)];
}

function describeDryRun({ scanned, matched, sample }: Step): string {
  const rows = sample.map((session) => [
    session['session_id'],
    session['user_id'],
    timeOf(session['created_at']),
    timeOf(session['last_used_at']),
  ]);
  const more = matched > rows.length ? `... and ${matched - rows.length} more\n` : '';
  const found = rows.length > 0 ? table(['SESSION', 'USER', 'BEGAN', 'LAST REFRESHED'], rows) : '';
  return `${found}${more}${matched} of ${scanned} sessions match.\n`;
}
