/** Tokens with a header that tells the verifier where to look, what to ignore, or two things at once. */
import { encode, signHmac, signRsa, type Json } from '../e2e/token-parts.js';
import type { Kit, Vector } from './token-kit.js';

/** A kid of this form is looked up, among the tenant's own keys, and not found. */
const UNKNOWN_KIDS = [
  'unknown',
  '0',
  '-1',
  '__proto__',
  'constructor',
  'prototype',
  'toString',
  'hasOwnProperty',
  'null',
  'undefined',
  '3f1c9f5e-8d0c-4a53-9f9e-1f2c59a6f9a1',
  'x'.repeat(64),
];

/** No key has such a name; nothing is looked up. */
const IMPOSSIBLE_KIDS: unknown[] = [
  '',
  ' ',
  'x'.repeat(65),
  'x'.repeat(10_240),
  '../../../../../../dev/null',
  '/dev/null',
  '../../public/css/main.css',
  'file:///etc/passwd',
  'https://attacker.example/key',
  "' OR 1=1 --",
  "x' UNION SELECT 'secret' --",
  "1'; DROP TABLE key_rings; --",
  '$(id)',
  '|id',
  '`id`',
  '*',
  '?',
  '[a-z]*',
  '{}',
  '{acme}',
  '%00',
  'a\0b',
  'a\nb',
  'a\r\nX-Injected: yes',
  'a b',
  'a:b',
  'a/b',
  'a.b',
  'é',
  '\u202ea',
  '\ufeffkid',
  7,
  0,
  -1,
  1.5,
  null,
  true,
  false,
  [],
  ['x'],
  [['x']],
  {},
  { toString: 'x' },
  { $ne: null },
];

const attackersJwk = ({ attacker }: Kit) => attacker.publicKey.export({ format: 'jwk' });

/** Signed by the tenant and by the attacker: neither may be believed. */
const EXTRA_MEMBERS: Record<string, (kit: Kit, url: string) => Json> = {
  jku: (_, url) => ({ jku: `${url}/jwks.json` }),
  x5u: (_, url) => ({ x5u: `${url}/cert.pem` }),
  'jku and x5u of the service': (kit) => ({ jku: `http://localhost:3000/tenants/${kit.acme.tenantId}/jwks` }),
  'an embedded key': (kit) => ({ jwk: attackersJwk(kit) }),
  'an embedded symmetric key': () => ({ jwk: { kty: 'oct', k: 'AAAA' } }),
  x5c: () => ({ x5c: ['MIIB'] }),
  x5t: () => ({ x5t: 'AAAA' }),
  'x5t#S256': () => ({ 'x5t#S256': 'AAAA' }),
  crit: () => ({ crit: ['exp'] }),
  'an empty crit': () => ({ crit: [] }),
  'a crit that names itself': () => ({ crit: ['crit'] }),
  'b64 false': () => ({ b64: false }),
  'b64 false with crit': () => ({ b64: false, crit: ['b64'] }),
  'b64 true': () => ({ b64: true, crit: ['b64'] }),
  zip: () => ({ zip: 'DEF' }),
  cty: () => ({ cty: 'JWT' }),
  enc: () => ({ enc: 'A256GCM' }),
  'a costly p2c': () => ({ p2c: 2_147_483_647, p2s: 'AAAA' }),
  epk: () => ({ epk: { kty: 'EC', crv: 'P-256', x: 'AA', y: 'AA' } }),
  url: (_, url) => ({ url }),
  nonce: () => ({ nonce: 'x' }),
  'claims in the header': (kit) => ({ ...kit.claims }),
  'an unknown member': () => ({ unknown: true }),
};

const TYPES = [
  'JWT',
  'jwt',
  'AT+JWT',
  'at+JWT',
  'application/at+jwt',
  'at+jwt ',
  '',
  'at',
  'rt+jwt',
  'JOSE',
  'logout+jwt',
];

