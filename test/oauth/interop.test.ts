/** Clients that others wrote, against the service as it is built: nothing here knows its addresses but the issuer. */
import { afterAll, beforeAll, describe, expect, test } from '@jest/globals';
import { createRemoteJWKSet, errors, jwtVerify } from 'jose';
import * as client from 'openid-client';
import { freePort } from '../support/redis-server.js';
import { ADMIN_API_KEY, type Tokens } from '../support/test-service.js';
import { buildOnce, ServiceProcess } from '../support/service-process.js';
import { clientOf } from './oauth-calls.js';

const TENANT = 'acme';

describe('a client of others', () => {
  let service: ServiceProcess;
  let issuer: string;
  let apiKey: string;

  const call = async <T>(method: string, path: string, key: string, body?: unknown): Promise<T> => {
    const answer = await fetch(service.url + path, {
      method,
      headers: { 'x-api-key': key, ...(body === undefined ? {} : { 'content-type': 'application/json' }) },
      ...(body === undefined ? {} : { body: JSON.stringify(body) }),
    });
    return (answer.status === 204 ? undefined : await answer.json()) as T;
  };
  const newSession = () =>
    call<Tokens>('POST', '/sessions', apiKey, { tenant_id: TENANT, user_id: 'alice', scope: 'read write' });

  beforeAll(async () => {
    buildOnce();
    const port = await freePort();
    const root = `http://127.0.0.1:${port}`;
    service = await ServiceProcess.start({ PORT: String(port), PUBLIC_URL: root });
    issuer = `${root}/tenants/${TENANT}`;
    const made = await call<{ api_key: string }>('POST', '/tenants', ADMIN_API_KEY, { tenant_id: TENANT });
    apiKey = made.api_key;
  });
  afterAll(() => service.stop());

  describe.each([
    ['client_secret_basic', client.ClientSecretBasic],
    ['client_secret_post', client.ClientSecretPost],
  ] as const)('openid-client with %s', (_, authentication) => {
    /** By RFC 8414, from the issuer alone. */
    const discover = (algorithm: 'oauth2' | 'oidc' = 'oauth2') => {
      const { id, secret } = clientOf({ apiKey });
      return client.discovery(new URL(issuer), id, { client_secret: secret }, authentication(secret), {
        algorithm,
        execute: [client.allowInsecureRequests],
      });
    };

    test.each(['oauth2', 'oidc'] as const)('discovers the issuer, as %s', async (algorithm) => {
      const metadata = (await discover(algorithm)).serverMetadata();
      expect(metadata).toMatchObject({ issuer, grant_types_supported: ['refresh_token'] });
      // No claim to be more than it is.
      expect(metadata).not.toHaveProperty('authorization_endpoint');
      expect(metadata).not.toHaveProperty('id_token_signing_alg_values_supported');
    });

    test('refreshes, again and again', async () => {
      const config = await discover();
      const { refresh_token: first } = await newSession();
      const second = await client.refreshTokenGrant(config, first);
      expect(second).toMatchObject({ token_type: 'bearer', expires_in: 900, scope: 'read write' });
      const third = await client.refreshTokenGrant(config, second.refresh_token ?? '', { scope: 'read' });
      expect(third.access_token).not.toBe(second.access_token);
    });

    test('hears invalid_grant of a token that was revoked, and invalid_client of a wrong secret', async () => {
      const config = await discover();
      const { refresh_token: token } = await newSession();
      await client.tokenRevocation(config, token, { token_type_hint: 'refresh_token' });
      await expect(client.refreshTokenGrant(config, token)).rejects.toMatchObject({
        status: 400,
        error: 'invalid_grant',
        error_description: 'The token has been revoked.',
        cause: { code: 'token_revoked', action: 'reauthenticate' },
      });
      const wrong = new client.Configuration(
        config.serverMetadata(),
        clientOf({ apiKey }).id,
        undefined,
        authentication('wrong'),
      );
      client.allowInsecureRequests(wrong);
      const refused = await client.refreshTokenGrant(wrong, token).catch((error: unknown) => error);
      // oauth4webapi tells a challenge before it looks at the body.
      expect(refused).toMatchObject({ status: 401 });
    });

    test('introspects, and revokes', async () => {
      const config = await discover();
      const { access_token: token, session_id: sid } = await newSession();
      expect(await client.tokenIntrospection(config, token)).toMatchObject({
        active: true,
        iss: issuer,
        sub: 'alice',
        aud: TENANT,
        scope: 'read write',
        token_type: 'Bearer',
        sid,
      });
      await client.tokenRevocation(config, token);
      expect(await client.tokenIntrospection(config, token)).toEqual({ active: false });
      await client.tokenRevocation(config, 'nonsense');
    });
  });

  describe('jose', () => {
    /** As a resource server does it: keys from where the metadata says that they are. */
    const keys = async () => {
      const found = await fetch(
        issuer.replace('/tenants/', '/.well-known/oauth-authorization-server/tenants/'),
      );
      const { jwks_uri: uri } = (await found.json()) as { jwks_uri: string };
      return createRemoteJWKSet(new URL(uri), { cooldownDuration: 0 });
    };
    const expected = () => ({ issuer: issuer, audience: TENANT, typ: 'at+jwt', algorithms: ['RS256'] });

    test('verifies an access token with the remote keys, also those that come with a rotation', async () => {
      const set = await keys();
      const { access_token: token } = await newSession();
      const { payload, protectedHeader } = await jwtVerify(token, set, expected());
      expect(payload).toMatchObject({ sub: 'alice', tenant_id: TENANT, scope: 'read write' });
      await call('POST', `/tenants/${TENANT}/keys/rotate?now=true`, ADMIN_API_KEY);
      const { access_token: next } = await newSession();
      const verified = await jwtVerify(next, set, expected());
      expect(verified.protectedHeader.kid).not.toBe(protectedHeader.kid);
      await jwtVerify(token, set, expected());
    });

    test('refuses refresh tokens, and tokens of another issuer or audience', async () => {
      const set = await keys();
      const { access_token: token, refresh_token: refresh } = await newSession();
      await expect(jwtVerify(refresh, set, expected())).rejects.toBeInstanceOf(errors.JOSEAlgNotAllowed);
      await expect(jwtVerify(token, set, { ...expected(), audience: 'other' })).rejects.toMatchObject({
        claim: 'aud',
      });
      await expect(jwtVerify(token, set, { ...expected(), issuer: `${issuer}x` })).rejects.toMatchObject({
        claim: 'iss',
      });
    });
  });
});
