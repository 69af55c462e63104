import { setFlagsFromString } from 'node:v8';
import { runInNewContext } from 'node:vm';
import { afterAll, beforeAll, describe, expect, test } from '@jest/globals';
import { eventually } from '../support/eventually.js';
import { RedisServer } from '../support/redis-server.js';
import { IN_TIME_MS, SOON_OUT, TestService, type TestTenant, type Tokens } from '../support/test-service.js';
import { report } from './every-call.js';

setFlagsFromString('--expose-gc');
const collectGarbage = runInNewContext('gc') as () => void;

function heapUsed(): number {
  collectGarbage();
  return process.memoryUsage().heapUsed;
}

const CLIENTS = 8;
const REQUESTS = 200;
/** A little less than a command may take: who takes so long has waited for Redis. */
const WAITED_MS = 900;

/** Clients that send one request after another. @returns how long each took, ms */
async function load(send: () => Promise<unknown>): Promise<number[]> {
  const took: number[] = [];
  const client = async (): Promise<void> => {
    while (took.length < REQUESTS) {
      const startedMs = performance.now();
      await send();
      took.push(performance.now() - startedMs);
    }
  };
  await Promise.all(Array.from({ length: CLIENTS }, client));
  return took.toSorted((a, b) => a - b);
}

describe('with many requests in flight while Redis hangs', () => {
  let redis: RedisServer;
  let service: TestService;
  let tenant: TestTenant;
  let alive: Tokens;
  const rejections: unknown[] = [];
  const remember = (reason: unknown): void => void rejections.push(reason);

  beforeAll(async () => {
    process.on('unhandledRejection', remember);
    redis = await RedisServer.start();
    service = await TestService.start({ ...SOON_OUT, STORE_URL: redis.url });
    tenant = await service.tenant();
    alive = await service.createSession(tenant);
  });

  afterAll(async () => {
    redis.signal('SIGCONT');
    await service.stop();
    await redis.stop();
    process.off('unhandledRejection', remember);
  });

  const create = () =>
    service.post(tenant, '/sessions', { tenant_id: tenant.tenantId, user_id: 'u', scope: 'read' });

  test('the circuit breaker keeps most of them from waiting, and closes again by itself', async () => {
    redis.signal('SIGSTOP');
    const openedBy = await Promise.all(Array.from({ length: 5 }, create));
    expect(openedBy.map(({ status }) => status)).toEqual([503, 503, 503, 503, 503]);

    const took = await load(async () => expect((await create()).status).toBe(503));
    const waited = took.filter((ms) => ms > WAITED_MS).length;
    report(
      `${took.length} requests, median ${took[took.length >> 1]} ms, ${waited} waited, worst ${took.at(-1)} ms`,
    );
    expect(took.at(-1)).toBeLessThan(IN_TIME_MS);
    // Now and then one waits, to find out whether the store is back.
    expect(waited).toBeLessThan(REQUESTS / 10);

    redis.signal('SIGCONT');
    await eventually(create, ({ status }) => status === 201);
    expect((await Promise.all(Array.from({ length: 20 }, create))).map(({ status }) => status)).toEqual(
      Array.from({ length: 20 }, () => 201),
    );
  });

  test('memory does not grow with the requests, and no rejection goes unhandled', async () => {
    redis.signal('SIGSTOP');
    const traffic = async (requests: number): Promise<void> => {
      for (let sent = 0; sent < requests; sent += 20) {
        await Promise.all(
          Array.from({ length: 20 }, (_, at) =>
            at % 2 === 0 ? create() : service.validate(tenant, alive.access_token),
          ),
        );
      }
    };
    await traffic(1000);
    const before = heapUsed();
    await traffic(3000);
    const growth = heapUsed() - before;
    redis.signal('SIGCONT');
    await eventually(create, ({ status }) => status === 201);
    report(`heap ${before >> 20} MiB, and ${growth >> 10} KiB more`);
    // Three kilobytes kept of each request would be too much.
    expect(growth).toBeLessThan(9 * 1024 * 1024);
    expect(rejections).toEqual([]);
  });
});
