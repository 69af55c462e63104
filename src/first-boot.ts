/**
 * Outside production, what a developer should not have to make by hand: the platform key, a master key and a demo
 * tenant, in files that only the owner can read. In production nothing is made up: what is missing is an error.
 */
import { randomBytes } from 'node:crypto';
import { existsSync, mkdirSync, readFileSync, statSync, writeFileSync } from 'node:fs';
import { dirname, join, resolve } from 'node:path';
import type { INestApplicationContext } from '@nestjs/common';
import { ConfigError, parseConfig, type Config, type Environment } from './config.js';
import { AppError } from './errors.js';
import type { StoreUrl } from './store-url.js';
import { parseApiKey } from './tenants/api-key.js';
import { SCOPES } from './http/access.js';
import { ApiKeysService } from './tenants/api-keys.service.js';
import { TenantsService } from './tenants/tenants.service.js';

const OWNER_ONLY = 0o600;
const DEMO_TENANT = 'demo';

/** Where a developer's secrets live: beside the database that they seal. */
export function secretsDirectory(store: StoreUrl): string {
  return resolve(databaseFile(store) ? dirname(databaseFile(store) ?? '') : './data');
}

/**
 * @returns the configuration, with a platform key and a master key from `data` where the environment has none
 * @throws ConfigError also when a master key would be made up although something is sealed under another already
 */
export function parseDevelopmentConfig(env: Environment): Config {
  // Before anything is made, everything else must be right.
  const rest = parseConfig({ ...env, ADMIN_API_KEY: PLACEHOLDER_KEY, MASTER_KEYS: PLACEHOLDER_MASTER_KEY });
  const needsMasterKeys = rest.keyProvider.kind === 'local' && !env['MASTER_KEYS'];
  const { adminApiKeyFile, masterKeysFile } = secretFiles(rest.store);
  const database = databaseFile(rest.store);
  if (needsMasterKeys && !existsSync(masterKeysFile) && database && isFile(database)) {
    throw new ConfigError([
      `MASTER_KEYS is not set and ${masterKeysFile} is missing, but the keys in ${database} are sealed under it: ` +
        'restore the file, set MASTER_KEYS, or delete the database to start afresh.',
    ]);
  }
  return parseConfig({
    ...env,
    ADMIN_API_KEY: env['ADMIN_API_KEY'] || readOrMake(adminApiKeyFile, () => randomBytes(32).toString('hex')),
    MASTER_KEYS: needsMasterKeys
      ? readOrMake(masterKeysFile, () => `m1:${randomBytes(32).toString('base64')}`)
      : env['MASTER_KEYS'],
  });
}

/** @returns the environment with the secrets that a first boot has made where it has none; makes nothing */
export function withDevelopmentSecrets(env: Environment): Environment {
  const rest = parseConfig({ ...env, ADMIN_API_KEY: PLACEHOLDER_KEY, MASTER_KEYS: PLACEHOLDER_MASTER_KEY });
  const { adminApiKeyFile, masterKeysFile } = secretFiles(rest.store);
  const read = (file: string) => (existsSync(file) ? readFileSync(file, 'utf8').trim() : undefined);
  return {
    ...env,
    ADMIN_API_KEY: env['ADMIN_API_KEY'] || read(adminApiKeyFile),
    MASTER_KEYS: env['MASTER_KEYS'] || read(masterKeysFile),
  };
}

function secretFiles(store: StoreUrl): { adminApiKeyFile: string; masterKeysFile: string } {
  const directory = secretsDirectory(store);
  return {
    adminApiKeyFile: join(directory, 'admin-api-key'),
    masterKeysFile: join(directory, 'master-keys'),
  };
}

/** Stand-ins while the rest of the configuration is checked; nothing is ever sealed or compared with them. */
const PLACEHOLDER_KEY = '-'.repeat(16);
const PLACEHOLDER_MASTER_KEY = `placeholder:${Buffer.alloc(32).toString('base64')}`;

