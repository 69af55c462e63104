// Starts the built service for an example: in memory, with a tenant of its own and an API key for what is needed.
import { spawn } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import { createServer } from 'node:net';
import { join } from 'node:path';
import { setTimeout as pause } from 'node:timers/promises';

const MAIN = join(import.meta.dirname, '..', 'dist', 'main.js');

/**
 * @param {{ scopes: string[], tenant?: Record<string, unknown> }} needs
 * @returns {Promise<{ url: string, apiKey: string, stop: () => void }>}
 */
export async function startService({ scopes, tenant = {} }) {
  const port = await freePort();
  const url = `http://127.0.0.1:${port}`;
  const adminApiKey = randomBytes(32).toString('hex');
  const service = spawn(process.execPath, [MAIN], {
    stdio: ['ignore', 'ignore', 'inherit'],
    env: {
      PATH: process.env.PATH,
      NODE_ENV: 'production',
      HOST: '127.0.0.1',
      PORT: String(port),
      PUBLIC_URL: url,
      STORE_URL: 'sqlite::memory:',
      ADMIN_API_KEY: adminApiKey,
      MASTER_KEYS: `m1:${randomBytes(32).toString('base64')}`,
    },
  });
  process.once('exit', () => service.kill());

  for (let isReady = false; !isReady; await pause(50)) {
    if (service.exitCode !== null) throw new Error('The service did not start.');
    isReady = await fetch(`${url}/health/ready`).then(
      ({ ok }) => ok,
      () => false,
    );
  }

  const call = async (path, body) => {
    const answer = await fetch(url + path, {
      method: 'POST',
      headers: { 'x-api-key': adminApiKey, 'content-type': 'application/json' },
      body: JSON.stringify(body),
    });
    if (!answer.ok) throw new Error(`${path}: ${await answer.text()}`);
    return answer.json();
  };
  await call('/tenants', { tenant_id: 'shop', ...tenant });
  const { api_key: apiKey } = await call('/tenants/shop/api-keys', { name: 'example', scopes });
  return { url, apiKey, stop: () => service.kill() };
}

async function freePort() {
  const server = createServer().listen(0, '127.0.0.1');
  await new Promise((listening) => server.once('listening', listening));
  const { port } = server.address();
  await new Promise((closed) => server.close(closed));
  return port;
}
