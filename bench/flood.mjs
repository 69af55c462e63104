// Does one tenant's flood slow another tenant's validations?
// One instance, one Redis; tenant B validates at a steady rate, tenant A floods far over its limit, or does not.
// The three conditions take turns, so that what else this machine does is in all of them.
// npm run bench:flood [rounds] [seconds of each] [requests of A a second]
import { fork } from 'node:child_process';
import { once } from 'node:events';
import { Agent, request } from 'node:http';
import { connect } from 'node:net';
import { setTimeout as pause } from 'node:timers/promises';
import { median } from './load/latencies.mjs';
import { call } from './load/request.mjs';
import { ADMIN_API_KEY, Servers } from './servers.mjs';

const ROUNDS = Number(process.argv[2] ?? 7);
const SECONDS = Number(process.argv[3] ?? 5);
const RATE_OF_B = 300;
const LIMIT_OF_A = 500;
const RATE_OF_A = Number(process.argv[4] ?? 16 * LIMIT_OF_A);
const AS_PLATFORM = { 'x-api-key': ADMIN_API_KEY };

if (process.send) generateLoad();
else await measure();

/** A process that sends validations at a rate, however long the answers take; it is told what, and tells what came. */
function generateLoad() {
  process.on('message', ({ how, ...load }) => {
    (how === 'flood' ? flood(load) : validate(load)).then(
      (result) => process.send(result),
      (error) => {
        process.stderr.write(`${error.stack}\n`);
        process.exit(1);
      },
    );
  });
}

/** Sends when it is due. @returns after the last one was sent */
async function atRate(rate, seconds, send) {
  const startedAt = performance.now();
  for (let n = 0; n < rate * seconds;) {
    const due = Math.min(rate * seconds, ((performance.now() - startedAt) / 1000) * rate);
    while (n < due) send(n++);
    await pause(1);
  }
}

/** As a client does, each answer's time taken. */
async function validate({ port, apiKey, tokens, rate, seconds }) {
  const agent = new Agent({ keepAlive: true, maxSockets: 64 });
  const headers = { 'content-type': 'application/json', 'x-api-key': apiKey };
  const options = { port, agent, method: 'POST', path: '/sessions/validate', headers };
  const bodies = tokens.map((access_token) => JSON.stringify({ access_token }));
  const latencies = [];
  const pending = [];
  let failed = 0;
  await atRate(rate, seconds, (n) => {
    const startedAt = performance.now();
    const answered = new Promise((done) => {
      const sent = request(options, (answer) => {
        if (answer.statusCode !== 200) failed++;
        answer.resume().on('end', () => done(latencies.push(performance.now() - startedAt)));
      });
      sent.on('error', () => done(failed++)).end(bodies[n % bodies.length]);
    });
    pending.push(answered);
  });
  await Promise.all(pending);
  agent.destroy();
  return { latencies, failed };
}

/** As cheaply as it can be done, or the generator would be what is measured: bytes out, status lines counted. */
async function flood({ port, apiKey, tokens, rate, seconds }) {
  const counts = { 200: 0, 429: 0 };
  const sockets = await Promise.all(
    Array.from({ length: 64 }, async () => {
      const socket = connect(port, '127.0.0.1').setNoDelay();
      let rest = '';
      socket.on('data', (bytes) => {
        const text = rest + bytes.latin1Slice();
        for (const [, status] of text.matchAll(/HTTP\/1\.1 (\d{3})/g)) counts[status]++;
        rest = text.slice(-11).replace(/HTTP\/1\.1 \d{3}/, '');
      });
      await once(socket, 'connect');
      return socket;
    }),
  );
  const requests = tokens.map((access_token) => {
    const body = JSON.stringify({ access_token });
    const head = `POST /sessions/validate HTTP/1.1\r\nHost: a\r\nX-API-Key: ${apiKey}\r\nContent-Type: application/json`;
    return Buffer.from(`${head}\r\nContent-Length: ${body.length}\r\n\r\n${body}`);
  });
  await atRate(rate, seconds, (n) => sockets[n % sockets.length].write(requests[n % requests.length]));
  const result = { admitted: counts[200] / seconds, refused: counts[429] / seconds };
  for (const socket of sockets) socket.destroy();
  return result;
}

