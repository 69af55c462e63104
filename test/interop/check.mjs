// Another language's usual JWT library against the service as it is built: Python's PyJWT, in an environment of its own
// that is thrown away. It knows nothing but the issuer, the audience and the address of the keys. The exit status is
// the verdict.
//   npm run check:interop
import { spawn, spawnSync } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';

const PYJWT = 'PyJWT[crypto]==2.15.1';
const REPOSITORY = resolve(import.meta.dirname, '../..');
const VERIFY = join(import.meta.dirname, 'verify.py');
const TENANT = 'acme';
const BOOT_DEADLINE_MS = 60_000;

let failed = 0;
function check(what, holds, detail = '') {
  if (!holds) failed++;
  process.stdout.write(`${holds ? 'ok    ' : 'FAILED'}  ${what}${detail ? `: ${detail}` : ''}\n`);
}

/** @returns the Python of an environment that has PyJWT, and nothing of this machine's */
function environmentIn(folder) {
  const made = spawnSync('python3', ['-m', 'venv', join(folder, 'venv')], { encoding: 'utf8' });
  if (made.error || made.status !== 0) throw new Error('python3 with its venv module is needed on the PATH');
  const python = join(folder, 'venv/bin/python');
  const quiet = ['--quiet', '--disable-pip-version-check', '--no-input'];
  const installed = spawnSync(python, ['-m', 'pip', 'install', ...quiet, PYJWT], { encoding: 'utf8' });
  if (installed.status === 0) return python;
  const last = installed.stderr.trim().split('\n').at(-1);
  throw new Error(`pip and a package index with ${PYJWT} are needed: ${last}`);
}

async function boot(folder, adminApiKey) {
  const child = spawn(process.execPath, [join(REPOSITORY, 'dist/main.js')], {
    cwd: folder,
    env: {
      HOST: '127.0.0.1',
      PORT: '0',
      PUBLIC_URL: 'https://sessions.example.com',
      STORE_URL: 'sqlite::memory:',
      ADMIN_API_KEY: adminApiKey,
      MASTER_KEYS: `m1:${randomBytes(32).toString('base64')}`,
    },
    stdio: ['ignore', 'pipe', 'pipe'],
  });
  const port = await new Promise((done, fail) => {
    let output = '';
    const end = (error) => {
      child.kill('SIGKILL');
      fail(error);
    };
    const late = setTimeout(() => end(new Error('the service does not listen')), BOOT_DEADLINE_MS);
    const hear = (bytes) => {
      output += bytes;
      const found = /listening on port (\d+)/.exec(output)?.[1];
      if (!found) return;
      clearTimeout(late);
      done(found);
    };
    child.stdout.on('data', hear);
    child.stderr.on('data', hear);
    child.once('exit', (code) => {
      clearTimeout(late);
      fail(new Error(`the service left with ${code}: ${output.slice(-2000)}`));
    });
  });
  return { child, url: `http://127.0.0.1:${port}` };
}

async function call(url, method, path, key, body) {
  const answer = await fetch(url + path, {
    method,
    headers: { 'x-api-key': key, ...(body ? { 'content-type': 'application/json' } : {}) },
    ...(body ? { body: JSON.stringify(body) } : {}),
  });
  if (!answer.ok) throw new Error(`${method} ${path}: ${answer.status} ${await answer.text()}`);
  return answer.status === 204 ? undefined : answer.json();
}

/** One byte of the signature, near its middle, where every bit counts. */
function withOneByteChanged(token) {
  const [header, payload, signature] = token.split('.');
  const bytes = Buffer.from(signature, 'base64url');
  bytes[bytes.length >> 1] ^= 1;
  return [header, payload, bytes.toString('base64url')].join('.');
}

async function verifyAll(python, url, adminApiKey) {
  const made = await call(url, 'POST', '/tenants', adminApiKey, { tenant_id: TENANT });
  const session = await call(url, 'POST', '/sessions', made.api_key, {
    tenant_id: TENANT,
    user_id: 'alice',
    scope: 'read write',
  });
  const { access_token: token, refresh_token: refreshToken } = session;

  /** A process of its own each time: nothing of the keys is remembered. @returns claims, or the name of the error */
  const verify = (text, issuer = `https://sessions.example.com/tenants/${TENANT}`, audience = TENANT) => {
    const args = [VERIFY, `${url}/tenants/${TENANT}/jwks`, issuer, audience];
    const { stdout, stderr } = spawnSync(python, args, { input: text, encoding: 'utf8' });
    if (!stdout) throw new Error(`verify.py said nothing: ${stderr.slice(-2000)}`);
    return JSON.parse(stdout);
  };
  const refused = (what, { error }, wanted) =>
    check(
      what,
      error === wanted,
      error === wanted ? error : `${wanted} was expected, got ${error ?? 'claims'}`,
    );

  const { claims } = verify(token);
  check(
    'PyJWT verifies an access token by the keys of its tenant, with issuer and audience',
    claims?.sub === 'alice' && claims.sid === session.session_id && claims.scope === 'read write',
  );
  refused('it refuses one with a changed byte', verify(withOneByteChanged(token)), 'InvalidSignatureError');
  refused(
    'it refuses one of another issuer',
    verify(token, 'https://other.example.com'),
    'InvalidIssuerError',
  );
  refused('it refuses one for another audience', verify(token, undefined, 'other'), 'InvalidAudienceError');
  refused('it finds no key for a refresh token', verify(refreshToken), 'PyJWKClientError');

  const { kid } = JSON.parse(Buffer.from(token.split('.')[0], 'base64url'));
  await call(url, 'DELETE', `/tenants/${TENANT}/keys/${kid}`, made.api_key);
  refused('it finds no key for a token whose key was killed', verify(token), 'PyJWKClientError');
  const { access_token: later } = await call(url, 'POST', '/sessions', made.api_key, {
    tenant_id: TENANT,
    user_id: 'bob',
    scope: '',
  });
  check('it verifies one of the key that came after', verify(later).claims?.sub === 'bob');
}

const folder = mkdtempSync(join(tmpdir(), 'interop-'));
let service;
try {
  const python = environmentIn(folder);
  const adminApiKey = randomBytes(24).toString('hex');
  service = await boot(folder, adminApiKey);
  await verifyAll(python, service.url, adminApiKey);
} catch (error) {
  check('another language verifies', false, error.message);
} finally {
  service?.child.kill('SIGKILL');
  rmSync(folder, { recursive: true, force: true });
}
process.exit(failed === 0 ? 0 : 1);
