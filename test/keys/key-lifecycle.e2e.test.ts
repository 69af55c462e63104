/** The life of a tenant's keys over HTTP. */
import { beforeEach, describe, expect, test } from '@jest/globals';
import { errors } from 'jose';
import { KeyRingStore, PUBLISH_LEAD_MS, type KeyRing } from '../../src/keys/key-ring.js';
import { useService } from '../e2e/use-service.js';
import { STORES, TestService, type TestTenant } from '../support/test-service.js';
import {
  activeKid,
  fetchJwks,
  kidOf,
  kill,
  listKeys,
  publishedKids,
  rotate,
  statesOf,
  verifyWith,
} from './key-calls.js';

const LEAD_SECONDS = PUBLISH_LEAD_MS / 1000;
const DAY_SECONDS = 86_400;
/** The longest life of an access token, and the minute by which clocks may differ. */
const RETIRED_SECONDS = DAY_SECONDS + 60;
const REVOKED = { status: 401, body: { valid: false, error: 'token_revoked', action: 'reauthenticate' } };

describe.each(STORES)('the keys of a tenant on $name', ({ prepare }) => {
  const service = useService(prepare);
  let acme: TestTenant;
  let first: string;

  beforeEach(async () => {
    acme = await service().tenant();
    first = await activeKid(service(), acme);
  });

  const nowSeconds = (): number => service().clock.nowMs() / 1000;
  const sign = async (): Promise<string> => (await service().createSession(acme)).access_token;

  /** @returns the kid of the key that was just published */
  async function publishNext(query = ''): Promise<string> {
    const { body } = await rotate(service(), acme, query);
    return body.keys.at(-1)?.kid ?? '';
  }

  /** What must hold of a killed key, whatever state it was in. */
  async function expectDead(kid: string, tokens: readonly string[]): Promise<void> {
    expect(await publishedKids(service(), acme)).not.toContain(kid);
    expect((await statesOf(service(), acme))[kid]).toBe('revoked');
    const keySet = (await fetchJwks(service(), acme)).body;
    for (const token of tokens) {
      for (const check of ['replica', 'store', 'skip']) {
        expect(await service().validate(acme, token, check)).toMatchObject(REVOKED);
      }
      await expect(verifyWith(keySet, token, service().clock.nowMs())).rejects.toThrow(
        errors.JWKSNoMatchingKey,
      );
    }
  }

  describe('when they are rotated', () => {
    test('are published before they sign, and the old one signs until then', async () => {
      const answer = await rotate(service(), acme);
      const activatesAt = nowSeconds() + LEAD_SECONDS;
      expect(answer).toMatchObject({
        status: 200,
        body: {
          epoch: 1,
          keys: [
            {
              kid: first,
              state: 'active',
              activates_at: nowSeconds(),
              retires_at: activatesAt,
              expires_at: activatesAt + RETIRED_SECONDS,
            },
            { state: 'next', epoch: 1, activates_at: activatesAt, retires_at: null, expires_at: null },
          ],
        },
      });
      const next = answer.body.keys[1]?.kid;
      expect(await publishedKids(service(), acme)).toEqual([first, next]);
      expect(kidOf(await sign())).toBe(first);
      service().clock.advanceSeconds(LEAD_SECONDS - 1);
      expect(kidOf(await sign())).toBe(first);
      service().clock.advanceSeconds(1);
      expect(kidOf(await sign())).toBe(next);
      expect(await statesOf(service(), acme)).toEqual({ [first]: 'retired', [String(next)]: 'active' });
    });

    test('verify what they signed for as long as it lives, and are gone after that', async () => {
      await service().asPlatform('PATCH', `/tenants/${acme.tenantId}`, {
        access_token_ttl_seconds: DAY_SECONDS,
      });
      const next = await publishNext();
      service().clock.advanceSeconds(LEAD_SECONDS - 1);
      const last = await sign();
      expect(kidOf(last)).toBe(first);
      service().clock.advanceSeconds(DAY_SECONDS - 1);
      expect((await service().validate(acme, last)).status).toBe(200);
      await verifyWith((await fetchJwks(service(), acme)).body, last, service().clock.nowMs());
      service().clock.advanceSeconds(60 + 1);
      expect(await publishedKids(service(), acme)).toEqual([first, next]);
      service().clock.advanceSeconds(1);
      expect(await publishedKids(service(), acme)).toEqual([next]);
      expect(await statesOf(service(), acme)).toEqual({ [next]: 'active' });
    });

    test('are not published again while one is about to sign', async () => {
      const answers = [await rotate(service(), acme), await rotate(service(), acme, '?now=false')];
      service().clock.advanceSeconds(60);
      answers.push(await rotate(service(), acme));
      expect(answers.map(({ status }) => status)).toEqual([200, 200, 200]);
      const [one, ...others] = answers.map(({ body }) => body);
      for (const other of others) expect(other).toEqual(one);
    });

    test('are published once by calls at the same time', async () => {
      const answers = await Promise.all([1, 2, 3, 4, 5].map(() => rotate(service(), acme)));
      expect(new Set(answers.map(({ body }) => JSON.stringify(body))).size).toBe(1);
      expect((await listKeys(service(), acme)).body.keys).toHaveLength(2);
    });

    test('sign at once with ?now=true', async () => {
      const next = await publishNext('?now=true');
      expect(await statesOf(service(), acme)).toEqual({ [first]: 'retired', [next]: 'active' });
      expect(kidOf(await sign())).toBe(next);
    });

    test('sign at once with ?now=true that were to sign later', async () => {
      const before = await sign();
      const next = await publishNext();
      const answer = await rotate(service(), acme, '?now=true');
      expect(answer.body.keys.map(({ kid, state }) => [kid, state])).toEqual([
        [first, 'retired'],
        [next, 'active'],
      ]);
      expect(answer.body.keys[0]).toMatchObject({
        retires_at: nowSeconds(),
        expires_at: nowSeconds() + RETIRED_SECONDS,
      });
      expect(kidOf(await sign())).toBe(next);
      expect((await service().validate(acme, before)).status).toBe(200);
    });

    test.each(['?now=yes', '?now=1', '?now=', '?later=true'])('take no other query: %s', async (query) => {
      expect(await rotate(service(), acme, query)).toMatchObject({
        status: 400,
        body: { error: 'invalid_request' },
      });
      expect((await listKeys(service(), acme)).body.keys).toHaveLength(1);
    });

    test('log nobody out', async () => {
      const session = await service().createSession(acme);
      await rotate(service(), acme, '?now=true');
      const refreshed = await service().refresh(acme, session.refresh_token);
      expect(refreshed.status).toBe(200);
      expect(kidOf(refreshed.body.access_token)).not.toBe(first);
      expect((await service().validate(acme, session.access_token)).status).toBe(200);
    });

    test('are refused with 429 while a hundred still verify, and taken again when one has gone', async () => {
      const store = service().app.get(KeyRingStore);
      const ring = (await store.find(acme.tenantId)) as KeyRing;
      const [key] = ring.signingKeys;
      const nowMs = service().clock.nowMs();
      const retired = Array.from({ length: 99 }, (_, n) => ({
        ...key!,
        kid: `retired-${n}`,
        retiresAtMs: nowMs,
        expiresAtMs: nowMs + (n + 1) * 1000,
      }));
      await store.replace({ ...ring, signingKeys: [...retired, key!], version: ring.version + 1 });
      for (const query of ['', '?now=true']) {
        expect(await rotate(service(), acme, query)).toMatchObject({
          status: 429,
          body: {
            error: 'rate_limited',
            error_description:
              'Too many keys of this tenant still verify; rotate again when older ones have expired.',
            action: 'retry',
            request_id: expect.any(String),
          },
        });
      }
      service().clock.advanceSeconds(1);
      expect((await rotate(service(), acme)).status).toBe(200);
    });
  });

  describe('when one is killed', () => {
    test('and alone, a new one signs at once, and sessions go on under it', async () => {
      const session = await service().createSession(acme);
      expect(await kill(service(), acme, first)).toMatchObject({ status: 204, body: undefined });
      await expectDead(first, [session.access_token]);
      const fresh = await activeKid(service(), acme);
      expect([first, 'none']).not.toContain(fresh);
      const refreshed = await service().refresh(acme, session.refresh_token);
      expect(refreshed.status).toBe(200);
      expect(kidOf(refreshed.body.access_token)).toBe(fresh);
      expect((await service().validate(acme, refreshed.body.access_token)).status).toBe(200);
      expect(kidOf(await sign())).toBe(fresh);
    });

    test('that signs while another is next, that one signs at once', async () => {
      const token = await sign();
      const next = await publishNext();
      await kill(service(), acme, first);
      await expectDead(first, [token]);
      expect(await statesOf(service(), acme)).toEqual({ [first]: 'revoked', [next]: 'active' });
      expect(kidOf(await sign())).toBe(next);
      service().clock.advanceSeconds(LEAD_SECONDS + 60);
      expect(kidOf(await sign())).toBe(next);
    });

    test('that is next, the active one goes on as if nothing had been planned', async () => {
      const token = await sign();
      const next = await publishNext();
      await kill(service(), acme, next);
      await expectDead(next, []);
      service().clock.advanceSeconds(LEAD_SECONDS + 60);
      expect(kidOf(await sign())).toBe(first);
      expect((await service().validate(acme, token)).status).toBe(200);
      expect((await listKeys(service(), acme)).body.keys[0]).toMatchObject({
        kid: first,
        state: 'active',
        retires_at: null,
        expires_at: null,
      });
    });

    test('that is retired, what it signed is revoked and nothing else changes', async () => {
      const old = await sign();
      const next = await publishNext('?now=true');
      const young = await sign();
      await kill(service(), acme, first);
      await expectDead(first, [old]);
      expect(await activeKid(service(), acme)).toBe(next);
      expect((await service().validate(acme, young)).status).toBe(200);
    });

    test('again, it is as dead as before', async () => {
      await kill(service(), acme, first);
      const before = (await listKeys(service(), acme)).body;
      expect((await kill(service(), acme, first)).status).toBe(204);
      expect((await listKeys(service(), acme)).body).toEqual(before);
    });

    test('it leaves the list when its last token would have expired', async () => {
      const token = await sign();
      await kill(service(), acme, first);
      service().clock.advanceSeconds(RETIRED_SECONDS - 1);
      expect((await statesOf(service(), acme))[first]).toBe('revoked');
      service().clock.advanceSeconds(1);
      expect(await statesOf(service(), acme)).not.toHaveProperty(first);
      expect((await kill(service(), acme, first)).status).toBe(404);
      expect(await service().validate(acme, token)).toMatchObject({ status: 401 });
    });

    test('by two calls at once, one new key takes its place', async () => {
      const answers = await Promise.all([1, 2, 3].map(() => kill(service(), acme, first)));
      expect(answers.map(({ status }) => status)).toEqual([204, 204, 204]);
      expect(Object.values(await statesOf(service(), acme))).toEqual(['revoked', 'active']);
    });

    test('that nobody knows, or another tenant owns, there is no such key', async () => {
      const globex = await service().tenant();
      const theirs = await activeKid(service(), globex);
      const { refreshSecrets } = (await service().app.get(KeyRingStore).find(acme.tenantId)) as KeyRing;
      const secret = String(refreshSecrets[0]?.kid);
      for (const kid of [theirs, secret, 'unknown', '__proto__', '*', 'x'.repeat(64)]) {
        expect(await kill(service(), acme, kid)).toMatchObject({
          status: 404,
          body: { error: 'not_found', action: 'fix_request' },
        });
      }
      const ours = { ...acme, tenantId: globex.tenantId };
      for (const kid of [theirs, first]) {
        expect(await kill(service(), ours, kid)).toMatchObject({
          status: 404,
          body: { error: 'tenant_not_found' },
        });
      }
      expect(await statesOf(service(), globex)).toEqual({ [theirs]: 'active' });
      expect(await statesOf(service(), acme)).toEqual({ [first]: 'active' });
    });
  });

  describe('as a key set', () => {
    test('change their ETag when keys change, and only then', async () => {
      const etags: (string | null)[] = [];
      const look = async (): Promise<void> => {
        const answer = await fetchJwks(service(), acme);
        etags.push(answer.headers.get('etag'));
        const cached = await fetchJwks(service(), acme, { 'if-none-match': String(etags.at(-1)) });
        expect(cached.status).toBe(304);
        const stale = await fetchJwks(service(), acme, { 'if-none-match': String(etags.at(-2)) });
        expect(stale.status).toBe(etags.at(-1) === etags.at(-2) ? 304 : 200);
      };
      await look();
      service().clock.advanceSeconds(DAY_SECONDS);
      await sign();
      await look(); // the same
      await rotate(service(), acme);
      await look(); // one more
      service().clock.advanceSeconds(LEAD_SECONDS);
      await look(); // another one signs: the set is the same
      service().clock.advanceSeconds(RETIRED_SECONDS);
      await look(); // one is gone
      await kill(service(), acme, await activeKid(service(), acme));
      await look(); // another one
      const changed = etags.map((etag, at) => at > 0 && etag !== etags[at - 1]);
      expect(changed).toEqual([false, false, true, false, true, true]);
      expect(new Set(etags).size).toBe(4);
    });

    test('may be cached for less long than a key is published before it signs', async () => {
      const { headers } = await fetchJwks(service(), acme);
      const [, maxAge] = /^public, max-age=(\d+)$/.exec(headers.get('cache-control') ?? '') ?? [];
      expect(Number(maxAge)).toBeGreaterThan(0);
      expect(Number(maxAge)).toBeLessThan(LEAD_SECONDS);
    });

    test('cached for its max-age verify every token that is issued meanwhile', async () => {
      const maxAge = 300;
      let cached = await fetchJwks(service(), acme);
      let fetchedAt = nowSeconds();
      for (let n = 0; n < 40; n++) {
        if (n % 8 === 3) await rotate(service(), acme);
        service().clock.advanceSeconds(47);
        if (nowSeconds() - fetchedAt >= maxAge) {
          cached = await fetchJwks(service(), acme);
          fetchedAt = nowSeconds();
        }
        await verifyWith(cached.body, await sign(), service().clock.nowMs());
      }
      expect((await listKeys(service(), acme)).body.keys.length).toBeGreaterThan(3);
    });
  });

  test('are 2048 bits long, or as long as the tenant says for those made afterwards', async () => {
    const bits = async (): Promise<number[]> =>
      (await fetchJwks(service(), acme)).body.keys.map(
        ({ n = '' }) => Buffer.from(n, 'base64url').length * 8,
      );
    const setBits = (rsa_modulus_bits: number | null) =>
      service().asPlatform('PATCH', `/tenants/${acme.tenantId}`, { rsa_modulus_bits });
    const old = await sign();
    expect(await bits()).toEqual([2048]);
    expect(await setBits(3072)).toMatchObject({ status: 200, body: { rsa_modulus_bits: 3072 } });
    expect(await bits()).toEqual([2048]);
    await rotate(service(), acme, '?now=true');
    expect(await bits()).toEqual([2048, 3072]);
    const longer = await sign();
    for (const token of [old, longer]) expect((await service().validate(acme, token)).status).toBe(200);
    await verifyWith((await fetchJwks(service(), acme)).body, longer, service().clock.nowMs());
    await setBits(null);
    await kill(service(), acme, kidOf(longer));
    expect(await bits()).toEqual([2048, 2048]);
    for (const wrong of [1024, 2049, 8192, '4096']) {
      const answer = await service().asPlatform('PATCH', `/tenants/${acme.tenantId}`, {
        rsa_modulus_bits: wrong,
      });
      expect(answer).toMatchObject({ status: 400, body: { error: 'invalid_request' } });
    }
  });
});

test('a tenant may begin with keys of 4096 bits', async () => {
  const service = await TestService.start();
  const acme = await service.tenant({ rsa_modulus_bits: 4096 });
  const { access_token: token } = await service.createSession(acme);
  const keySet = (await fetchJwks(service, acme)).body;
  expect(Buffer.from(String(keySet.keys[0]?.n), 'base64url')).toHaveLength(512);
  await verifyWith(keySet, token, service.clock.nowMs());
  expect((await service.validate(acme, token)).status).toBe(200);
  await service.stop();
});
