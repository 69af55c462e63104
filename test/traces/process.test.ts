import { beforeAll, describe, expect, test } from '@jest/globals';
import { readFileSync } from 'node:fs';
import { NoTracing } from '../../src/tracing.js';
import { OtlpReceiver } from '../support/otlp-receiver.js';
import { freePort } from '../support/redis-server.js';
import { buildOnce, ServiceProcess } from '../support/service-process.js';
import { ADMIN_API_KEY } from '../support/test-service.js';
import { eventually } from '../support/eventually.js';

/** Two spans each: more than may wait. */
const REQUESTS = 1500;

beforeAll(buildOnce);

const listTenants = (service: ServiceProcess): Promise<number> =>
  fetch(`${service.url}/tenants`, { headers: { 'x-api-key': ADMIN_API_KEY } }).then(async (answer) => {
    await answer.arrayBuffer();
    return answer.status;
  });

async function countAnswers(service: ServiceProcess, requests: number): Promise<Record<number, number>> {
  const counts: Record<number, number> = {};
  for (let sent = 0; sent < requests; sent += 20) {
    const statuses = await Promise.all(Array.from({ length: 20 }, () => listTenants(service)));
    for (const status of statuses) counts[status] = (counts[status] ?? 0) + 1;
  }
  return counts;
}

describe('a process with traces', () => {
  test('sends its last batch when it is told to leave', async () => {
    const receiver = await OtlpReceiver.start();
    const service = await ServiceProcess.start({ OTEL_EXPORTER_OTLP_ENDPOINT: receiver.url });
    try {
      expect(await listTenants(service)).toBe(200);
      expect(await service.terminate()).toBe(0);
      expect(receiver.spans.map(({ name }) => name)).toEqual(
        expect.arrayContaining(['GET /tenants', 'tenants.list']),
      );
    } finally {
      await service.stop();
      await receiver.stop();
    }
  });

  test('whose receiver is not there serves on, says so once, and leaves in good order', async () => {
    const nowhere = `http://127.0.0.1:${await freePort()}`;
    const service = await ServiceProcess.start({ OTEL_EXPORTER_OTLP_ENDPOINT: nowhere });
    try {
      expect(await countAnswers(service, REQUESTS)).toEqual({ 200: REQUESTS });
      await eventually(() => service.log.includes('traces_not_sent'));
      expect(await service.terminate()).toBe(0);
      expect(service.log.split('traces_not_sent').length - 1).toBe(1);
    } finally {
      await service.stop();
    }
  });

  test('whose receiver never answers serves on, and leaves in bounded time', async () => {
    const receiver = await OtlpReceiver.start();
    receiver.hangs = true;
    const service = await ServiceProcess.start({ OTEL_EXPORTER_OTLP_ENDPOINT: receiver.url });
    try {
      expect(await countAnswers(service, REQUESTS)).toEqual({ 200: REQUESTS });
      expect(await service.terminate()).toBe(0);
    } finally {
      await service.stop();
      await receiver.stop();
    }
  });
});

describe('without an endpoint', () => {
  test('the SDK is not loaded: main alone imports it, and not before it is wanted', () => {
    const main = readFileSync('src/main.ts', 'utf8');
    expect(main).not.toMatch(/from '\.\/traces\//);
    expect(main).toMatch(/await import\('\.\/traces\/otel-tracing\.js'\)/);
  });

  test('what would be traced is handed back as it came', () => {
    const store = { find: async () => null };
    expect(new NoTracing().around('sessions', store)).toBe(store);
  });
});
