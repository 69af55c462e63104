/** What must hold for any input at all. A failure prints the seed and the path that bring it back. */
import { beforeAll, describe, expect, test } from '@jest/globals';
import * as fc from 'fast-check';
import { JsonError, MAX_JSON_DEPTH, parseStrictJson } from '../../src/http/strict-json.js';
import { parseCompactJwt } from '../../src/tokens/compact-jwt.js';
import { rawRequest } from '../e2e/raw-http.js';
import { routesOf } from '../e2e/routes.js';
import { useService } from '../e2e/use-service.js';
import { STORES, type TestTenant, type Tokens } from '../support/test-service.js';
import { anyRequest, write } from './any-request.js';
import { expectTableError } from './error-answer.js';
import { BASE64URL } from './token-spellings.js';

const HEADER = '{"alg":"RS256","typ":"at+jwt","kid":"k_1-A"}';
const b64 = (text: string | Uint8Array) => Buffer.from(text).toString('base64url');

const jsonValue = fc.jsonValue({ maxDepth: 4, stringUnit: 'binary' });
const goodToken = fc
  .record({
    claims: fc.dictionary(fc.string({ maxLength: 8 }), jsonValue, { maxKeys: 8, noNullPrototype: true }),
    spaces: fc.nat({ max: 4 }),
    signature: fc.uint8Array({ minLength: 1, maxLength: 300 }),
  })
  .map(({ claims, spaces, signature }) =>
    [HEADER + ' '.repeat(spaces), JSON.stringify(claims) + ' '.repeat(spaces), signature].map(b64).join('.'),
  );

/** One edit of a text: a character put in, taken out, replaced or doubled, in any alphabet. */
const edit = fc.record({
  at: fc.double({ min: 0, max: 1, maxExcluded: true, noNaN: true }),
  kind: fc.constantFrom('insert', 'delete', 'replace', 'double'),
  char: fc.oneof(
    fc.constantFrom(...BASE64URL, '.', '=', '+', '/', ' ', '\n', '\0', '%', '\u00a0', '\ufeff', 'é'),
    fc.string({ minLength: 1, maxLength: 3, unit: 'binary' }),
  ),
});

function apply(text: string, { at, kind, char }: { at: number; kind: string; char: string }): string {
  const index = Math.floor(at * text.length);
  if (kind === 'insert') return text.slice(0, index) + char + text.slice(index);
  if (kind === 'delete') return text.slice(0, index) + text.slice(index + 1);
  if (kind === 'replace') return text.slice(0, index) + char + text.slice(index + 1);
  return text.slice(0, index) + text.slice(index, index + 2) + text.slice(index);
}

/** The three segments, as bytes, written in the only way there is. */
const canonical = (token: string): string =>
  token
    .split('.')
    .map((segment) => b64(Buffer.from(segment, 'base64url')))
    .join('.');

describe('the reader of compact tokens', () => {
  test('takes a text or leaves it, and never takes two that mean the same', () => {
    fc.assert(
      fc.property(goodToken, fc.array(edit, { minLength: 1, maxLength: 3 }), (token, edits) => {
        const mutant = edits.reduce(apply, token);
        if (parseCompactJwt(mutant) === null) return;
        // What it takes is canonical, and so is another token in its bytes or this very one.
        expect(mutant).toBe(canonical(mutant));
        expect(mutant).toMatch(/^[\w-]+\.[\w-]+\.[\w-]+$/);
      }),
      { numRuns: 3000 },
    );
  });

  test('takes every token of our making and gives back what it says', () => {
    const claims = fc.dictionary(
      fc.string({ maxLength: 8 }).filter((name) => !['__proto__', 'constructor'].includes(name)),
      fc.oneof(fc.string({ unit: 'grapheme' }), fc.integer(), fc.boolean()),
      { maxKeys: 8, noNullPrototype: true },
    );
    fc.assert(
      fc.property(claims, fc.uint8Array({ minLength: 1, maxLength: 300 }), (payload, signature) => {
        const token = [HEADER, JSON.stringify(payload), signature].map(b64).join('.');
        expect(parseCompactJwt(token)).toEqual({
          header: JSON.parse(HEADER),
          payload,
          signature: Buffer.from(signature),
        });
      }),
      { numRuns: 500 },
    );
  });

  test('survives any text', () => {
    fc.assert(
      fc.property(
        fc.oneof(
          fc.string({ unit: 'binary', maxLength: 500 }),
          fc
            .array(fc.string({ unit: fc.constantFrom(...BASE64URL, '.', '='), maxLength: 100 }))
            .map((parts) => parts.join('.')),
        ),
        (text) => {
          const parsed = parseCompactJwt(text);
          if (parsed) expect(text).toBe(canonical(text));
        },
      ),
      { numRuns: 2000 },
    );
  });
});

