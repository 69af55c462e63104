/** One call: what is repeated and what is not, how long, and what an answer that is not the service's becomes. */
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { describe, expect, test } from '@jest/globals';
import { SessionClient, type SessionClientOptions } from '../../sdk/src/index.js';
import { Transport } from '../../sdk/src/transport.js';

const outage = (retryAfter?: string): Response =>
  Response.json(
    { error: 'store_unavailable', error_description: '', action: 'retry', request_id: '1' },
    { status: 503, headers: retryAfter === undefined ? {} : { 'retry-after': retryAfter } },
  );

/** A client whose service gives these answers, one after the other; the last one again and again. */
function clientOf(
  answers: readonly (() => Response | Promise<Response>)[],
  more: Partial<SessionClientOptions> = {},
) {
  const asked: string[] = [];
  const client = new SessionClient({
    url: 'https://sessions.test/',
    apiKey: 'secret',
    tenantId: 'acme',
    fetch: async (input, init) => {
      asked.push(`${init?.method} ${new URL(new Request(input).url).pathname}`);
      const answer = answers[Math.min(asked.length, answers.length) - 1];
      if (!answer) throw new Error('no answer');
      return answer();
    },
    ...more,
  });
  return { client, asked };
}

const broken = (): Response => {
  throw new TypeError('fetch failed');
};
const ok = (body: object) => () => Response.json(body);
const LIST = ok({ sessions: [] });

describe('a call', () => {
  test('that is safe is repeated after an outage, a broken connection and 429', async () => {
    for (const failure of [outage, broken, () => new Response('<html>', { status: 502 })]) {
      const { client, asked } = clientOf([failure, failure, LIST]);
      expect(await client.list('bob')).toEqual([]);
      expect(asked).toEqual(Array(3).fill('GET /sessions'));
    }
  });

  test('is given up after a few times, with the last reason', async () => {
    const { client, asked } = clientOf([outage]);
    await expect(client.list('bob')).rejects.toMatchObject({
      code: 'store_unavailable',
      status: 503,
      requestId: '1',
    });
    expect(asked).toHaveLength(3);
  });

  test('that may not be done twice is not', async () => {
    for (const call of [
      (client: SessionClient) => client.create({ userId: 'bob' }),
      (client: SessionClient) => client.revokeTenant({ reason: 'admin' }),
    ]) {
      const { client, asked } = clientOf([outage]);
      await expect(call(client)).rejects.toMatchObject({ action: 'retry' });
      expect(asked).toHaveLength(1);
    }
  });

  test('waits as long as it is told, or not at all when there is no time for it', async () => {
    const patient = clientOf([() => outage('1'), LIST], { timeoutMs: 60_000 });
    const started = performance.now();
    await patient.client.list('bob');
    expect(performance.now() - started).toBeGreaterThanOrEqual(990);
    const hasty = clientOf([() => outage('30'), LIST], { timeoutMs: 20_000 });
    await expect(hasty.client.list('bob')).rejects.toMatchObject({ retryAfterSeconds: 30 });
    expect(hasty.asked).toHaveLength(1);
    const dated = clientOf([() => outage(new Date(Date.now() + 3_600_000).toUTCString())]);
    await expect(dated.client.list('bob')).rejects.toMatchObject({
      action: 'retry',
      retryAfterSeconds: expect.any(Number),
    });
    expect(dated.asked).toHaveLength(1);
  });

  test('is not repeated for an answer that would be the same', async () => {
    const refused = () =>
      Response.json(
        { error: 'invalid_token', error_description: '', action: 'reauthenticate' },
        { status: 401 },
      );
    const { client, asked } = clientOf([refused]);
    await expect(client.refresh('x')).rejects.toMatchObject({
      code: 'invalid_token',
      action: 'reauthenticate',
    });
    expect(asked).toHaveLength(1);
  });

  test('that ended a session whose first answer was lost has ended it', async () => {
    const gone = () =>
      Response.json(
        { error: 'session_not_found', error_description: '', action: 'fix_request' },
        { status: 404 },
      );
    await clientOf([broken, gone]).client.end('sid', { reason: 'admin' });
    await expect(clientOf([gone]).client.end('sid', { reason: 'admin' })).rejects.toMatchObject({
      status: 404,
    });
  });
});

test('a client without an API key is not made', () => {
  for (const apiKey of [undefined, '', 'secret']) {
    expect(() => new SessionClient({ url: 'https://sessions.test', apiKey })).toThrow(TypeError);
  }
});

describe('what is not an answer of the service', () => {
  test.each([
    ['a page', () => new Response('<html>', { status: 200 })],
    ['another service', ok({ hello: 'world' })],
    ['null', () => new Response('null')],
    ['a page with 401', () => new Response('Unauthorized', { status: 401 })],
    ['JSON of others with 401', () => Response.json({ error: 'nope' }, { status: 401 })],
    ['an action that is none', () => Response.json({ error: 'x', action: 'panic' }, { status: 401 })],
    ['an empty 404', () => new Response(null, { status: 404 })],
  ])('%s logs nobody out', async (_, answer) => {
    const { client } = clientOf([answer]);
    for (const call of [client.refresh('x'), client.validate('x'), client.list('bob')]) {
      await expect(call).rejects.toMatchObject({ code: 'unexpected_answer', action: 'fix_request' });
    }
  });

  test('a validation is none that does not say that the token is valid', async () => {
    for (const body of [
      { claims: {} },
      { valid: 'true' },
      { valid: true, claims: { sub: 'x' }, revocation: {} },
    ]) {
      await expect(clientOf([ok(body)]).client.validate('x')).rejects.toMatchObject({
        code: 'unexpected_answer',
      });
    }
  });
});

test('an API key goes to the service alone, wherever that points to', async () => {
  const asked: string[] = [];
  const server = createServer((request, answer) => {
    asked.push(request.url ?? '');
    answer.writeHead(307, { location: '/elsewhere' }).end();
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const url = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
  try {
    const opened = new Transport({ url, apiKey: 'secret' }).open('/feed', {}, AbortSignal.timeout(5000));
    await expect(opened).rejects.toMatchObject({ code: 'unreachable', action: 'retry' });
    const client = new SessionClient({ url, apiKey: 'secret', tenantId: 'acme', retries: 0 });
    await expect(client.list('bob')).rejects.toMatchObject({ code: 'unreachable', action: 'retry' });
    expect(asked).toEqual(['/feed', '/sessions?tenant_id=acme&user_id=bob']);
  } finally {
    server.closeAllConnections();
    await new Promise((closed) => server.close(closed));
  }
});
