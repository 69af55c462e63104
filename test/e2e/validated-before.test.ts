/** A token whose signature is known to be good is looked at as strictly as one that is seen for the first time. */
import { beforeEach, describe, expect, test } from '@jest/globals';
import jwt from 'jsonwebtoken';
import { STORES, type TestTenant, type Tokens } from '../support/test-service.js';
import { partsOf } from './token-parts.js';
import { useService } from './use-service.js';

const CHECKS = ['replica', 'store', 'skip'] as const;

describe.each(STORES)('a token that was validated before, on $name', ({ prepare }) => {
  const service = useService(prepare);
  let tenant: TestTenant;
  let session: Tokens;

  const answersOf = (to: TestTenant, token: string) =>
    Promise.all(
      CHECKS.map(async (check) => {
        const { status, body } = await service().validate(to, token, check);
        return status === 200 ? 'valid' : String(body['error']);
      }),
    );
  const answers = () => answersOf(tenant, session.access_token);

  beforeEach(async () => {
    tenant = await service().tenant({ access_token_ttl_seconds: 60 });
    session = await service().createSession(tenant);
    expect(await answers()).toEqual(['valid', 'valid', 'valid']);
    expect(await answers()).toEqual(['valid', 'valid', 'valid']);
  });

  test('expires on the millisecond', async () => {
    service().clock.advanceSeconds(59.999);
    expect(await answers()).toEqual(['valid', 'valid', 'valid']);
    service().clock.advanceSeconds(0.001);
    expect(await answers()).toEqual(['token_expired', 'token_expired', 'token_expired']);
  });

  test('is not of today when the clock is turned back before its birth', async () => {
    service().clock.advanceSeconds(-6);
    expect(await answers()).toEqual(['invalid_token', 'invalid_token', 'invalid_token']);
    service().clock.advanceSeconds(6);
  });

  test('is revoked with its session', async () => {
    await service().revoke(tenant, session.refresh_token);
    expect(await answers()).toEqual(['token_revoked', 'token_revoked', 'valid']);
  });

  test('is revoked alone', async () => {
    await service().revoke(tenant, session.access_token, { only_this_token: true });
    expect(await answers()).toEqual(['token_revoked', 'token_revoked', 'valid']);
  });

  test('dies with the key that signed it', async () => {
    const { kid } = partsOf(session.access_token).header;
    await service().asPlatform('DELETE', `/tenants/${tenant.tenantId}/keys/${String(kid)}`);
    expect(await answers()).toEqual(['token_revoked', 'token_revoked', 'token_revoked']);
  });

  test('dies with the epoch', async () => {
    await service().asPlatform('POST', `/tenants/${tenant.tenantId}/revoke-all`, { reason: 'admin' });
    expect(await answers()).toEqual(['token_revoked', 'token_revoked', 'token_revoked']);
  });

  test('is nothing to another tenant', async () => {
    const other = await service().tenant();
    const refused = ['invalid_token', 'invalid_token', 'invalid_token'];
    expect(await answersOf(other, session.access_token)).toEqual(refused);
    expect(await answers()).toEqual(['valid', 'valid', 'valid']);
  });

  test('lends its good name to no other spelling of it', async () => {
    const { access_token: token } = session;
    const [header = '', payload = '', signature = ''] = token.split('.');
    const spellings = [`${token}=`, `${token}\n`, ` ${token}`, `${token}.`, `${header}.${payload}.`];
    for (const spelling of [...spellings, `${header}.${payload}.${signature.toLowerCase()}`]) {
      expect((await answersOf(tenant, spelling))[0]).toMatch(/^invalid_(token|signature)$/);
    }
  });
});

describe('access tokens', () => {
  const service = useService(async () => ({
    env: { STORE_URL: 'sqlite::memory:' },
    dispose: async () => {},
  }));

  test('are, byte for byte, in the form that jsonwebtoken gives them', async () => {
    const tenant = await service().tenant();
    const { access_token: token } = await service().createSession(tenant, { metadata: { name: 'Zoë' } });
    const { header, claims } = partsOf(token);
    const unsigned = jwt.sign(claims, 'any secret of thirty-two characters', {
      algorithm: 'HS256',
      header: { ...header, alg: 'HS256' } as unknown as jwt.JwtHeader,
    });
    expect(token.split('.')[1]).toBe(unsigned.split('.')[1]);
    expect(Object.keys(header)).toEqual(['alg', 'typ', 'kid']);
  });
});
