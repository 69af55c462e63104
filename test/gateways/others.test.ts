/**
 * The files for gateways that cannot be run here: that they have the form which docs/gateways.md promises. It shows
 * nothing about what such a gateway does with them.
 */
import { readFileSync } from 'node:fs';
import { resolve } from 'node:path';
import { describe, expect, test } from '@jest/globals';
import { load } from 'js-yaml';
import { identityHeaders, refusalHeaders } from '../../src/sessions/bearer.js';

type Tree = Readonly<Record<string, unknown>>;

const textOf = (file: string) => readFileSync(resolve(`deploy/gateways/${file}`), 'utf8');
const treeOf = (file: string) => load(textOf(file)) as Tree;

/** The member of that name that lies nearest to the root. */
function find(tree: unknown, name: string): unknown {
  for (let level = [tree]; level.length > 0; level = level.flatMap(childrenOf)) {
    const found = level.find((node) => isTree(node) && name in node);
    if (isTree(found)) return found[name];
  }
  return undefined;
}
const isTree = (value: unknown): value is Tree => typeof value === 'object' && value !== null;
const childrenOf = (node: unknown): unknown[] => (isTree(node) ? Object.values(node) : []);

/** What the service really sends. */
const CLAIMS = { sub: 'alice', tenant_id: 'acme', sid: 's', scope: '' } as Parameters<
  typeof identityHeaders
>[0];
const IDENTITY = Object.keys(identityHeaders(CLAIMS, { checked: 'replica', ageMs: 0 })).toSorted();
const REFUSAL = Object.keys(refusalHeaders('token_expired', 'Bearer'));
const SPOOFABLE = [...IDENTITY, ...REFUSAL.filter((name) => name.startsWith('x-session-'))].toSorted();

const lower = (names: readonly string[]) => names.map((name) => name.toLowerCase()).toSorted();
const filters = (file: string) =>
  find(treeOf(file), 'http_filters') as { name: string; typed_config: Tree }[];
const filter = (file: string, name: string) =>
  filters(file).find((candidate) => candidate.name === `envoy.filters.http.${name}`)?.typed_config;
const exact = (patterns: unknown) => (patterns as { exact: string }[]).map((pattern) => pattern.exact);
const removedBy = (file: string) =>
  (find(filter(file, 'header_mutation'), 'request_mutations') as Tree[]).flatMap(({ remove, append }) =>
    typeof remove === 'string' ? [remove] : [(find(append, 'header') as { key: string }).key],
  );

const FILES = [
  'envoy/ext-authz.yaml',
  'envoy/jwt-authn.yaml',
  'traefik/traefik.yaml',
  'traefik/dynamic.yaml',
  'kubernetes/ingress.yaml',
  'kubernetes/ingress-nginx-values.yaml',
];

test.each(FILES)('%s names no header that the service does not send, and no secret', (file) => {
  const text = textOf(file);
  const named = text.toLowerCase().match(/\bx-session-[a-z]+/g) ?? [];
  expect(named.filter((name) => !SPOOFABLE.includes(name))).toEqual([]);
  expect(text.match(/\bsk_(?!\.\.\.)/g)).toBeNull();
});

describe.each(['envoy/ext-authz.yaml', 'envoy/jwt-authn.yaml'])('%s', (file) => {
  test('removes what a client says of itself before anything else', () => {
    expect(filters(file)[0]?.name).toBe('envoy.filters.http.header_mutation');
    expect(removedBy(file)).toEqual(expect.arrayContaining(SPOOFABLE));
    expect(find(treeOf(file), 'headers_with_underscores_action')).toBe('DROP_HEADER');
  });

  test('lets nothing pass by the check', () => {
    expect(filters(file).map(({ name }) => name.split('.').at(-1))).toEqual([
      'header_mutation',
      file === 'envoy/ext-authz.yaml' ? 'ext_authz' : 'jwt_authn',
      'router',
    ]);
    expect(textOf(file)).not.toMatch(/typed_per_filter_config|allow_missing/);
  });
});

describe('envoy/ext-authz.yaml', () => {
  const authz = filter('envoy/ext-authz.yaml', 'ext_authz');

  test('asks with the API key of its environment, and is closed without an answer', () => {
    expect(authz).toMatchObject({
      failure_mode_allow: false,
      status_on_error: { code: 'ServiceUnavailable' },
    });
    expect(authz?.['http_service']).toMatchObject({
      path_prefix: '/sessions/verify',
      authorization_request: {
        headers_to_add: [{ key: 'x-api-key', value: '%ENVIRONMENT(SESSION_API_KEY)%' }],
      },
    });
  });

  test('takes who it is from the answer', () => {
    const { patterns: upstream } = find(authz, 'allowed_upstream_headers') as Tree;
    expect(exact(upstream).toSorted()).toEqual(IDENTITY);
    const { patterns: client } = find(authz, 'allowed_client_headers') as Tree;
    expect(exact(client)).toEqual(expect.arrayContaining(REFUSAL));
  });

  test('makes 503 of a 401 without a challenge, of a 429 and of an outage, and of nothing that is not its own', () => {
    const mappers = find(treeOf('envoy/ext-authz.yaml'), 'mappers') as Tree[];
    expect(mappers.map((mapper) => find(mapper, 'expression'))).toEqual([
      "response.code == 401 && !('www-authenticate' in response.headers)",
      'response.code == 429 || response.code == 503',
    ]);
    for (const mapper of mappers) {
      expect(mapper).toMatchObject({ status_code: 503 });
      expect(find(mapper, 'flags')).toEqual(['UAEX']);
      expect(find(mapper['headers_to_add'], 'header')).toEqual({ key: 'retry-after', value: '1' });
    }
  });
});

