/** The load generator tells the truth: it sees stalls, and it takes no wrong answer for a right one. */
import { afterEach, describe, expect, test } from '@jest/globals';
import { once } from 'node:events';
import { createServer, type RequestListener, type Server } from 'node:http';
import { createServer as createTcpServer, type AddressInfo, type Server as TcpServer } from 'node:net';
import { setTimeout as pause } from 'node:timers/promises';

interface Latencies {
  readonly p50: number;
  readonly p90: number;
  readonly p99: number;
}

interface Traffic {
  readonly status: number;
}

interface LoadGenerator {
  openLoop(options: object): Promise<{ errors: number; unanswered: number; kinds: Latencies[] }>;
  closedLoop(options: object): Promise<{ answered: number; errors: number; sample?: string }>;
  repeating(requests: Buffer[], status?: number): Traffic;
  once(requests: Buffer[], perRun: number): Traffic & { begin(): void };
  requestBytes(request: object): Buffer;
}

async function loadGenerator(): Promise<LoadGenerator> {
  const files = ['open-loop', 'closed-loop', 'traffic', 'request'];
  const modules = await Promise.all(
    files.map((file) => import(new URL(`../../bench/load/${file}.mjs`, import.meta.url).href)),
  );
  return Object.assign({}, ...modules) as LoadGenerator;
}

const servers: (Server | TcpServer)[] = [];

async function listen(server: Server | TcpServer): Promise<number> {
  servers.push(server);
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  return (server.address() as AddressInfo).port;
}

/** Answers each request when its body has arrived. */
const answering = (answer: RequestListener) =>
  listen(createServer((request, response) => request.resume().on('end', () => answer(request, response))));

afterEach(() => {
  for (const server of servers.splice(0)) {
    if ('closeAllConnections' in server) server.closeAllConnections();
    server.close();
  }
});

describe('the open loop', () => {
  test('counts a stall for every request that was due in it, not only for those under way', async () => {
    const generator = await loadGenerator();
    let stall: Promise<unknown> | undefined;
    let seen = 0;
    const port = await answering((_request, response) => {
      if (++seen === 100) stall = pause(1000);
      void Promise.resolve(stall).then(() => response.end('{}'));
    });
    const request = generator.requestBytes({ path: '/', body: {} });
    // 200 a second for 2 seconds: 200 of the 400 requests are due in the second in which nothing is answered.
    const run = await generator.openLoop({
      port,
      connections: 4,
      rate: 200,
      mix: [{ traffic: generator.repeating([request]) }],
      warmUpSeconds: 0,
      seconds: 2,
    });
    expect(run).toMatchObject({ errors: 0, unanswered: 0 });
    expect(run.kinds[0]?.p90).toBeGreaterThan(500);
  });
});

describe('the closed loop', () => {
  const options = { connections: 2, warmUpSeconds: 0, seconds: 60 };

  test('reads answers in pieces, in chunks, and without a body', async () => {
    const generator = await loadGenerator();
    const answers = [
      ['HTTP/1.1 200 OK\r\nContent-Le', 'ngth: 4\r\n\r\nab', 'cd'],
      ['HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n4\r\nab', 'cd\r\n0\r', '\n\r\n'],
      ['HTTP/1.1 200 OK\r\ncontent-length: 0\r\n\r\n'],
    ];
    let answered = 0;
    const server = createTcpServer((socket) => {
      socket.setNoDelay(true);
      socket.on('error', () => undefined);
      socket.on('data', () => {
        const pieces = answers[answered++ % answers.length] ?? [];
        void (async () => {
          for (const piece of pieces) {
            socket.write(piece);
            await pause(5);
          }
        })();
      });
    });
    const port = await listen(server);
    const requests = Array.from({ length: 12 }, () => generator.requestBytes({ path: '/', body: {} }));
    const run = await generator.closedLoop({ ...options, port, traffic: generator.once(requests, 12) });
    expect(run).toMatchObject({ answered: 12, errors: 0 });
  });

  test('counts another status than the expected one as an error, and shows one', async () => {
    const generator = await loadGenerator();
    const port = await answering((_request, response) => {
      response.statusCode = 503;
      response.end('{"error":"store_unavailable"}');
    });
    const requests = Array.from({ length: 10 }, () => generator.requestBytes({ path: '/', body: {} }));
    const run = await generator.closedLoop({ ...options, port, traffic: generator.once(requests, 10) });
    expect(run).toMatchObject({ answered: 0, errors: 10, sample: '503 {"error":"store_unavailable"}' });
  });

  test('counts a connection that breaks as an error', async () => {
    const generator = await loadGenerator();
    const port = await answering((_request, response) => void response.destroy());
    const requests = Array.from({ length: 10 }, () => generator.requestBytes({ path: '/', body: {} }));
    const run = await generator.closedLoop({ ...options, port, traffic: generator.once(requests, 10) });
    expect(run).toMatchObject({ answered: 0, errors: 2, sample: 'connection closed' });
  });
});
