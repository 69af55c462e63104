/** `token inspect`: what a token says and what is wrong with it. A token is a secret: it is never an argument. */
import { createReadStream, readFileSync } from 'node:fs';
import type { Command } from 'commander';
import { SystemClock } from '../clock.js';
import { CommandError, EXIT, UsageError } from './failure.js';
import { action } from './invocation.js';
import { Service } from './service.js';
import { describeInspection, inspect, type Jwk, type KeySet } from './token-inspection.js';

const MAX_INPUT_BYTES = 1_000_000;

export function addToken(program: Command): void {
  program
    .command('token')
    .description('tokens, offline')
    .command('inspect [file]')
    .description('explain a token from a file, or from standard input, and say which rules it breaks')
    .option('--jwks <url-or-file>', "verify the signature with the tenant's public keys")
    .addHelpText('after', '\nExits with 1 when the service would refuse the token, as far as it shows.')
    .action(
      action(async (cli, { jwks }: { jwks?: string }, [file]) => {
        const nowMs = new SystemClock().nowMs();
        const token = (await readToken(file, (text) => cli.warn(text))).replace(/^Bearer +/i, '');
        const inspection = inspect(token, jwks === undefined ? null : await readKeys(jwks), nowMs);
        cli.show(inspection, () => describeInspection(inspection, nowMs));
        if (inspection.problems.length > 0) process.exitCode = EXIT.refused;
      }),
    );
}

async function readToken(file: string | undefined, say: (text: string) => void): Promise<string> {
  // Somebody has pasted the token where a file's name belongs; it must not be repeated.
  if (file !== undefined && /^ey[\w-]+\./.test(file)) {
    throw new UsageError(
      'A token does not belong on a command line: give it on standard input, or in a file.',
    );
  }
  if ((file === undefined || file === '-') && process.stdin.isTTY) say('Paste the token, then press Ctrl-D:');
  const input = file === undefined || file === '-' ? process.stdin : createReadStream(file);
  const parts: Buffer[] = [];
  let size = 0;
  try {
    for await (const part of input as AsyncIterable<Buffer>) {
      size += part.length;
      if (size > MAX_INPUT_BYTES) throw new UsageError('That is no token: it is larger than 1 MB.');
      parts.push(part);
    }
  } catch (error) {
    if (error instanceof UsageError) throw error;
    throw new UsageError(`The file cannot be read (${(error as NodeJS.ErrnoException).code ?? 'unknown'}).`);
  }
  const token = Buffer.concat(parts).toString('utf8').trim();
  if (token === '') throw new UsageError('There is no token.');
  return token;
}

async function readKeys(place: string): Promise<KeySet> {
  const set = /^https?:\/\//i.test(place) ? await fetchKeys(place) : readKeyFile(place);
  const { keys } = (set ?? {}) as { keys?: unknown };
  if (!Array.isArray(keys)) throw new UsageError('--jwks leads to no JSON Web Key Set.');
  const tenantId = /\/tenants\/([a-z0-9-]+)\/(?:\.well-known\/)?jwks(?:\.json)?$/.exec(place)?.[1];
  return {
    keys: keys.filter((key) => typeof key === 'object' && key !== null) as Jwk[],
    ...(tenantId === undefined ? {} : { tenantId }),
  };
}

async function fetchKeys(url: string): Promise<unknown> {
  const { status, body } = await new Service(url, null).ask('GET', '');
  if (status === 200) return body;
  throw new CommandError(`The key set is answered with status ${status}.`, EXIT.unreachable);
}

function readKeyFile(file: string): unknown {
  try {
    return JSON.parse(readFileSync(file, 'utf8'));
  } catch {
    throw new UsageError('The file of --jwks cannot be read, or is no JSON.');
  }
}
