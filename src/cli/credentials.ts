/**
 * Where the service is, and with which API key it is called. Keys come from the environment or from files, never from
 * the command line: that is seen by everybody on the machine, and kept in histories.
 */
import { existsSync, readFileSync, statSync } from 'node:fs';
import type { Environment } from '../config.js';
import { developmentFiles, type DevelopmentFiles } from '../development-secrets.js';
import { parseStoreUrl } from '../store-url.js';
import { UsageError } from './failure.js';
import type { Credential } from './service.js';

/** Who may do it: the platform, a tenant's service, or both; then the platform key goes first. */
export type KeyKind = 'platform' | 'tenant' | 'either';

const PLATFORM_VARIABLE = 'ADMIN_API_KEY';
const TENANT_VARIABLE = 'SESSION_SERVICE_API_KEY';

/** @returns without a trailing slash */
export function serviceUrl(option: string | undefined, env: Environment): string {
  const text =
    option ??
    (env['SESSION_SERVICE_URL'] || env['PUBLIC_URL'] || `http://localhost:${env['PORT'] || '3000'}`).trim();
  const url = URL.canParse(text) ? new URL(text) : undefined;
  if (!url || !/^https?:$/.test(url.protocol) || url.username || url.password || url.search || url.hash) {
    throw new UsageError(
      'The URL of the service must be http or https, without credentials, query or fragment.',
    );
  }
  return text.replace(/\/+$/, '');
}

/**
 * @param warn hears of a file that others can read
 * @returns null when there is none
 */
export function findCredential(
  kind: KeyKind,
  file: string | undefined,
  env: Environment,
  warn: (sentence: string) => void,
): Credential | null {
  if (file !== undefined) return fromFile(file, warn);
  const variables = variablesFor(kind);
  for (const name of variables) {
    const key = env[name]?.trim();
    if (key) return checked({ key, source: name });
  }
  if (env['NODE_ENV'] === 'production') return null;
  const files = firstBootFiles(env);
  const places = variables.map((name) =>
    name === PLATFORM_VARIABLE ? files.adminApiKeyFile : files.demoApiKeyFile,
  );
  const found = places.find((place) => existsSync(place));
  return found === undefined ? null : fromFile(found, warn);
}

export function variablesFor(kind: KeyKind): string[] {
  if (kind === 'either') return [PLATFORM_VARIABLE, TENANT_VARIABLE];
  return [kind === 'platform' ? PLATFORM_VARIABLE : TENANT_VARIABLE];
}

export function firstBootFiles(env: Environment): DevelopmentFiles {
  try {
    return developmentFiles(parseStoreUrl(env['STORE_URL']?.trim() || 'sqlite:./data/sessions.db'));
  } catch (error) {
    throw new UsageError(`STORE_URL ${(error as Error).message}.`);
  }
}

/** The tenant that a tenant's key belongs to; undefined for the platform key. */
export function tenantOfKey(key: string): string | undefined {
  return /^sk_([a-z0-9][a-z0-9-]{0,62})_[0-9a-f]{16}_/.exec(key)?.[1];
}

function fromFile(file: string, warn: (sentence: string) => void): Credential {
  let key: string;
  try {
    key = readFileSync(file, 'utf8').trim();
    if ((statSync(file).mode & 0o077) !== 0) {
      warn(`Others on this machine can read ${file}: chmod 600 it.`);
    }
  } catch (error) {
    throw new UsageError(`${file} cannot be read (${(error as NodeJS.ErrnoException).code ?? 'unknown'}).`);
  }
  return checked({ key, source: file });
}

/** What is not fit for a header would be quoted by whoever refuses it there. */
function checked(credential: Credential): Credential {
  if (/^[\x21-\x7e]{16,512}$/.test(credential.key)) return credential;
  throw new UsageError(`${credential.source} holds no API key: it must be 16 to 512 printable characters.`);
}
