/** What browsers let web pages of other origins do: nothing, unless it is configured, and then little. */
import { describe, expect, test } from '@jest/globals';
import { STORES } from '../support/test-service.js';
import { useService } from './use-service.js';

const ORIGIN = 'https://app.example.com';
const [sqlite] = STORES;
if (!sqlite) throw new Error('there is no store');

const corsHeaders = (headers: Headers): string[] =>
  [...headers.keys()].filter((name) => name.startsWith('access-control-'));

describe('pages of other origins', () => {
  const service = useService(sqlite.prepare);

  test('may read nothing by default', async () => {
    const { tenantId } = await service().tenant();
    for (const path of [`/tenants/${tenantId}/jwks`, '/health', '/sessions']) {
      const read = await service().call('GET', path, { headers: { origin: ORIGIN } });
      expect(corsHeaders(read.headers)).toEqual([]);
      const headers = { origin: ORIGIN, 'access-control-request-method': 'GET' };
      const preflight = await service().call('OPTIONS', path, { headers });
      expect([preflight.status, corsHeaders(preflight.headers)]).toEqual([404, []]);
    }
  });
});

describe('pages of an origin that is configured', () => {
  const service = useService(sqlite.prepare, { CORS_ORIGINS: `https://other.example.com, ${ORIGIN}` });
  const preflight = (path: string, origin: string) =>
    service().call('OPTIONS', path, { headers: { origin, 'access-control-request-method': 'GET' } });

  test.each(['jwks', '.well-known/jwks.json'])('may read public keys at %s', async (name) => {
    const { tenantId } = await service().tenant();
    const path = `/tenants/${tenantId}/${name}`;
    const { status, headers } = await service().call('GET', path, { headers: { origin: ORIGIN } });
    expect([status, headers.get('access-control-allow-origin')]).toEqual([200, ORIGIN]);
    expect(headers.get('vary')).toMatch(/origin/i);
    const asked = await preflight(path, ORIGIN);
    expect(asked.status).toBe(204);
    expect(asked.headers.get('access-control-allow-origin')).toBe(ORIGIN);
    expect(asked.headers.get('access-control-allow-methods')).toBe('GET, HEAD');
  });

  test('may read nothing else, not even with a good API key', async () => {
    const tenant = await service().tenant();
    const { access_token: token } = await service().createSession(tenant);
    const validated = await service().call('POST', '/sessions/validate', {
      apiKey: tenant.apiKey,
      body: { access_token: token },
      headers: { origin: ORIGIN },
    });
    expect([validated.status, corsHeaders(validated.headers)]).toEqual([200, []]);
    for (const path of ['/sessions/validate', '/tenants', '/health', '/docs/openapi.json']) {
      const asked = await preflight(path, ORIGIN);
      expect([asked.status, corsHeaders(asked.headers)]).toEqual([404, []]);
    }
  });

  test.each(['https://evil.example.com', 'http://app.example.com', 'https://app.example.com:444', 'null'])(
    'is not %s',
    async (origin) => {
      const { tenantId } = await service().tenant();
      const { headers } = await service().call('GET', `/tenants/${tenantId}/jwks`, { headers: { origin } });
      expect(headers.get('access-control-allow-origin')).toBeNull();
    },
  );
});
