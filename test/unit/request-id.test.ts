import { describe, expect, test } from '@jest/globals';
import { requestIdOf } from '../../src/http/request-id.js';

const UUID = /^[0-9a-f]{8}-[0-9a-f]{4}-4[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}$/;

describe('a request id', () => {
  test.each(['a', 'req-1', 'A.b_c-9', '5f0c2a4e-6d0b-4d0e-9c55-0f6f3f1f8a11', 'x'.repeat(128)])(
    "is the caller's: %s",
    (id) => {
      expect(requestIdOf({ headers: { 'x-request-id': id } })).toBe(id);
    },
  );

  test('is made, and new each time, when the caller sent none', () => {
    expect(requestIdOf({ headers: {} })).toMatch(UUID);
    const ids = Array.from({ length: 10_000 }, () => requestIdOf({ headers: {} }));
    expect(new Set(ids).size).toBe(10_000);
    for (const id of ids) expect(id).toMatch(UUID);
  });

  test.each([
    '',
    ' ',
    'x'.repeat(129),
    'a b',
    'a, b',
    'a\n',
    'a\r\nset-cookie: x',
    '{"json":1}',
    'ключ',
    '../x',
    '<script>',
    'sk_acme_0011223344556677_secret', // an API key in the wrong header
    ['a', 'b'],
  ])('is made when what the caller sent is not fit for a log or a header: %j', (id) => {
    expect(requestIdOf({ headers: { 'x-request-id': id } })).toMatch(UUID);
  });
});
