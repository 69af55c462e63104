/** Whoever invents ids, paths, keys, reasons or methods makes no series. */
import { describe, expect, test } from '@jest/globals';
import { useService } from '../e2e/use-service.js';
import { rawRequest } from '../e2e/raw-http.js';
import { ADMIN_API_KEY, STORES, type TestTenant } from '../support/test-service.js';
import { Scrape } from './scrape.js';

const INVENTED = 10_000;
const AT_ONCE = 50;
/** What says of the process which kinds of handles and collections there were is not ours. */
const OURS = /^(?!nodejs_|process_)/;

const sqlite = STORES.filter(({ name }) => name === 'SQLite');

describe.each(sqlite)('on $name', ({ prepare }) => {
  const service = useService(prepare, { METRICS_MAX_TENANTS: '5' });

  /** Each sends something that nobody has sent before. */
  const inventions = (tenant: TestTenant, token: string): ((n: number) => Promise<unknown>)[] => {
    const { apiKey } = tenant;
    const call = (method: string, path: string, body?: unknown, key = apiKey): Promise<unknown> =>
      service().call(method, path, { apiKey: key, body });
    const [, payload, signature] = token.split('.');
    const encoded = (value: unknown) => Buffer.from(JSON.stringify(value)).toString('base64url');
    const claims = JSON.parse(Buffer.from(payload ?? '', 'base64url').toString()) as Record<string, unknown>;
    return [
      (n) => call('GET', `/invented-${n}/path?x=${n}`),
      (n) => call('GET', `/tenants/invented-${n}`, undefined, ADMIN_API_KEY),
      (n) => call('POST', `/tenants/invented-${n}/revoke-all`, { reason: 'admin' }, ADMIN_API_KEY),
      (n) => call('GET', `/tenants/invented-${n}/jwks`),
      (n) => call('GET', `/sessions/invented${n}`),
      (n) => call('POST', '/sessions', { tenant_id: `invented-${n}`, user_id: 'a', scope: '' }),
      (n) => call('POST', '/sessions/revoke', { token, reason: `invented-${n}` }),
      (n) => call('POST', '/sessions/refresh', { refresh_token: `invented.${n}` }),
      (n) =>
        call('POST', '/sessions/validate', {
          access_token: `${encoded({ alg: 'RS256', typ: 'at+jwt', kid: `k${n}` })}.${payload}.${signature}`,
        }),
      (n) => {
        const other = encoded({ ...claims, tenant_id: `invented-${n}` });
        return call('POST', '/sessions/validate', {
          access_token: `${token.split('.')[0]}.${other}.${signature}`,
        });
      },
      (n) => call('POST', '/sessions/validate', { access_token: 'x', revocation_check: `invented-${n}` }),
      (n) =>
        call(
          'POST',
          '/sessions/validate',
          { access_token: 'x' },
          `sk_invented-${n}_0011223344556677_${'a'.repeat(43)}`,
        ),
      (n) => call('DELETE', `/sessions/${claims['sid'] as string}?reason=invented-${n}`),
      (n) =>
        n % 10 === 0 // these take a connection each
          ? rawRequest(
              service().url,
              `${METHODS[n % METHODS.length]} /sessions HTTP/1.1\r\nhost: x\r\nconnection: close\r\n\r\n`,
            )
          : Promise.resolve(),
    ];
  };
  const METHODS = ['BREW', 'PROPFIND', 'SEARCH', 'INVENTED', 'LINK', 'TRACE', 'PURGE'];

  test(`${INVENTED} inventions make no series`, async () => {
    const tenant = await service().tenant();
    const { access_token } = await service().createSession(tenant);
    const kinds = inventions(tenant, access_token);
    // What these requests are, the first of each says.
    for (const [at, send] of kinds.entries()) await send(-10 * (at + 1));
    for (let n = 0; n < METHODS.length * 10; n += 10) await kinds.at(-1)?.(n);
    await ours(); // a scrape is a request, too
    const before = await ours();
    for (let n = 0; n < INVENTED; n += AT_ONCE) {
      const some = Array.from({ length: AT_ONCE }, async (_, at) => kinds[(n + at) % kinds.length]?.(n + at));
      await Promise.all(some);
    }
    const after = await ours();
    expect(after.filter((series) => !before.includes(series))).toEqual([]);
    expect(after.filter((series) => /invented|BREW|PURGE/.test(series))).toEqual([]);
    expect(after.length).toBeLessThan(1500);
  });

  test('tenants beyond the limit are counted together, and one that is deleted gives its place up', async () => {
    const tenants = await Promise.all(Array.from({ length: 8 }, () => service().tenant()));
    for (const tenant of tenants) await service().createSession(tenant);
    const created = (scrape: Scrape): [string, number][] => scrape.series('sessions_created_total');
    const full = await Scrape.of(service());
    expect(created(full).length).toBe(6);
    const known = tenants.filter(({ tenantId }) =>
      full.value('sessions_created_total', { tenant_id: tenantId }),
    );
    expect(full.value('sessions_created_total', { tenant_id: 'other' })).toBe(8 - known.length);

    const [first] = known;
    const late = tenants.find((tenant) => !known.includes(tenant));
    if (!first || !late) throw new Error('some tenants have series and some have not');
    expect(full.text).toContain(first.tenantId);
    await service().asPlatform('DELETE', `/tenants/${first.tenantId}`);
    await service().createSession(late);
    const after = await Scrape.of(service());
    expect(after.text).not.toContain(first.tenantId);
    expect(after.value('sessions_created_total', { tenant_id: late.tenantId })).toBe(1);
    expect(created(after).length).toBe(6);
  });

  async function ours(): Promise<string[]> {
    return (await Scrape.of(service()))
      .series('')
      .map(([series]) => series)
      .filter((series) => OURS.test(series))
      .toSorted();
  }
});