async function measure() {
  const servers = new Servers({ pins: false });
  const loaders = [1, 2].map(() => fork(new URL(import.meta.url), { stdio: 'inherit' }));
  try {
    const { port } = await servers.service((await servers.redis()).url);
    const [a, b] = [await tenant(port, 'a'), await tenant(port, 'b')];
    const load = async (loader, how, { apiKey, tokens }, rate, seconds = SECONDS) => {
      loader.send({ how, port, apiKey, tokens, rate, seconds });
      const [result] = await once(loader, 'message');
      return result;
    };
    const [ofA, ofB] = loaders;
    // Warm up.
    await Promise.all([load(ofA, 'flood', a, 1000, 3), load(ofB, 'validate', b, RATE_OF_B, 3)]);
    const conditions = [
      { name: 'B alone', limit: 0, rate: 0 },
      { name: 'A floods, limited', limit: LIMIT_OF_A, rate: RATE_OF_A },
      { name: 'A floods, not limited', limit: 0, rate: RATE_OF_A },
    ].map((condition) => ({
      ...condition,
      p50: [],
      p99: [],
      cpu: [],
      failed: [],
      admitted: [],
      refused: [],
    }));
    for (let round = 0; round < ROUNDS; round++) {
      for (const { limit, rate, ...measured } of conditions) {
        await limitA(port, limit);
        const before = await cpuSeconds(port);
        const flooding = rate > 0 ? load(ofA, 'flood', a, rate) : { admitted: 0, refused: 0 };
        const { latencies, failed } = await load(ofB, 'validate', b, RATE_OF_B);
        const { admitted, refused } = await flooding;
        latencies.sort((one, other) => one - other);
        measured.p50.push(quantile(latencies, 0.5));
        measured.p99.push(quantile(latencies, 0.99));
        measured.failed.push(failed);
        measured.admitted.push(admitted);
        measured.refused.push(refused);
        measured.cpu.push(((await cpuSeconds(port)) - before) / SECONDS);
        await untilIdle(port);
      }
    }
    report(conditions);
  } finally {
    for (const loader of loaders) loader.kill('SIGTERM');
    await servers.stopAll();
  }
}

/** What a flood has left in queues is not to be the next condition's trouble. */
async function untilIdle(port) {
  for (let quick = 0; quick < 20;) {
    const startedAt = performance.now();
    await fetch(`http://127.0.0.1:${port}/health/live`).catch(() => null);
    quick = performance.now() - startedAt < 20 ? quick + 1 : 0;
    await pause(20);
  }
}

/** Of the instance, so far. */
async function cpuSeconds(port) {
  const text = await (await fetch(`http://127.0.0.1:${port}/metrics`)).text();
  return Number(/^process_cpu_seconds_total (\S+)$/m.exec(text)?.[1]);
}

function report(conditions) {
  const alone = median(conditions[0].p99);
  const lines = conditions.map(({ name, p50, p99, cpu, failed, admitted, refused }) =>
    [
      name.padEnd(22),
      median(p50).toFixed(2).padStart(8),
      median(p99).toFixed(2).padStart(8),
      `${Math.min(...p99).toFixed(1)} to ${Math.max(...p99).toFixed(1)}`.padStart(16),
      (median(p99) / alone).toFixed(2).padStart(10),
      failed
        .reduce((sum, count) => sum + count, 0)
        .toString()
        .padStart(10),
      median(admitted).toFixed(0).padStart(14),
      median(refused).toFixed(0).padStart(13),
      `${(median(cpu) * 100).toFixed(0)} %`.padStart(15),
    ].join(''),
  );
  process.stdout.write(
    `B validates ${RATE_OF_B}/s; A asks for ${RATE_OF_A}/s, with a limit of ${LIMIT_OF_A}/s or with none; ` +
      `medians of ${ROUNDS} rounds of ${SECONDS} s each, taking turns\n` +
      'condition               B p50 ms  p99 ms       p99 range  to alone  B failed  A admitted/s  A refused/s  CPU of a core\n' +
      `${lines.join('\n')}\n`,
  );
}

async function tenant(port, name) {
  const wanted = { path: '/tenants', headers: AS_PLATFORM, body: { tenant_id: name } };
  const { api_key: apiKey } = await call(port, wanted);
  const tokens = [];
  for (let n = 0; n < 50; n++) {
    const body = { tenant_id: name, user_id: `user-${n}`, scope: 'read' };
    const session = await call(port, { path: '/sessions', headers: { 'x-api-key': apiKey }, body });
    tokens.push(session.access_token);
  }
  return { apiKey, tokens };
}

async function limitA(port, limit) {
  const body = { rate_limit_per_second: limit };
  await call(port, { method: 'PATCH', path: '/tenants/a', headers: AS_PLATFORM, body });
}

function quantile(sorted, q) {
  return sorted[Math.min(sorted.length - 1, Math.floor(sorted.length * q))];
}
