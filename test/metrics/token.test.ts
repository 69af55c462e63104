/** Who may read metrics. */
import { expect, describe, test } from '@jest/globals';
import { useService } from '../e2e/use-service.js';
import { STORES } from '../support/test-service.js';

const TOKEN = 'a-token-of-the-tests-only';
const prepare = STORES.find(({ name }) => name === 'SQLite')?.prepare;
if (!prepare) throw new Error('there is a store for this');

describe('with METRICS_TOKEN', () => {
  const service = useService(prepare, { METRICS_TOKEN: TOKEN });
  const read = (authorization?: string) =>
    service().call('GET', '/metrics', authorization === undefined ? {} : { headers: { authorization } });

  test('metrics are for those who send it', async () => {
    const { status, headers, body } = await service().call<string>('GET', '/metrics', {
      headers: { authorization: `Bearer ${TOKEN}` },
    });
    expect(status).toBe(200);
    expect(headers.get('content-type')).toMatch(/^text\/plain; version=0\.0\.4/);
    expect(body).toContain('# TYPE http_request_duration_seconds histogram');
  });

  test.each([
    ['nothing', undefined],
    ['another token', 'Bearer another-token-of-the-tests'],
    ['the beginning of it', `Bearer ${TOKEN.slice(0, -1)}`],
    ['more than it', `Bearer ${TOKEN}x`],
    ['it without saying what it is', TOKEN],
    ['it as something else', `Basic ${TOKEN}`],
    ['an empty one', 'Bearer '],
  ])('who sends %s is refused, without a number', async (_, authorization) => {
    const { status, body } = await read(authorization);
    expect(status).toBe(401);
    expect(body).toMatchObject({ error: 'unauthorized', action: 'fix_request' });
    expect(JSON.stringify(body)).not.toContain('http_request');
  });
});

describe('without METRICS_TOKEN', () => {
  const service = useService(prepare);

  test('metrics are for everybody', async () => {
    expect((await service().call('GET', '/metrics')).status).toBe(200);
  });
});
