/** Any request to any route: from good ones with a member spoiled to bytes that make no sense. */
import * as fc from 'fast-check';
import { ADMIN_API_KEY } from '../support/test-service.js';
import { BODY_ROUTES, type Target } from './route-bodies.js';

const segment = fc.oneof(
  fc.constantFrom(
    '',
    '.',
    '..',
    '*',
    '{}',
    '__proto__',
    '%',
    '%00',
    '%2f',
    '%ff',
    'A'.repeat(26),
    '0'.repeat(16),
  ),
  fc.string({ maxLength: 40, unit: 'binary' }).map((text) => encodeURIComponent(text.toWellFormed())),
);

const MEMBERS = [
  'tenant_id',
  'user_id',
  'scope',
  'metadata',
  'access_token',
  'refresh_token',
  'token',
  'tokens',

  'session_ids',
  'reason',
  'comment',
  'only_this_token',
  'revocation_check',
  'name',
  'scopes',
  'expires_in',
  'now',
  'audience',
  'status',
  'limit',
  'cursor',
  'access_token_ttl_seconds',
  'rsa_modulus_bits',
];

const value = fc.oneof(
  fc.string({ maxLength: 60, unit: 'binary' }),
  fc.jsonValue({ maxDepth: 3 }),
  fc.constantFrom(
    '',
    'a.b.c',
    'alice',
    'x'.repeat(2000),
    '\ud800',
    '\u202e',
    'admin',
    'replica',
    'suspended',
  ),
  fc.constantFrom(true, false, null, 0, -1, 1e308, [], {}, [[]], [null]),
);

const body = fc.oneof(
  fc
    .dictionary(fc.oneof(fc.constantFrom(...MEMBERS), fc.string({ maxLength: 10 })), value, { maxKeys: 6 })
    .map((members) => JSON.stringify(members)),
  fc.json({ maxDepth: 4 }),
  fc.string({ unit: 'binary', maxLength: 200 }),
  fc.constant(undefined),
);

const query = fc.oneof(
  fc.constant(''),
  fc
    .array(fc.tuple(fc.oneof(fc.constantFrom(...MEMBERS), segment), segment), { maxLength: 4 })
    .map((pairs) => `?${pairs.map(([name, of]) => `${name}=${of}`).join('&')}`),
  fc.string({ maxLength: 30, unit: fc.constantFrom(...'?&=%[];+a0#') }).map((rest) => `?${rest}`),
);

const HEADERS = [
  'content-type',
  'accept',
  'accept-encoding',
  'content-encoding',
  'x-request-id',
  'if-none-match',
  'range',
  'origin',
  'cookie',
  'authorization',
  'x-http-method-override',
  'x-forwarded-for',
  'traceparent',
];
const visible = fc.integer({ min: 0x20, max: 0x7e }).map((code) => String.fromCharCode(code));
const headers = fc.dictionary(
  fc.constantFrom(...HEADERS),
  fc.oneof(
    fc.constantFrom(
      'application/json',
      'text/plain',
      '*/*',
      'gzip',
      'bytes=0-',
      'null',
      '',
      'a'.repeat(3000),
    ),
    fc.string({ maxLength: 50, unit: visible }),
  ),
  { maxKeys: 2 },
);

const request = fc.record({
  id: fc.oneof(fc.constantFrom('own', 'own', 'foreign'), segment),
  part: segment,
  query,
  headers,
  who: fc.constantFrom<Who>('right', 'right', 'tenant', 'platform', 'nobody'),
  body,
  /** Instead of that body a good one, with the member at this place spoiled. */
  good: fc.option(fc.record({ at: fc.nat({ max: 5 }), value }), { freq: 2 }),
});

type Who = 'right' | 'tenant' | 'platform' | 'nobody';
type Request = typeof request extends fc.Arbitrary<infer T> ? T : never;

/** What makes keys takes a second; what ends the tenant ends the test. These are for callers who may not. */
const UNTOUCHABLE = new Set(['POST /tenants', 'DELETE /tenants/:id', 'POST /tenants/:id/revoke-all']);

/** @returns requests to one of the routes, as a function that writes them down for a tenant */
export function anyRequest(routes: readonly string[]): fc.Arbitrary<{ route: string; request: Request }> {
  return fc.record({ route: fc.constantFrom(...routes), request });
}

/** The bytes of a request in HTTP/1.1. */
export function write(
  { route, request: of }: { route: string; request: Request },
  target: Target,
  foreignTenantId: string,
): string {
  const [method = '', pattern = ''] = route.split(' ');
  const path = pattern
    .replace(':id', () => ({ own: target.acme.tenantId, foreign: foreignTenantId })[of.id] ?? of.id)
    .replace(/:(key_id|kid|session_id)/, () => of.part);
  const sent = bodyOf(route, of, target);
  const lines = [
    `${method === 'ALL' ? 'PUT' : method} ${path}${of.query} HTTP/1.1`,
    'Host: x',
    `X-API-Key: ${apiKeyOf(route, of.who, target)}`,
    ...('content-type' in of.headers || sent === undefined ? [] : ['Content-Type: application/json']),
    ...Object.entries(of.headers).map(([name, text]) => `${name}: ${text}`),
    ...(sent === undefined ? [] : [`Content-Length: ${Buffer.byteLength(sent)}`]),
    'Connection: close',
  ];
  return `${lines.join('\r\n')}\r\n\r\n${sent ?? ''}`;
}

function bodyOf(route: string, { body: any, good }: Request, target: Target): string | undefined {
  const members = BODY_ROUTES.find(({ name }) => name === route)?.body?.(target);
  if (!members || !good) return any;
  const name = Object.keys(members)[good.at];
  return JSON.stringify(name === undefined ? members : { ...members, [name]: good.value });
}

function apiKeyOf(route: string, who: Who, target: Target): string {
  if (UNTOUCHABLE.has(route)) return 'x';
  const right = BODY_ROUTES.find(({ name }) => name === route)?.apiKey(target) ?? target.acme.apiKey;
  return { right, tenant: target.acme.apiKey, platform: ADMIN_API_KEY, nobody: 'x' }[who];
}
