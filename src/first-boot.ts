/**
 * Outside production, what a developer should not have to make by hand: a demo tenant with an API key in a file that
 * only the owner can read, and a walk to try it. In production nothing is made up: what is missing is an error.
 */
import { existsSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { dirname } from 'node:path';
import type { INestApplicationContext } from '@nestjs/common';
import { developmentFiles, OWNER_ONLY } from './development-secrets.js';
import { AppError } from './errors.js';
import type { StoreUrl } from './store-url.js';
import { parseApiKey } from './tenants/api-key.js';
import { SCOPES } from './http/access.js';
import { ApiKeysService } from './tenants/api-keys.service.js';
import { TenantsService } from './tenants/tenants.service.js';

const DEMO_TENANT = 'demo';

/** Makes sure that there is a demo tenant and a file with a working API key of it. @returns the file's path */
export async function ensureDemoTenant(app: INestApplicationContext, store: StoreUrl): Promise<string> {
  const file = developmentFiles(store).demoApiKeyFile;
  if (existsSync(file)) {
    const presented = parseApiKey(readFileSync(file, 'utf8').trim());
    if (presented && (await app.get(ApiKeysService).authenticate(presented))) return file;
  }
  mkdirSync(dirname(file), { recursive: true, mode: 0o700 });
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