/** `kid` stands for a good one. */
const TEXTS = [
  '[]',
  '["RS256","at+jwt","kid"]',
  'null',
  'true',
  '7',
  '"RS256"',
  '',
  ' ',
  '{',
  '{}',
  '{"alg":"RS256","typ":"at+jwt","kid":"kid"',
  '{"alg":"RS256","typ":"at+jwt","kid":"kid",}',
  '{"alg":"RS256","typ":"at+jwt","kid":"kid"}}',
  '{"alg":"RS256","typ":"at+jwt","kid":"kid"}{}',
  '{"alg":"RS256","typ":"at+jwt","kid":"kid"}\0',
  '\ufeff{"alg":"RS256","typ":"at+jwt","kid":"kid"}',
  "{'alg':'RS256','typ':'at+jwt','kid':'kid'}",
  '{alg:"RS256",typ:"at+jwt",kid:"kid"}',
  '{"alg":"RS256"/**/,"typ":"at+jwt","kid":"kid"}',
  '{"alg":"RS256","typ":"at+jwt","kid":"kid","kid":"kid"}',
  '{"alg":"RS256","typ":"at+jwt","kid":"other","kid":"kid"}',
  '{"alg":"RS256","typ":"at+jwt","kid":"kid","\\u006bid":"kid"}',
  '{"alg":"none","alg":"RS256","typ":"at+jwt","kid":"kid"}',
  '{"alg":"RS256","alg":"none","typ":"at+jwt","kid":"kid"}',
  '{"alg":"RS256","typ":"JWT","typ":"at+jwt","kid":"kid"}',
  '{"alg":"\\u006eone","typ":"at+jwt","kid":"kid"}',
  '{"Alg":"RS256","typ":"at+jwt","kid":"kid"}',
  '{"alg":"none","ALG":"RS256","typ":"at+jwt","kid":"kid"}',
  '{"alg":"RS256","typ":"at+jwt","__proto__":{"kid":"kid"}}',
  '{"__proto__":{"alg":"RS256","typ":"at+jwt","kid":"kid"}}',
  '{"alg":"RS256","typ":"at+jwt","kid":"kid","constructor":{"prototype":{"alg":"none"}}}',
  '{"alg":"RS256","typ":"at+jwt","kid":"kid\\ud800"}',
  '{"alg":"RS256","typ":"at+jwt","kid":"kid","x":'.padEnd(10_000, '['),
  `{"alg":"RS256","typ":"at+jwt","kid":"kid","x":${'{"x":'.repeat(1500)}1${'}'.repeat(1501)}`,
];

/** @param url of a server that nobody may call */
export const headerVectors = (url: () => string): readonly Vector[] => [
  ...UNKNOWN_KIDS.map((kid): Vector => ({
    name: `the kid ${shown(kid)}`,
    error: 'invalid_signature',
    tokens: (kit) => [kit.access({ kid })],
  })),
  {
    name: 'a kid in another case',
    error: 'invalid_signature',
    tokens: (kit) => [kit.access({ kid: kit.keys.kid.toUpperCase() })],
  },
  ...IMPOSSIBLE_KIDS.map((kid): Vector => ({
    name: `the kid ${shown(kid)}`,
    tokens: (kit) => [
      kit.access({ kid }),
      kit.refresh({ kid }),
      // What an injected or absent key would be: nothing, or what the text selects.
      kit.refresh({ kid }, {}, ''),
      kit.refresh({ kid }, {}, 'secret'),
    ],
  })),
  ...Object.entries(EXTRA_MEMBERS).map(([name, more]): Vector => ({
    name,
    tokens: (kit) => [
      kit.access(more(kit, url())),
      kit.access(more(kit, url()), {}, kit.attacker.privateKey),
      kit.access({ ...more(kit, url()), kid: 'attacker' }, {}, kit.attacker.privateKey),
      kit.refresh(more(kit, url())),
    ],
  })),
  ...['alg', 'typ', 'kid'].map((member): Vector => ({
    name: `no ${member}`,
    tokens: (kit) => {
      const rest = Object.fromEntries(Object.entries(kit.header).filter(([name]) => name !== member));
      return [rest, { ...rest, other: 'x' }].map((header) =>
        signRsa(header, kit.claims, kit.keys.privateKey),
      );
    },
  })),
  ...TYPES.map((typ): Vector => ({ name: `the typ ${shown(typ)}`, tokens: (kit) => [kit.access({ typ })] })),
  ...TEXTS.map((text): Vector => ({
    name: `the text ${shown(text)}`,
    tokens: (kit) => {
      const header = text
        .replaceAll('"kid"}', `"${kit.keys.kid}"}`)
        .replaceAll('"kid",', `"${kit.keys.kid}",`);
      return [
        signRsa(header, kit.claims, kit.keys.privateKey),
        signHmac(header, kit.refreshClaims, kit.keys.refreshSecret),
      ];
    },
  })),
  {
    name: 'bytes that are not UTF-8',
    tokens: (kit) => {
      const header = Buffer.from(JSON.stringify({ ...kit.header, kid: 'k#' }));
      header[header.indexOf('#')] = 0xff;
      return [`${header.toString('base64url')}.${encode(kit.claims)}.AAAA`];
    },
  },
  {
    name: 'UTF-16',
    tokens: (kit) => [
      `${Buffer.from(JSON.stringify(kit.header), 'utf16le').toString('base64url')}.${encode(kit.claims)}.AAAA`,
    ],
  },
];

export function shown(value: unknown): string {
  const text = JSON.stringify(value);
  return text.length > 60 ? `${text.slice(0, 60)}... of ${text.length}` : text;
}
