/**
 * Outside production, the secrets that a developer should not have to make by hand, in files that only the owner can
 * read. It knows no tenants: first-boot.ts makes the demo tenant.
 */
import { randomBytes } from 'node:crypto';
import { existsSync, mkdirSync, readFileSync, statSync, writeFileSync } from 'node:fs';
import { dirname, join, resolve } from 'node:path';
import { ConfigError, parseConfig, type Config, type Environment } from './config.js';
import type { StoreUrl } from './store-url.js';

export const OWNER_ONLY = 0o600;

/**
 * @returns the configuration, with a platform key and a master key from `data` where the environment has none
 * @throws ConfigError also when a master key would be made up although something is sealed under another already
 */
export function parseDevelopmentConfig(env: Environment): Config {
  // Before anything is made, everything else must be right.
  const rest = parseConfig({ ...env, ADMIN_API_KEY: PLACEHOLDER_KEY, MASTER_KEYS: PLACEHOLDER_MASTER_KEY });
  const needsMasterKeys = rest.keyProvider.kind === 'local' && !env['MASTER_KEYS'];
  const { adminApiKeyFile, masterKeysFile } = developmentFiles(rest.store);
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

/** Where a first boot outside production puts what it makes. Each kind of store has a demo tenant of its own. */
export function developmentFiles(store: StoreUrl): DevelopmentFiles {
  const database = databaseFile(store);
  // Beside the database that they seal.
  const directory = resolve(database ? dirname(database) : './data');
  const kind = { redis: '-redis', sqlite: database ? '' : '-memory' }[store.kind];
  return {
    adminApiKeyFile: join(directory, 'admin-api-key'),
    masterKeysFile: join(directory, 'master-keys'),
    demoApiKeyFile: join(directory, `demo-api-key${kind}`),
  };
}

export interface DevelopmentFiles {
  readonly adminApiKeyFile: string;
  readonly masterKeysFile: string;
  readonly demoApiKeyFile: string;
}

/** Stand-ins while the rest of the configuration is checked; nothing is ever sealed or compared with them. */
const PLACEHOLDER_KEY = '-'.repeat(16);
const PLACEHOLDER_MASTER_KEY = `placeholder:${Buffer.alloc(32).toString('base64')}`;

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