test('envoy/jwt-authn.yaml checks issuer, audience and expiry by the keys of the tenant', () => {
  const jwt = filter('envoy/jwt-authn.yaml', 'jwt_authn');
  expect(jwt?.['rules']).toEqual([{ match: { prefix: '/' }, requires: { provider_name: 'acme' } }]);
  expect(find(jwt, 'acme')).toMatchObject({
    issuer: expect.stringMatching(/\/tenants\/acme$/),
    audiences: ['acme'],
    require_expiration: true,
    remote_jwks: { http_uri: { uri: expect.stringMatching(/\/tenants\/acme\/jwks$/) } },
  });
});

describe('traefik', () => {
  const routed = treeOf('traefik/dynamic.yaml');
  const middlewares = find(routed, 'session-verify') && (routed['http'] as { middlewares: Tree }).middlewares;

  test('asks with the API key of its environment, and does not pass it on to the application', () => {
    expect(find(routed, 'application')).toMatchObject({
      middlewares: ['session-api-key', 'session-verify', 'session-api-key-removed'],
    });
    expect(find(middlewares, 'session-api-key')).toEqual({
      headers: { customRequestHeaders: { 'X-API-Key': '{{ env "SESSION_API_KEY" }}' } },
    });
    expect(find(middlewares, 'session-api-key-removed')).toEqual({
      headers: { customRequestHeaders: { 'X-API-Key': '' } },
    });
  });

  test('removes what a client says of itself, and takes who it is from the answer', () => {
    const verify = find(middlewares, 'forwardAuth') as Tree;
    expect(verify).toMatchObject({
      address: expect.stringMatching(/\/sessions\/verify$/),
      trustForwardHeader: false,
      authRequestHeaders: ['Authorization', 'X-API-Key'],
    });
    expect(lower(verify['authResponseHeaders'] as string[])).toEqual(IDENTITY);
    // Go writes it with a flag.
    const stripped = new RegExp(String(verify['authResponseHeadersRegex']).replace('(?i)', ''), 'i');
    const spellings = SPOOFABLE.flatMap((name) => [name, name.replaceAll('-', '_'), name.replace('-', '_')]);
    expect(spellings.filter((name) => !stripped.test(name))).toEqual([]);
  });

  test('reads the file that it is told of', () => {
    expect(find(treeOf('traefik/traefik.yaml'), 'filename')).toBe('/etc/traefik/dynamic.yaml');
    expect(Object.keys(find(treeOf('traefik/traefik.yaml'), 'entryPoints') as Tree)).toEqual(
      find(routed, 'entryPoints'),
    );
  });
});

describe('kubernetes', () => {
  const annotations = find(treeOf('kubernetes/ingress.yaml'), 'annotations') as Readonly<
    Record<string, string>
  >;
  const annotation = (name: string) => annotations[`nginx.ingress.kubernetes.io/${name}`] ?? '';
  const linesOf = (text: string) =>
    text
      .split('\n')
      .map((line) => line.trim())
      .filter((line) => line !== '' && !line.startsWith('#'));

  test('asks the service, and takes who it is from the answer or removes it', () => {
    expect(annotation('auth-url')).toMatch(/\/sessions\/verify$/);
    expect(annotation('auth-method')).toBe('GET');
    expect(lower(annotation('auth-response-headers').split(','))).toEqual(SPOOFABLE);
  });

  test('has the API key from a Secret that is mounted where it is read', () => {
    const { mountPath } =
      (find(treeOf('kubernetes/ingress-nginx-values.yaml'), 'extraVolumeMounts') as Tree[])[0] ?? {};
    expect(annotation('auth-snippet').trim()).toBe(`include ${String(mountPath)}/session-api-key.conf;`);
    expect(find(treeOf('kubernetes/ingress-nginx-values.yaml'), 'secretName')).toBe(
      'session-gateway-api-key',
    );
  });

  test('has in its snippets only lines of the file that a real nginx is tested with', () => {
    const tested = new Set(linesOf(textOf('nginx/session-gateway.conf')));
    const snippets = linesOf(annotation('configuration-snippet') + annotation('server-snippet'));
    expect(snippets.length).toBeGreaterThan(10);
    expect(snippets.filter((line) => !tested.has(line))).toEqual([]);
  });
});
