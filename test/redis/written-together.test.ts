/** Commands that are sent at the same time leave in one write, and are what they were in every other way. */
import { createServer, connect, type AddressInfo, type Server } from 'node:net';
import { afterAll, beforeAll, expect, test } from '@jest/globals';
import { RedisConnection } from '../../src/storage/redis/redis-connection.js';
import { parseStoreUrl } from '../../src/store-url.js';
import { eventually } from '../support/eventually.js';
import { RedisServer } from '../support/redis-server.js';

let redis: RedisServer;
let between: Server;
/** How often bytes came for Redis. */
let arrivals = 0;

beforeAll(async () => {
  redis = await RedisServer.start();
  const { port } = new URL(redis.url);
  between = createServer((client) => {
    const server = connect(Number(port), '127.0.0.1');
    client.on('data', (bytes) => {
      arrivals++;
      server.write(bytes);
    });
    server.pipe(client);
    client.on('close', () => server.destroy());
    client.on('error', () => server.destroy());
    server.on('error', () => client.destroy());
  });
  await new Promise<void>((resolve) => between.listen(0, '127.0.0.1', resolve));
});

afterAll(async () => {
  between.close();
  await redis.stop();
});

test('a hundred commands of one turn arrive in a few pieces, in their order, each with its own reply', async () => {
  const url = parseStoreUrl(`redis://127.0.0.1:${(between.address() as AddressInfo).port}`);
  if (url.kind !== 'redis') throw new Error('unreachable');
  const connection = new RedisConnection(url, { commandTimeoutMs: 10_000 });
  await connection.open();
  try {
    const ask = (): Promise<number> =>
      connection.run('find-session', (client) => client.incr('written-together'));
    expect(await ask()).toBe(1);
    arrivals = 0;
    const replies = await Promise.all(Array.from({ length: 100 }, ask));
    expect(replies).toEqual(Array.from({ length: 100 }, (_, at) => at + 2));
    expect(arrivals).toBeLessThan(20);
    // On the connection that comes after one that was lost, too.
    await redis.kill();
    await redis.restart();
    await eventually(() => ask().then(Boolean, () => false));
    arrivals = 0;
    await Promise.all(Array.from({ length: 100 }, ask));
    expect(arrivals).toBeLessThan(20);
  } finally {
    connection.close();
  }
});
