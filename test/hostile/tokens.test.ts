/** Every text that must not pass for a token, presented to every route that takes one, on both stores. */
import { afterAll, beforeAll, describe, expect, test } from '@jest/globals';
import { createServer, type Server } from 'node:http';
import { KeyRingStore } from '../../src/keys/key-ring.js';
import { partsOf, signHmac, signRsa, type Json } from '../e2e/token-parts.js';
import { useService } from '../e2e/use-service.js';
import { STORES } from '../support/test-service.js';
import { CLAIM_VECTORS, CONFUSED_VECTORS, SHAPE_VECTORS } from './claim-vectors.js';
import { headerVectors } from './header-vectors.js';
import { SIGNATURE_VECTORS } from './signature-vectors.js';
import { expectRefusedEverywhere, makeKit, type Kit, type Vector } from './token-kit.js';
import { looseEnds, respell } from './token-spellings.js';

describe.each(STORES)('hostile tokens on $name', ({ prepare }) => {
  // Tokens that live through the whole suite, whose clock is turned on by each test.
  const service = useService(prepare, { ACCESS_TOKEN_TTL_SECONDS: '86400' });
  let kit: Kit;
  /** Where `jku` and `x5u` point. */
  let bait: Server;
  let baitTaken = 0;

  beforeAll(async () => {
    kit = await makeKit(service());
    bait = createServer((_request, response) => {
      baitTaken++;
      response.end('{"keys":[]}');
    });
    await new Promise<void>((listening) => bait.listen(0, '127.0.0.1', listening));
  });

  afterAll(() => {
    bait.close();
  });

  const baitUrl = (): string => {
    const address = bait.address();
    return `http://127.0.0.1:${typeof address === 'object' ? address?.port : ''}`;
  };

  /** What the store and the replica hold: refused requests leave nothing behind. */
  const footprint = async () => {
    const { body } = await service().call<string>('GET', '/metrics');
    const list = await service().call<{ sessions: object[] }>(
      'GET',
      `/sessions?tenant_id=${kit.acme.tenantId}&user_id=alice`,
      { apiKey: kit.acme.apiKey },
    );
    const keys = await service().asPlatform('GET', `/tenants/${kit.acme.tenantId}/keys`);
    return {
      revocations: /^revocation_replica_entries (\d+)$/m.exec(body)?.[1],
      sessions: list.body.sessions,
      keys: keys.body,
    };
  };

  test('what is forged like the real thing is the real thing: the others fail for their own reasons', async () => {
    expect(kit.access()).toBe(kit.session.access_token);
    expect(kit.refresh()).toBe(kit.session.refresh_token);
    expect((await service().validate(kit.acme, kit.access())).status).toBe(200);
  });

  const groups: [string, readonly Vector[]][] = [
    ['algorithms and signatures', SIGNATURE_VECTORS],
    ['headers', headerVectors(baitUrl)],
    ['claims', CLAIM_VECTORS],
    ['kinds and tenants', CONFUSED_VECTORS],
    ['serialisations', SHAPE_VECTORS],
  ];

  describe.each(groups)('%s', (_, vectors) => {
    let before: object;

    beforeAll(async () => {
      before = await footprint();
    });

    test.each(vectors.map((vector) => [vector.name, vector] as const))('%s', async (_name, vector) => {
      await expectRefusedEverywhere(service(), kit.acme, await vector.tokens(kit), vector);
    });

    test('leave nothing behind', async () => {
      expect(await footprint()).toEqual(before);
    });
  });

  test('leave no series of their own in the metrics', async () => {
    const { body } = await service().call<string>('GET', '/metrics');
    const labels = new Set([...body.matchAll(/tenant_id="([^"]*)"/g)].map(([, tenantId = '']) => tenantId));
    // The process has the series of every service that was started in it: those of tenants that were made.
    expect([...labels].filter((label) => label !== 'other' && !/^t-[0-9a-f]{12}$/.test(label))).toEqual([]);
    // An answer is one of the table, whatever was sent.
    const words = [...body.matchAll(/(?:result|outcome|error)="([^"]*)"/g)].map(([, word = '']) => word);
    expect(words.filter((word) => !/^[a-z_]{1,40}$/.test(word))).toEqual([]);
  });

  test('nobody fetches what a header points to', () => {
    expect(baitTaken).toBe(0);
  });

  describe('spellings', () => {
    test('of good tokens are refused, all but one', async () => {
      const { access_token: access, refresh_token: refresh } = kit.session;
      const signature = access.split('.')[2] ?? '';
      expect(looseEnds(signature)).toHaveLength(15);
      const bytes = [signature, ...looseEnds(signature)].map((text) =>
        Buffer.from(text, 'base64url').toString('hex'),
      );
      expect(new Set(bytes).size).toBe(1);
      // Letters put behind a signature or cut off it may leave a canonical text: then it is another signature.
      for (const spelling of [...respell(access), ...respell(refresh)]) {
        const answers = await Promise.all([
          service().validate(kit.acme, spelling),
          service().validate(kit.acme, spelling, 'store'),
          service().refresh(kit.acme, spelling),
          service().revoke(kit.acme, spelling),
        ]);
        for (const { status, body } of answers) {
          expect({ spelling, status, error: body['error'] }).toEqual({
            spelling,
            status: 401,
            error: expect.stringMatching(/^invalid_(token|signature)$/),
          });
        }
      }
      await expectRefusedEverywhere(
        service(),
        kit.acme,
        looseEnds(signature).map((text) => access.replace(signature, text)),
      );
      expect((await service().validate(kit.acme, access)).status).toBe(200);
    });

    test('of revoked tokens do not bring them back', async () => {
      const { acme } = kit;
      const other = await service().createSession(acme, { user_id: 'bob' });
      const { access_token: access, refresh_token: refresh } = other;
      await service().revoke(acme, access, { only_this_token: true });
      const expectDead = async () => {
        expect(await service().validate(acme, access)).toMatchObject({ body: { error: 'token_revoked' } });
        for (const spelling of respell(access)) {
          expect((await service().validate(acme, spelling)).status).toBe(401);
        }
      };
      await expectDead();
      await service().revoke(acme, refresh);
      await expectDead();
      for (const spelling of [refresh, ...respell(refresh)]) {
        expect((await service().refresh(acme, spelling)).status).toBe(401);
      }
    });

    test('that were signed again are still the same token to a revocation', async () => {
      const other = await service().createSession(kit.acme, { user_id: 'bob' });
      const { header, claims } = partsOf(other.access_token);
      const spaced = signRsa(
        JSON.stringify(header, null, 1),
        JSON.stringify(claims, null, 1),
        kit.keys.privateKey,
      );
      expect((await service().validate(kit.acme, spaced)).status).toBe(200);
      await service().revoke(kit.acme, other.access_token, { only_this_token: true });
      expect(await service().validate(kit.acme, spaced)).toMatchObject({ body: { error: 'token_revoked' } });
    });
  });

  describe('time', () => {
    test('has not come for tokens of the future, which can be revoked all the same', async () => {
      const { session_id: id } = await service().createSession(kit.acme, { user_id: 'dave' });
      const later = kit.nowSeconds() + 6;
      for (const token of [
        kit.access({}, { nbf: later, sid: id }),
        kit.access({}, { iat: later, sid: id }),
      ]) {
        for (const check of ['replica', 'store', 'skip']) {
          expect(await service().validate(kit.acme, token, check)).toMatchObject({
            status: 401,
            body: { valid: false, error: 'invalid_token', action: 'reauthenticate' },
          });
        }
      }
      const refresh = kit.refresh({}, { iat: later, sid: id });
      expect(await service().refresh(kit.acme, refresh)).toMatchObject({ body: { error: 'invalid_token' } });
      expect((await service().revoke(kit.acme, refresh)).status).toBe(204);
    });

    test('is over exactly at exp', async () => {
      for (const exp of [0, 1, kit.nowSeconds() - 1]) {
        const { status, body } = await service().validate(kit.acme, kit.access({}, { exp }), 'store');
        expect({ status, ...body }).toMatchObject({ status: 401, error: 'token_expired', action: 'refresh' });
      }
      const now = kit.nowSeconds();
      expect((await service().validate(kit.acme, kit.access({}, { exp: now }))).status).toBe(401);
      expect((await service().validate(kit.acme, kit.access({}, { exp: now + 1 }))).status).toBe(200);
      const { status, body } = await service().refresh(kit.acme, kit.refresh({}, { exp: now }));
      expect({ status, ...body }).toMatchObject({
        status: 401,
        error: 'token_expired',
        action: 'reauthenticate',
      });
    });
  });

  describe('sessions', () => {
    test('that never were are refused by whoever asks the store', async () => {
      const sid = 'A'.repeat(26);
      expect(await service().validate(kit.acme, kit.access({}, { sid }), 'store')).toMatchObject({
        status: 401,
        body: { valid: false, error: 'invalid_token' },
      });
      expect(await service().refresh(kit.acme, kit.refresh({}, { sid }))).toMatchObject({
        status: 401,
        body: { error: 'refresh_token_not_found', action: 'reauthenticate' },
      });
    });

    test('whose refresh token we signed but never issued are ended: it is reuse', async () => {
      const victim = await service().createSession(kit.acme, { user_id: 'carol' });
      const { header, claims } = partsOf(victim.refresh_token);
      const token = signHmac(
        header,
        { ...claims, jti: '00000000-0000-4000-8000-000000000000' },
        kit.keys.refreshSecret,
      );
      expect(await service().refresh(kit.acme, token)).toMatchObject({
        status: 401,
        body: { error: 'refresh_token_reused', action: 'reauthenticate' },
      });
      expect((await service().validate(kit.acme, victim.access_token)).status).toBe(401);
    });
  });

  describe('tenants', () => {
    test('look a kid up among their own keys, even when two have the same', async () => {
      const twin = await service().tenant();
      const store = service().app.get(KeyRingStore);
      const ring = await store.find(twin.tenantId);
      if (!ring) throw new Error('the tenant has no keys');
      const signingKeys = ring.signingKeys.map((key) => ({ ...key, kid: kit.keys.kid }));
      expect(await store.replace({ ...ring, signingKeys, version: ring.version + 1 })).toBe('replaced');
      const jwks = await service().call<{ keys: Json[] }>('GET', `/tenants/${twin.tenantId}/jwks`);
      expect(jwks.body.keys.map((key) => key['kid'])).toEqual([kit.keys.kid]);

      const ofTwin = { tenant_id: twin.tenantId, iss: `http://localhost:3000/tenants/${twin.tenantId}` };
      await expectRefusedEverywhere(service(), twin, [kit.access({}, ofTwin)], {
        error: 'invalid_signature',
      });
      await expectRefusedEverywhere(service(), twin, [kit.session.access_token]);
      expect((await service().validate(kit.acme, kit.session.access_token)).status).toBe(200);
    });

    test('that do not exist are answered like others', async () => {
      const nobody = { tenant_id: 'nobody', iss: 'http://localhost:3000/tenants/nobody' };
      const nowhere = kit.access({}, nobody, kit.attacker.privateKey);
      const answers = [
        await service().validate(kit.acme, kit.sessionOfBravo.access_token),
        await service().validate(kit.acme, nowhere),
      ].map(({ status, body }) => ({ status, body: { ...body, request_id: '' } }));
      expect(answers[0]).toEqual(answers[1]);
    });
  });

  describe('keys', () => {
    test('that retired still verify; one that was killed does not, and neither does a later epoch', async () => {
      const tenant = await service().tenant();
      const keysPath = `/tenants/${tenant.tenantId}/keys`;
      const first = await service().createSession(tenant);
      await service().asPlatform('POST', `${keysPath}/rotate?now=true`);
      const second = await service().createSession(tenant);
      expect(partsOf(second.access_token).header['kid']).not.toBe(partsOf(first.access_token).header['kid']);
      for (const { access_token: token } of [first, second]) {
        expect((await service().validate(tenant, token)).status).toBe(200);
      }
      await service().asPlatform(
        'DELETE',
        `${keysPath}/${String(partsOf(first.access_token).header['kid'])}`,
      );
      for (const check of ['replica', 'store', 'skip']) {
        expect(await service().validate(tenant, first.access_token, check)).toMatchObject({
          status: 401,
          body: { valid: false, error: 'token_revoked', action: 'reauthenticate' },
        });
      }
      expect((await service().validate(tenant, second.access_token)).status).toBe(200);
      await service().asPlatform('POST', `/tenants/${tenant.tenantId}/revoke-all`, { reason: 'admin' });
      for (const check of ['replica', 'store', 'skip']) {
        expect((await service().validate(tenant, second.access_token, check)).body).toMatchObject({
          error: 'token_revoked',
        });
      }
      expect((await service().refresh(tenant, second.refresh_token)).status).toBe(401);
    });
  });

  test('a megabyte is refused unread, and in a batch it is one token that is not good', async () => {
    const tokens = ['x', '.', 'A.', `${kit.session.access_token}.`].map((text) =>
      text.repeat(Math.ceil(1_000_000 / text.length)),
    );
    for (const token of tokens) {
      for (const answer of [
        await service().validate(kit.acme, token),
        await service().refresh(kit.acme, token),
        await service().revoke(kit.acme, token),
      ]) {
        expect(answer).toMatchObject({ status: 413, body: { error: 'payload_too_large' } });
      }
      const batch = { tokens: [token], reason: 'admin' };
      expect(await service().post(kit.acme, '/sessions/revoke-batch', batch)).toMatchObject({
        status: 200,
        body: { results: [{ status: 'refused', error: 'invalid_token' }] },
      });
    }
  });

  test('nothing that is not text is a token', async () => {
    for (const token of [7, null, true, [], [kit.session.access_token], {}, { toString: 'x' }]) {
      for (const [path, member, more] of [
        ['/sessions/validate', 'access_token', {}],
        ['/sessions/refresh', 'refresh_token', {}],
        ['/sessions/revoke', 'token', { reason: 'admin' }],
        ['/sessions/revoke-batch', 'tokens', { reason: 'admin' }],
      ] as const) {
        const value = path.endsWith('batch') ? [token] : token;
        const answer = await service().post(kit.acme, path, { [member]: value, ...more });
        expect(answer).toMatchObject({
          status: 400,
          body: { error: 'invalid_request', action: 'fix_request' },
        });
      }
    }
  });

  test('the sessions that all of this was about are alive', async () => {
    expect((await service().validate(kit.acme, kit.session.access_token)).status).toBe(200);
    expect((await service().refresh(kit.acme, kit.session.refresh_token)).status).toBe(200);
    expect((await service().validate(kit.bravo, kit.sessionOfBravo.access_token)).status).toBe(200);
    expect((await service().refresh(kit.bravo, kit.sessionOfBravo.refresh_token)).status).toBe(200);
  });
});