describe('the strict reader of JSON', () => {
  const strictly = (text: string | Buffer): { value: unknown } | 'refused' => {
    try {
      return { value: parseStrictJson(Buffer.from(text)) };
    } catch (error) {
      if (!(error instanceof JsonError)) throw error;
      return 'refused';
    }
  };

  test('takes a part of what JSON.parse takes, and reads it alike', () => {
    const piece = fc.oneof(
      fc.json({ maxDepth: 3 }),
      fc.constantFrom(
        '{',
        '}',
        '[',
        ']',
        ',',
        ':',
        '"',
        '\\',
        '\\u',
        '\\ud83d',
        '\\u0061',
        '1e400',
        '-0',
        '-',
        ' ',
        '\n',
      ),
      fc.constantFrom(
        '"a":',
        '"__proto__":',
        '"constructor":',
        'null',
        '//',
        '/*',
        'NaN',
        '\ufeff',
        '\0',
        '0x1',
      ),
      fc.string({ unit: 'binary', maxLength: 5 }),
    );
    fc.assert(
      fc.property(fc.array(piece, { maxLength: 8 }), (pieces) => {
        const text = pieces.join('').toWellFormed();
        const read = strictly(text);
        if (read === 'refused') return;
        expect(read.value).toEqual(JSON.parse(text));
        expect(JSON.stringify(read.value).isWellFormed()).toBe(true);
      }),
      { numRuns: 5000 },
    );
  });

  test('takes any value that is not too deep, has no name twice and no half of a character', () => {
    fc.assert(
      fc.property(fc.jsonValue({ maxDepth: 6, stringUnit: 'grapheme' }), (value) => {
        const text = JSON.stringify(value);
        const mayRefuse = /"(__proto__|constructor)":/.test(text) || !text.isWellFormed();
        const read = strictly(text);
        if (!mayRefuse) expect(read).toEqual({ value: JSON.parse(text) });
      }),
      { numRuns: 1000 },
    );
  });

  test('reads any bytes to an end', () => {
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 200 }), (bytes) => {
        strictly(Buffer.from(bytes));
      }),
      { numRuns: 2000 },
    );
  });

  test('refuses any nesting beyond its depth', () => {
    fc.assert(
      fc.property(fc.array(fc.boolean(), { minLength: MAX_JSON_DEPTH + 1, maxLength: 100 }), (levels) => {
        const open = levels.map((isObject) => (isObject ? '{"a":' : '[')).join('');
        const close = levels
          .toReversed()
          .map((isObject) => (isObject ? '}' : ']'))
          .join('');
        expect(strictly(`${open}1${close}`)).toBe('refused');
      }),
      { numRuns: 100 },
    );
  });
});

