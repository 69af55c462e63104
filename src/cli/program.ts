/** The commands, put together. */
import { Command } from 'commander';
import { addApiKeys } from './api-keys.command.js';
import { addAudit } from './audit.command.js';
import { addBackup } from './backup.command.js';
import { addDoctor } from './doctor.command.js';
import { addIncident } from './incident.command.js';
import { addKeys } from './keys.command.js';
import { addSessions } from './sessions.command.js';
import { addTenants } from './tenants.command.js';
import { printable } from './terminal.js';
import { addToken } from './token.command.js';

const HELP = `
The API key comes from ADMIN_API_KEY (platform) or SESSION_SERVICE_API_KEY (tenant), from --api-key-file, or, outside
production, from the files of the first start. The URL comes from --url, SESSION_SERVICE_URL or PUBLIC_URL.
Exit codes: 0 done, 1 refused, 2 not understood, 3 not reachable or out for now.`;

export function buildProgram(): Command {
  const program = new Command('session-service')
    .description('The command line of the multi-tenant session service.')
    .option('--url <url>', 'where the service is')
    .option('--api-key-file <path>', 'a file with the API key')
    .option('--json', 'what the service answered, as JSON')
    .option('--yes', 'do not ask before something that cannot be undone')
    .addHelpText('after', HELP);
  addTenants(program);
  addKeys(program);
  addApiKeys(program);
  addSessions(program);
  addIncident(program);
  addToken(program);
  addAudit(program);
  addBackup(program);
  addDoctor(program);
  careful(program);
  return program;
}

/** Not by itself, but by its caller does it exit; what it repeats of the command cannot move the cursor. */
function careful(command: Command): void {
  command.exitOverride();
  command.configureOutput({
    outputError: (text, write) => write(`${text.trimEnd().split('\n').map(printable).join('\n')}\n`),
  });
  command.commands.forEach(careful);
}
