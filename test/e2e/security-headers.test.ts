import { beforeAll, describe, expect, test } from '@jest/globals';
import type { TestTenant } from '../support/test-service.js';
import { useService } from './use-service.js';

const DATA_HEADERS = {
  'content-security-policy': "default-src 'none';frame-ancestors 'none'",
  'x-content-type-options': 'nosniff',
  'x-frame-options': 'DENY',
  'referrer-policy': 'no-referrer',
  'cross-origin-resource-policy': 'same-origin',
  'strict-transport-security': 'max-age=31536000; includeSubDomains',
};

describe('every answer of the API', () => {
  const service = useService(async () => ({
    env: { STORE_URL: 'sqlite::memory:' },
    dispose: async () => {},
  }));
  let tenant: TestTenant;

  beforeAll(async () => {
    tenant = await service().tenant();
  });

  test.each([
    ['a success', 'GET', '/health/live', undefined, 200],
    ['public keys', 'GET', '/tenants/demo/jwks', undefined, 404],
    ['a refused caller', 'GET', '/tenants', undefined, 401],
    ['an unknown address', 'GET', '/nothing/here', undefined, 404],
    ['an address that cannot be read', 'GET', '/%zz', undefined, 400],
    ['a broken body', 'POST', '/sessions/validate', '{', 400],
    ['a body that is not JSON', 'POST', '/sessions', new Uint8Array([0xff]), 400],
  ])('%s carries the security headers', async (_, method, path, body, status) => {
    const answer = await service().call(method, path, { body });
    expect(answer.status).toBe(status);
    expect(Object.fromEntries(answer.headers)).toMatchObject(DATA_HEADERS);
  });

  test('a refused token carries them as well', async () => {
    const { status, headers } = await service().validate(tenant, 'not.a.token');
    expect(status).toBe(401);
    expect(Object.fromEntries(headers)).toMatchObject(DATA_HEADERS);
  });

  test('the documentation may show itself, and nobody may frame it', async () => {
    const { headers } = await service().call('GET', '/docs');
    expect(headers.get('content-security-policy')).toContain("script-src 'self'");
    expect(headers.get('x-frame-options')).toBe('SAMEORIGIN');
    expect(headers.get('x-content-type-options')).toBe('nosniff');
  });
});
