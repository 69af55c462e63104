/** One reader of a stream, over a real connection: what happens when it takes nothing, and what when it is only slow. */
import { get, type IncomingMessage } from 'node:http';
import type { AddressInfo } from 'node:net';
import { afterEach, beforeEach, describe, expect, test } from '@jest/globals';
import { fastify, type FastifyInstance } from 'fastify';
import { Counter, Gauge } from 'prom-client';
import { EventStream, eventOf, wantsEvents } from '../../src/http/event-stream.js';
import { StreamMetrics } from '../../src/http/metrics/stream.metrics.js';
import { FeedReader } from '../../src/revocations/tenant-feed.js';
import { eventually } from '../support/eventually.js';

const PART = eventOf('revoked', { revocations: 'x'.repeat(100_000) });

const MUCH = 400_000;

describe('a reader', () => {
  let server: FastifyInstance;
  let reader: FeedReader;
  let stream: EventStream;
  let client: IncomingMessage;

  beforeEach(async () => {
    const kind = { help: 'x', registers: [] };
    const metrics = new StreamMetrics(
      new Gauge({ ...kind, name: 'open' }),
      new Counter({ ...kind, name: 'events', labelNames: ['event'] }),
      new Counter({ ...kind, name: 'ended', labelNames: ['reason'] }),
    );
    server = fastify();
    server.get('/', (request, reply) => {
      stream = new EventStream(request, reply);
      reader = new FeedReader(null, stream, metrics);
    });
    await server.listen({ port: 0, host: '127.0.0.1' });
    const { port } = server.server.address() as AddressInfo;
    client = await new Promise((resolve) => get({ port, host: '127.0.0.1', agent: false }, resolve));
    client.on('error', () => undefined).pause();
  });

  afterEach(async () => {
    client.destroy();
    await server.close();
  });

  /** Until much is left over that the network does not take, and some of it for good. */
  const fill = async () => {
    for (let quiet = 0; quiet < 5; quiet = stream.waitingBytes > MUCH ? quiet + 1 : 0) {
      if (stream.waitingBytes <= MUCH) reader.send('revoked', PART);
      await new Promise((resolve) => setTimeout(resolve, 20));
    }
  };

  test('is let alone while it has nothing to take', () => {
    reader.mindStall(0);
    reader.mindStall(1_000_000);
    expect(reader.isOpen).toBe(true);
  });

  test('that has taken nothing for 30 s is cut off', async () => {
    await fill();
    reader.mindStall(0);
    reader.mindStall(30_000);
    expect(reader.isOpen).toBe(true);
    reader.mindStall(30_001);
    expect(reader.isOpen).toBe(false);
  });

  test('that is slow, but has taken something, is not', async () => {
    await fill();
    reader.mindStall(0);
    const drained = reader.drained();
    client.resume();
    await drained;
    client.pause();
    await fill();
    reader.mindStall(30_001);
    expect(reader.isOpen).toBe(true);
  });

  test('that leaves more than 1 MiB is cut off, and is sent no more', async () => {
    await fill();
    for (let at = 0; at < 11 && reader.isOpen; at++) reader.send('revoked', PART);
    expect(reader.isOpen).toBe(false);
    await eventually(() => client.closed || client.resume().closed);
  });
});

test.each([
  ['text/event-stream', true],
  ['Text/Event-Stream; q=0.5, */*', true],
  ['application/json, text/event-stream', true],
  ['text/event-stream;q=0', false],
  ['text/event-stream; Q=0.000', false],
  ['text/*', false],
  ['*/*', false],
  ['text/event-streams', false],
  ['', false],
  [undefined, false],
])('events are asked for by name: %s', (accept, wanted) => {
  expect(wantsEvents(accept)).toBe(wanted);
});
