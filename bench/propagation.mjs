// How long after a revocation's answer do the other instances still accept the token?
// Three instances and one Redis on this machine: npm run bench:propagation [revocations]
import { spawn } from 'node:child_process';
import { createServer } from 'node:net';
import { setTimeout as pause } from 'node:timers/promises';
import { V8_FLAGS } from './servers.mjs';

const REVOCATIONS = Number(process.argv[2] ?? 1000);
const ADMIN_API_KEY = 'platform-key-of-this-benchmark';

async function freePort() {
  const server = createServer();
  await new Promise((resolve) => server.listen(0, '127.0.0.1', resolve));
  const { port } = server.address();
  await new Promise((resolve) => server.close(resolve));
  return port;
}

async function post(port, path, body, apiKey) {
  const answer = await fetch(`http://127.0.0.1:${port}${path}`, {
    method: 'POST',
    headers: { 'content-type': 'application/json', 'x-api-key': apiKey },
    body: JSON.stringify(body),
  });
  const text = await answer.text();
  return { status: answer.status, body: text ? JSON.parse(text) : undefined };
}

async function untilReady(port) {
  for (let attempt = 0; attempt < 200; attempt++) {
    const answer = await fetch(`http://127.0.0.1:${port}/health/ready`).catch(() => null);
    if (answer?.ok) return;
    await pause(50);
  }
  throw new Error('an instance did not become ready');
}

const quantile = (sorted, q) => sorted[Math.min(sorted.length - 1, Math.floor(sorted.length * q))].toFixed(1);

const children = [];
try {
  const redisPort = await freePort();
  children.push(
    spawn('redis-server', ['--port', redisPort, '--bind', '127.0.0.1', '--save', ''], { stdio: 'ignore' }),
  );
  await pause(500);
  const ports = [await freePort(), await freePort(), await freePort()];
  for (const port of ports) {
    const env = {
      ...process.env,
      NODE_ENV: 'production',
      HOST: '127.0.0.1',
      PORT: String(port),
      PUBLIC_URL: 'http://localhost',
      STORE_URL: `redis://127.0.0.1:${redisPort}`,
      ADMIN_API_KEY,
      MASTER_KEYS: `m1:${Buffer.alloc(32, 1).toString('base64')}`,
      LOG_LEVEL: 'warn',
    };
    const main = new URL('../dist/main.js', import.meta.url).pathname;
    children.push(
      spawn(process.execPath, [...V8_FLAGS, main], { env, stdio: ['ignore', 'inherit', 'inherit'] }),
    );
  }
  await Promise.all(ports.map(untilReady));
  const [first, ...others] = ports;
  const { body: tenant } = await post(first, '/tenants', { tenant_id: 'acme' }, ADMIN_API_KEY);
  const call = (port, path, body) => post(port, path, body, tenant.api_key);
  const isRefused = async (port, access_token) =>
    (await call(port, '/sessions/validate', { access_token })).status === 401;

  const delays = [];
  let acceptedByTaker = 0;
  for (let round = 0; round < REVOCATIONS; round++) {
    const { body: session } = await call(first, '/sessions', {
      tenant_id: 'acme',
      user_id: `user-${round}`,
      scope: '',
    });
    for (const port of others) await isRefused(port, session.access_token); // as on a busy instance: keys are loaded
    await call(first, '/sessions/revoke', { token: session.access_token, reason: 'admin' });
    const answeredAt = performance.now();
    const waits = others.map(async (port) => {
      while (!(await isRefused(port, session.access_token)));
      delays.push(performance.now() - answeredAt);
    });
    if (!(await isRefused(first, session.access_token))) acceptedByTaker++;
    await Promise.all(waits);
  }
  delays.sort((a, b) => a - b);
  process.stdout.write(
    `${REVOCATIONS} revocations, refused on the 2 other instances after (ms, the refusing request included):\n` +
      `  p50 ${quantile(delays, 0.5)}   p90 ${quantile(delays, 0.9)}   p99 ${quantile(delays, 0.99)}   max ${delays.at(-1).toFixed(1)}\n` +
      `accepted afterwards by the instance that took the revocation: ${acceptedByTaker}\n`,
  );
} finally {
  for (const child of children) child.kill('SIGTERM');
}
