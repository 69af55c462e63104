/** What every gateway must do with a request, whichever it is: each is tried with this. */
import { afterAll, beforeAll, describe, expect, test } from '@jest/globals';
import { rawRequest } from '../e2e/raw-http.js';
import { useService } from '../e2e/use-service.js';
import { eventually } from '../support/eventually.js';
import { RedisServer } from '../support/redis-server.js';
import { SOON_OUT, STORES, TestService, type TestTenant } from '../support/test-service.js';
import { Application, type Received } from './application.js';
import { Gateway, type GatewayKind } from './gateway.js';

const portOf = ({ url }: TestService): number => Number(new URL(url).port);
const bearer = (token: string) => ({ authorization: `Bearer ${token}` });

/** What a client would like to be. */
const SPOOFED = {
  'x-session-user': 'admin',
  'x-session-tenant': 'other',
  'x-session-id': 'forged',
  'x-session-scope': 'everything',
  'x-session-checked': 'store',
  'x-session-error': 'none',
};
/** Applications that read headers from their environment cannot tell these from the others. */
const SPOOFED_UNDERSCORED = Object.fromEntries(
  Object.entries(SPOOFED).map(([name, value]) => [name.replaceAll('-', '_'), value]),
);

export function behavesAsGateway(kind: GatewayKind): void {
  describe.each(STORES)(`${kind.name} in front of an application, with $name`, ({ prepare }) => {
    const service = useService(prepare);
    let application: Application;
    let gateway: Gateway;
    let acme: TestTenant;

    const startWith = (apiKey: string) =>
      Gateway.start(kind, { apiKey, servicePort: portOf(service()), applicationPort: application.port });

    beforeAll(async () => {
      application = await Application.start();
      acme = await service().tenant();
      gateway = await startWith(acme.apiKey);
    });
    afterAll(async () => {
      await gateway.stop();
      await application.stop();
    });

    const ask = async (path: string, headers: Record<string, string> = {}, more: RequestInit = {}) => {
      const answer = await fetch(gateway.url + path, { headers, ...more });
      const text = await answer.text();
      return { status: answer.status, headers: answer.headers, text };
    };
    const received = async (path: string, headers: Record<string, string>, more: RequestInit = {}) => {
      const { status, text } = await ask(path, headers, more);
      expect({ status, text }).toMatchObject({ status: 200 });
      return JSON.parse(text) as Received;
    };
    const identityOf = ({ headers }: Received) =>
      Object.fromEntries(
        Object.entries(headers)
          .map(([name, value]) => [name.replaceAll('_', '-'), value] as const)
          .filter(([name]) => name.startsWith('x-session-')),
      );

    test('passes a request with a good token on, with who it is', async () => {
      const session = await service().createSession(acme, { user_id: 'Zoë "1"', scope: 'read write' });
      const got = await received('/orders?a=1', bearer(session.access_token), {
        method: 'POST',
        body: 'hello',
      });
      expect(got).toMatchObject({ method: 'POST', url: '/orders?a=1', body: 'hello' });
      expect(identityOf(got)).toEqual({
        'x-session-user': encodeURIComponent('Zoë "1"'),
        'x-session-tenant': acme.tenantId,
        'x-session-id': session.session_id,
        'x-session-scope': 'read write',
        'x-session-checked': 'replica',
      });
      expect(JSON.stringify(got)).not.toContain(acme.apiKey);
    });

    test('never passes on who a client says that it is', async () => {
      const session = await service().createSession(acme, { scope: '' });
      for (const spoofed of [SPOOFED, SPOOFED_UNDERSCORED]) {
        const got = await received('/', { ...bearer(session.access_token), ...spoofed });
        const { 'x-session-scope': scope = '', ...identity } = identityOf(got);
        expect(scope).toBe('');
        expect(identity).toEqual({
          'x-session-user': 'alice',
          'x-session-tenant': acme.tenantId,
          'x-session-id': session.session_id,
          'x-session-checked': 'replica',
        });
      }
      expect((await ask('/', SPOOFED)).status).toBe(401);
    });

    test('challenges a request without a token', async () => {
      const { status, headers } = await ask('/');
      expect(status).toBe(401);
      expect(headers.get('www-authenticate')).toBe(`Bearer realm="${acme.tenantId}"`);
    });

    test('refuses a revoked token from the next request on, and says which error it is', async () => {
      const { access_token: token } = await service().createSession(acme);
      await received('/', bearer(token));
      await service().revoke(acme, token);
      const { status, headers, text } = await ask('/', bearer(token));
      expect(status).toBe(401);
      expect(headers.get('www-authenticate')).toBe(
        `Bearer realm="${acme.tenantId}", error="invalid_token", error_description="The token has been revoked."`,
      );
      expect(JSON.parse(text)).toEqual({ error: 'token_revoked' });
    });

    test('lets no client choose how its token is checked', async () => {
      const { access_token: token } = await service().createSession(acme);
      await service().revoke(acme, token);
      for (const path of [
        '/?revocation_check=skip',
        '/a?scope=x&revocation_check=skip',
        '/%3Frevocation_check=skip',
      ]) {
        expect((await ask(path, bearer(token))).status).toBe(401);
      }
    });

    test('does not let two tokens through', async () => {
      const { access_token: token } = await service().createSession(acme);
      const { access_token: other } = await service().createSession(acme, { user_id: 'bob' });
      const lines = [token, other].map((text) => `authorization: Bearer ${text}\r\n`).join('');
      const head = `GET / HTTP/1.1\r\nhost: x\r\nconnection: close\r\n${lines}\r\n`;
      expect([400, 401]).toContain((await rawRequest(gateway.url, head)).status);
    });

    test('passes on what the application itself answers', async () => {
      const { access_token: token } = await service().createSession(acme);
      for (const status of [401, 403, 404, 500, 503]) {
        const answer = await ask(`/status/${status}`, bearer(token));
        expect(answer).toMatchObject({ status, text: expect.stringContaining('"method":"GET"') });
      }
    });

    test('answers 403 while the tenant is suspended', async () => {
      const { access_token: token } = await service().createSession(acme);
      await service().asPlatform('PATCH', `/tenants/${acme.tenantId}`, { status: 'suspended' });
      expect((await ask('/', bearer(token))).status).toBe(403);
      await service().asPlatform('PATCH', `/tenants/${acme.tenantId}`, { status: 'active' });
      expect((await ask('/', bearer(token))).status).toBe(200);
    });

    test('logs nobody out when its own API key is refused', async () => {
      const { access_token: token } = await service().createSession(acme);
      const stranger = await startWith(`${acme.apiKey.slice(0, -64)}${'0'.repeat(64)}`);
      const { status, headers } = await fetch(stranger.url, { headers: bearer(token) });
      expect([status, headers.get('www-authenticate')]).toEqual([503, null]);
      await stranger.stop();
    });
  });

  test(`${kind.name} answers 503 when the store is out, and when the service is`, async () => {
    const redis = await RedisServer.start();
    const service = await TestService.start({ STORE_URL: redis.url, ...SOON_OUT });
    const application = await Application.start();
    const tenant = await service.tenant({ on_store_outage: 'refuse' });
    const { access_token: token } = await service.createSession(tenant);
    const gateway = await Gateway.start(kind, {
      apiKey: tenant.apiKey,
      servicePort: portOf(service),
      applicationPort: application.port,
    });
    const ask = async () => {
      const { status, headers } = await fetch(gateway.url, { headers: bearer(token) });
      return { status, retryAfter: headers.get('retry-after'), challenge: headers.get('www-authenticate') };
    };
    const out = { status: 503, retryAfter: expect.stringMatching(/^\d+$/), challenge: null };
    expect((await ask()).status).toBe(200);
    await redis.stop();
    expect(await eventually(ask, ({ status }) => status !== 200)).toEqual(out);
    await service.stop();
    expect(await ask()).toEqual(out);
    await gateway.stop();
    await application.stop();
  });
}