/** Each kind of store has a demo tenant of its own. */
function demoKeyFile(store: StoreUrl): string {
  if (store.kind === 'redis') return 'demo-api-key-redis';
  return databaseFile(store) ? 'demo-api-key' : 'demo-api-key-memory';
}

function isFile(path: string): boolean {
  return statSync(path, { throwIfNoEntry: false })?.isFile() ?? false;
}

function databaseFile(store: StoreUrl): string | null {
  return store.kind === 'sqlite' && store.path !== ':memory:' ? resolve(store.path) : null;
}

/** Two first boots at once agree: the file is created exclusively, and the loser reads it. */
function readOrMake(file: string, make: () => string): string {
  mkdirSync(dirname(file), { recursive: true, mode: 0o700 });
  try {
    writeFileSync(file, `${make()}\n`, { mode: OWNER_ONLY, flag: 'wx' });
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'EEXIST') throw error;
  }
  return readFileSync(file, 'utf8').trim();
}

/** Makes sure that there is a demo tenant and a file with a working API key of it. @returns the file's path */
export async function ensureDemoTenant(app: INestApplicationContext, store: StoreUrl): Promise<string> {
  const directory = secretsDirectory(store);
  const file = join(directory, demoKeyFile(store));
  if (existsSync(file)) {
    const presented = parseApiKey(readFileSync(file, 'utf8').trim());
    if (presented && (await app.get(ApiKeysService).authenticate(presented))) return file;
  }
  mkdirSync(directory, { recursive: true, mode: 0o700 });
  writeFileSync(file, `${await demoApiKey(app)}\n`, { mode: OWNER_ONLY });
  return file;
}

async function demoApiKey(app: INestApplicationContext): Promise<string> {
  try {
    const { apiKey } = await app.get(TenantsService).create(DEMO_TENANT, { name: 'Demo', settings: {} });
    return apiKey;
  } catch (error) {
    if (!(error instanceof AppError) || error.code !== 'tenant_exists') throw error;
    const grant = { name: 'demo', scopes: SCOPES, expiresAtMs: null };
    return (await app.get(ApiKeysService).issue({ kind: 'platform' }, DEMO_TENANT, grant)).text;
  }
}

/** Lines to paste into a shell: they create, validate, refresh and revoke a session. */
export function demoWalk(url: string, apiKeyFile: string): string {
  const call = (path: string, body: string) =>
    `curl -s ${url}${path} -H "X-API-Key: $KEY" -H 'Content-Type: application/json' -d ${body}`;
  const pick = (member: string) => `sed 's/.*"${member}":"\\([^"]*\\)".*/\\1/'`;
  const createBody = `'{"tenant_id":"${DEMO_TENANT}","user_id":"alice","scope":"read","metadata":{"device":"laptop"}}'`;
  return `
The service is at ${url}, its documentation at ${url}/docs.
Paste this into another terminal to see a session live and die:

  KEY="$(cat '${apiKeyFile}')"

  echo '--- create'
  SESSION="$(${call('/sessions', createBody)})"; echo "$SESSION"
  ACCESS="$(echo "$SESSION" | ${pick('access_token')})"; REFRESH="$(echo "$SESSION" | ${pick('refresh_token')})"

  echo '--- validate'
  ${call('/sessions/validate', '"{\\"access_token\\":\\"$ACCESS\\"}"')}; echo

  echo '--- refresh'
  ${call('/sessions/refresh', '"{\\"refresh_token\\":\\"$REFRESH\\"}"')}; echo

  echo '--- revoke, and validate again: token_revoked'
  ${call('/sessions/revoke', '"{\\"token\\":\\"$ACCESS\\",\\"reason\\":\\"user_logout\\"}"')}
  ${call('/sessions/validate', '"{\\"access_token\\":\\"$ACCESS\\"}"')}; echo

`;
}
