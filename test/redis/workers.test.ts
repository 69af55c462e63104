/** Several processes on one port of one machine are one service to its callers. */
import { afterAll, beforeAll, describe, expect, test } from '@jest/globals';
import { request } from 'node:http';
import { eventually } from '../support/eventually.js';
import { RedisServer } from '../support/redis-server.js';
import { buildOnce, ServiceProcess } from '../support/service-process.js';
import { ADMIN_API_KEY } from '../support/test-service.js';

const WORKERS = 2;

/** On a connection of its own: each goes to the next worker. */
function call(
  { url }: ServiceProcess,
  method: string,
  path: string,
  { apiKey = ADMIN_API_KEY, body }: { apiKey?: string; body?: unknown } = {},
): Promise<{ status: number; text: string }> {
  return new Promise((resolve, reject) => {
    const headers = { 'x-api-key': apiKey, 'content-type': 'application/json' };
    const sent = request(`${url}${path}`, { method, headers, agent: false }, (answer) => {
      let text = '';
      answer.setEncoding('utf8').on('data', (part: string) => (text += part));
      answer.on('end', () => resolve({ status: answer.statusCode ?? 0, text }));
    });
    sent.on('error', reject);
    sent.end(body === undefined ? undefined : JSON.stringify(body));
  });
}

describe('workers that share a port', () => {
  let redis: RedisServer;
  let service: ServiceProcess;
  let apiKey: string;

  beforeAll(async () => {
    buildOnce();
    redis = await RedisServer.start();
    service = await ServiceProcess.start({ STORE_URL: redis.url, WORKERS: String(WORKERS) });
    await eventually(async () => /listening[^]*listening/.test(service.log), Boolean);
    const { text } = await call(service, 'POST', '/tenants', { body: { tenant_id: 'acme' } });
    ({ api_key: apiKey } = JSON.parse(text) as { api_key: string });
  });

  afterAll(async () => {
    await service.stop();
    await redis.stop();
  });

  const create = async () => {
    const body = { tenant_id: 'acme', user_id: 'alice', scope: 'read' };
    const { text } = await call(service, 'POST', '/sessions', { apiKey, body });
    return JSON.parse(text) as { access_token: string };
  };
  const validate = (token: string) =>
    call(service, 'POST', '/sessions/validate', { apiKey, body: { access_token: token } });

  test('count as one: each scrape speaks for all of them', async () => {
    const { access_token: token } = await create();
    const counted = async () => {
      const { text } = await call(service, 'GET', '/metrics');
      const lines = text.match(/^sessions_validated_total\{.*tenant_id="acme".*\} \d+$/gm) ?? [];
      return lines.reduce((sum, line) => sum + Number(line.split(' ').at(-1)), 0);
    };
    const before = await counted();
    for (let at = 0; at < 20; at++) expect((await validate(token)).status).toBe(200);
    for (let at = 0; at < 2 * WORKERS; at++) expect((await counted()) - before).toBe(20);
  });

  test('hear of a revocation, whichever of them took it', async () => {
    const { access_token: token } = await create();
    for (let at = 0; at < 2 * WORKERS; at++) expect((await validate(token)).status).toBe(200);
    const body = { token, reason: 'user_logout' };
    expect((await call(service, 'POST', '/sessions/revoke', { apiKey, body })).status).toBe(204);
    const statuses = () => Promise.all(Array.from({ length: 2 * WORKERS }, () => validate(token)));
    await eventually(statuses, (answers) => answers.every(({ status }) => status === 401));
  });

  test('replace one that died', async () => {
    const [victim = 0] = service.workers();
    process.kill(victim, 'SIGKILL');
    await eventually(
      async () => service.workers(),
      (pids) => pids.length === WORKERS && !pids.includes(victim),
    );
    const { access_token: token } = await create();
    for (let at = 0; at < 2 * WORKERS; at++) expect((await validate(token)).status).toBe(200);
  });

  test('leave together, and in good order', async () => {
    const pids = service.workers();
    expect(pids).toHaveLength(WORKERS);
    expect(await service.terminate()).toBe(0);
    for (const pid of pids) expect(() => process.kill(pid, 0)).toThrow();
  });

  test('are told once when they cannot boot, and nothing is left running', async () => {
    const { port } = new URL(redis.url);
    const failed = ServiceProcess.start({ STORE_URL: redis.url, WORKERS: '3', PORT: port });
    const said = await failed.then(
      () => '',
      (error: Error) => error.message,
    );
    expect(said.match(/EADDRINUSE/g)).toHaveLength(1);
  });

  test('are refused on the embedded store, which belongs to one process', async () => {
    const failed = ServiceProcess.start({ STORE_URL: 'sqlite::memory:', WORKERS: '2' });
    await expect(failed).rejects.toThrow('WORKERS must be 1 with a sqlite: STORE_URL');
  });
});
