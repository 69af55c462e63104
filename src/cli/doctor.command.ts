/** `doctor`: asks a running service whether all is well, and says what to do where it is not. It changes nothing. */
import type { Command } from 'commander';
import { findCredential, tenantOfKey } from './credentials.js';
import { checkApiKey, checkKeys } from './doctor-keys.js';
import { checkClock, checkHealth, checkMetrics, checkPublicUrl, checkTransport } from './doctor-service.js';
import { CommandError, EXIT } from './failure.js';
import { action, type Invocation } from './invocation.js';
import { Service } from './service.js';
import { printable, table } from './terminal.js';

/** One line of the report. */
export interface Finding {
  readonly level: 'ok' | 'warn' | 'fail';
  readonly subject: string;
  readonly finding: string;
  /** What to do; missing where all is well. */
  readonly remedy?: string;
}

export function addDoctor(program: Command): void {
  program
    .command('doctor')
    .description('check a running service, and say what to fix')
    .addHelpText('after', '\nExits with 1 when a line says fail, with 3 when nobody answers.')
    .action(action(doctor));
}

async function doctor(cli: Invocation): Promise<void> {
  const credential = findCredential('either', cli.apiKeyFile, cli.env, (sentence) => cli.warn(sentence));
  const service = new Service(cli.url, credential);
  const findings: Finding[] = [];
  try {
    const { status } = await service.ask('GET', '/health/live');
    if (status !== 200) throw new CommandError(`What answers there is not this service: status ${status}.`);
    findings.push({ level: 'ok', subject: 'reachable', finding: `it answers at ${cli.url}` });
  } catch (error) {
    const remedy = 'start it, or correct --url, SESSION_SERVICE_URL or PUBLIC_URL';
    findings.push({ level: 'fail', subject: 'reachable', finding: (error as Error).message, remedy });
    show(cli, findings);
    process.exitCode = EXIT.unreachable;
    return;
  }
  cli.progress.say('asking');
  findings.push(
    checkTransport(cli.url),
    ...(await checkHealth(service)),
    await checkClock(service),
    await checkMetrics(new Service(cli.url, null)),
  );
  const apiKey = await checkApiKey(service, credential);
  findings.push(apiKey.finding);
  if (apiKey.accepted && credential) {
    const ofKey = tenantOfKey(credential.key);
    const keys = await checkKeys(service, ofKey, Number(cli.env['KEY_ROTATION_DAYS'] || 90));
    findings.push(...keys.findings);
    const tenantId = ofKey ?? keys.someTenant;
    if (tenantId !== undefined) findings.push(await checkPublicUrl(service, tenantId));
  }
  show(cli, findings);
  if (findings.some(({ level }) => level === 'fail')) process.exitCode = EXIT.refused;
}

function show(cli: Invocation, findings: readonly Finding[]): void {
  cli.show({ findings }, () => {
    const remedies = findings.filter(({ remedy }) => remedy !== undefined);
    return [
      table(
        ['', 'CHECK', 'FOUND'],
        findings.map(({ level, subject, finding }) => [level, subject, finding]),
      ),
      ...(remedies.length > 0 ? ['\nWhat to do:\n'] : []),
      ...remedies.map(({ subject, remedy }) => `- ${printable(subject)}: ${printable(remedy)}.\n`),
    ].join('');
  });
}