describe.each(STORES)('the service on $name', ({ prepare }) => {
  const service = useService(prepare);
  let acme: TestTenant;
  let bravo: TestTenant;
  let session: Tokens;
  let foreign: Tokens;

  beforeAll(async () => {
    acme = await service().tenant();
    bravo = await service().tenant();
    session = await service().createSession(acme, { user_id: 'bystander' });
    foreign = await service().createSession(bravo, { user_id: 'bystander' });
  });

  test('answers anything sent to any route without a fault, and every refusal with a row of the table', async () => {
    const routes = routesOf(service().app).map(({ name }) => name);
    const target = { acme, session: await service().createSession(acme, { user_id: 'target' }) };
    await fc.assert(
      fc.asyncProperty(anyRequest(routes), async (request) => {
        const sent = write(request, target, bravo.tenantId);
        const answer = await rawRequest(service().url, Buffer.from(sent));
        const { status } = answer;
        expect({ sent, status, isFault: status === 0 || status >= 500 }).toMatchObject({ isFault: false });
        if (status < 400) return;
        const headers = {
          get: (name: string) => new RegExp(`^${name}: *(.*?)\r?$`, 'im').exec(answer.head)?.[1] ?? null,
        };
        expectTableError({ status, headers, body: JSON.parse(answer.body) }, sent);
      }),
      { numRuns: 500 },
    );
    expect((await service().validate(acme, session.access_token, 'store')).status).toBe(200);
    expect((await service().validate(bravo, foreign.access_token, 'store')).status).toBe(200);
  }, 60_000);

  test('takes no change of a good token for a token', async () => {
    const tokens = [session.access_token, session.refresh_token];
    await fc.assert(
      fc.asyncProperty(
        fc.constantFrom(...tokens),
        fc.array(edit, { minLength: 1, maxLength: 2 }),
        async (token, edits) => {
          const mutant = edits.reduce(apply, token);
          fc.pre(mutant !== token);
          const answers = await Promise.all([
            service().validate(acme, mutant),
            service().validate(acme, mutant, 'store'),
            service().refresh(acme, mutant),
            service().revoke(acme, mutant),
          ]);
          for (const { status, body: said } of answers) {
            expect([400, 401]).toContain(status);
            expect(['invalid_token', 'invalid_signature', 'invalid_request']).toContain(said['error']);
          }
        },
      ),
      { numRuns: 150 },
    );
    expect((await service().validate(acme, session.access_token, 'store')).status).toBe(200);
  }, 60_000);

  test('gives what was stored for a user to that user alone, byte for byte', async () => {
    const printable = fc
      .string({ unit: 'grapheme', minLength: 1, maxLength: 30 })
      .filter((user) => /^[^\p{C}\p{Zl}\p{Zp}]+$/u.test(user) && Buffer.byteLength(user) <= 256);
    const tricky = fc
      .array(fc.constantFrom('a', 'A', ':', '{', '}', '*', ' ', '/', '%', '\\', '"', 'é', 'e\u0301', '0'), {
        minLength: 1,
        maxLength: 4,
      })
      .map((chars) => chars.join(''));
    const owners = fc.uniqueArray(
      fc.record({ tenant: fc.constantFrom('acme', 'bravo'), user: fc.oneof(printable, tricky) }),
      { minLength: 2, maxLength: 6, selector: ({ tenant, user }) => JSON.stringify([tenant, user]) },
    );
    const metadata = fc.dictionary(
      fc
        .string({ unit: 'grapheme', maxLength: 10 })
        .filter((name) => !['__proto__', 'constructor'].includes(name)),
      fc.oneof(
        fc.string({ unit: 'grapheme' }),
        fc.integer(),
        fc.boolean(),
        fc.array(fc.string({ unit: 'grapheme' }), { maxLength: 2 }),
      ),
      { maxKeys: 3, noNullPrototype: true },
    );
    await fc.assert(
      fc.asyncProperty(owners, metadata, async (pairs, kept) => {
        const tenants = { acme, bravo };
        const listOf = async ({ tenant, user }: (typeof pairs)[number]) => {
          const { tenantId, apiKey } = tenants[tenant as 'acme'];
          const path = `/sessions?tenant_id=${tenantId}&user_id=${encodeURIComponent(user)}`;
          const { body: list } = await service().call<{ sessions: Record<string, unknown>[] }>('GET', path, {
            apiKey,
          });
          return list.sessions.map((one) => [
            one['session_id'],
            one['tenant_id'],
            one['user_id'],
            one['metadata'],
          ]);
        };
        const made: { of: (typeof pairs)[number]; id: string }[] = [];
        for (const of of pairs) {
          const tenant = tenants[of.tenant as 'acme'];
          await service().post(tenant, '/sessions/revoke-all', {
            ...inTenant(tenant, of.user),
            reason: 'admin',
          });
          const { session_id: id } = await service().createSession(tenant, {
            user_id: of.user,
            metadata: kept,
          });
          made.push({ of, id });
        }
        for (const { of, id } of made) {
          expect(await listOf(of)).toEqual([[id, tenants[of.tenant as 'acme'].tenantId, of.user, kept]]);
          const other = tenants[of.tenant === 'acme' ? 'bravo' : 'acme'];
          const answer = await service().call('GET', `/sessions/${id}`, { apiKey: other.apiKey });
          expect(answer.status).toBe(404);
        }
        for (const { of } of made) {
          const tenant = tenants[of.tenant as 'acme'];
          const ended = await service().post(tenant, '/sessions/revoke-all', {
            ...inTenant(tenant, of.user),
            reason: 'admin',
          });
          expect(ended.body).toEqual({ revoked_count: 1 });
        }
      }),
      { numRuns: 25 },
    );
  }, 60_000);
});

const inTenant = ({ tenantId }: TestTenant, userId: string) => ({ tenant_id: tenantId, user_id: userId });
