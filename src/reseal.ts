/**
 * `npm run reseal`: has the running service seal every tenant's keys under the first master key, and says which
 * master keys may be dropped. To be run with the service's own environment, once every instance has the new list:
 * an instance that still has the old one seals new tenants under the old first key.
 */
import { parseConfig, readEnvironment, type Config } from './config.js';
import { withDevelopmentSecrets } from './first-boot.js';

interface Report {
  readonly resealed: number;
  readonly in_use: Readonly<Record<string, number>>;
}

/** Why there is no report, in a sentence for the operator. */
class ResealError extends Error {}

async function main(): Promise<void> {
  const env = readEnvironment();
  const complete = env['NODE_ENV'] === 'production' ? env : withDevelopmentSecrets(env);
  const config = parseConfig(complete);
  const report = await reseal(config.publicUrl, complete['ADMIN_API_KEY']?.trim() ?? '');
  process.stdout.write(describe(report, config));
}

async function reseal(url: string, adminApiKey: string): Promise<Report> {
  let answer: Response;
  let body: unknown;
  try {
    answer = await fetch(`${url}/master-keys/reseal`, {
      method: 'POST',
      headers: { 'x-api-key': adminApiKey },
      redirect: 'error',
    });
    body = await answer.json().catch(() => undefined);
  } catch {
    throw new ResealError(`The service does not answer at ${url}: check PUBLIC_URL.`);
  }
  if (answer.status === 401) {
    throw new ResealError(`The service at ${url} does not know this platform key: check ADMIN_API_KEY.`);
  }
  if (isReport(body)) return body;
  const { error_description: description } = (body ?? {}) as { error_description?: unknown };
  throw new ResealError(
    typeof description === 'string'
      ? `The service at ${url} answers ${answer.status}: ${description}`
      : `What answers at ${url} is not this service: check PUBLIC_URL.`,
  );
}

function isReport(body: unknown): body is Report {
  const { resealed, in_use: inUse } = (body ?? {}) as Partial<Record<keyof Report, unknown>>;
  return Number.isSafeInteger(resealed) && typeof inUse === 'object' && inUse !== null;
}

/** The first master key stays, used or not: it seals what comes next. */
function describe({ resealed, in_use: inUse }: Report, { masterKeys }: Config): string {
  const used = Object.entries(inUse).map(([id, count]) => `${id} (${tenants(count)})`);
  const lines = [
    `${tenants(resealed)} resealed.`,
    used.length > 0 ? `Still in use: ${used.join(', ')}.` : 'No master key is in use: there are no tenants.',
  ];
  if (masterKeys.length > 0) {
    const idle = masterKeys.slice(1).filter(({ id }) => !Object.hasOwn(inUse, id));
    const ids = idle.map(({ id }) => id).join(', ');
    lines.push(ids ? `May be dropped from MASTER_KEYS: ${ids}.` : 'None of MASTER_KEYS may be dropped.');
  }
  return `${lines.join('\n')}\n`;
}

function tenants(count: number): string {
  return count === 1 ? '1 tenant' : `${count} tenants`;
}

main().catch((error: unknown) => {
  process.stderr.write(`${(error as Error).message}\n`);
  process.exitCode = 1;
});
