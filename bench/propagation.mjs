// How long after a revocation's answer do the other instances still accept the token?
// Three instances and one Redis on this machine: npm run bench:propagation [revocations]
import { ADMIN_API_KEY, Servers } from './servers.mjs';

const REVOCATIONS = Number(process.argv[2] ?? 1000);

async function post(port, path, body, apiKey) {
  const answer = await fetch(`http://127.0.0.1:${port}${path}`, {
    method: 'POST',
    headers: { 'content-type': 'application/json', 'x-api-key': apiKey },
    body: JSON.stringify(body),
  });
  const text = await answer.text();
  return { status: answer.status, body: text ? JSON.parse(text) : undefined };
}

const quantile = (sorted, q) => sorted[Math.min(sorted.length - 1, Math.floor(sorted.length * q))].toFixed(1);

const servers = new Servers({ pins: false });
try {
  const { url } = await servers.redis();
  const instances = await Promise.all([1, 2, 3].map(() => servers.service(url)));
  const ports = instances.map(({ port }) => port);
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
  await servers.stopAll();
}
