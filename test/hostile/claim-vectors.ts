/** Tokens that the tenant's own key has signed, and that say what no token of ours says; and what is no JWS at all. */
import { sign } from 'node:crypto';
import { CompactEncrypt, CompactSign, FlattenedEncrypt, FlattenedSign, GeneralSign } from 'jose';
import { encode, signHmac, signRsa } from '../e2e/token-parts.js';
import { shown } from './header-vectors.js';
import type { Kit, Vector } from './token-kit.js';

const REFRESH_MEMBERS = ['iss', 'sub', 'aud', 'exp', 'iat', 'jti', 'sid', 'tenant_id', 'token_type'];
const MEMBERS = [...REFRESH_MEMBERS, 'nbf', 'scope', 'metadata'];

/** Raw JSON, for numbers that JavaScript would not write. */
const NO_TIMES = [
  '"NOW"',
  '"1e9"',
  'NOW.5',
  '0.1',
  '-1',
  '-0.0001',
  'null',
  'true',
  'false',
  '[]',
  '[NOW]',
  '{}',
  '{"valueOf":NOW}',
  '1e308',
  '1e400',
  '-1e400',
  '9007199254740992',
  '18446744073709551616',
  '"Infinity"',
  '"2099-01-01T00:00:00Z"',
  '""',
];

const withRaw = (kit: Kit, member: string, raw: string, claims = kit.claims): string =>
  JSON.stringify({ ...claims, [member]: 'RAW' }).replace(
    '"RAW"',
    raw.replaceAll('NOW', String(kit.nowSeconds() + 600)),
  );

const WRONG: readonly object[] = [
  { sub: '' },
  { sub: 7 },
  { sub: null },
  { sub: ['alice'] },
  { aud: '' },
  { aud: ['acme'] },
  { aud: null },
  { jti: '' },
  { jti: 7 },
  { jti: 'a:b' },
  { jti: '*' },
  { jti: 'x'.repeat(65) },
  { jti: 'a\r\nb' },
  { sid: '' },
  { sid: '*' },
  { sid: '{x}' },
  { sid: '../x' },
  { sid: 'a b' },
  { sid: "' OR 1=1 --" },
  { sid: ['x'] },
  { sid: { $gt: '' } },
  { tenant_id: '' },
  { tenant_id: ['acme'] },
  { tenant_id: '*' },
  { tenant_id: '__proto__' },
  { scope: ['read'] },
  { scope: null },
  { metadata: null },
  { metadata: [] },
  { metadata: 'x' },
  { token_type: 'Access' },
  { token_type: 'refresh' },
  { token_type: ['access'] },
  { token_type: null },
  { iss: '' },
  { iss: null },
  { iss: 'https://elsewhere.example' },
  { iss: 'http://localhost:3000' },
  { iss: 'http://localhost:3000/tenants/' },
  { iss: ['http://localhost:3000'] },
];

const TEXTS = ['[]', 'null', '"x"', '7', '', ' ', '{', '{}', '[{}]', '{}{}', '\ufeff{}', '{"a":1,}'];

const withoutMember = (claims: object, member: string): object =>
  Object.fromEntries(Object.entries(claims).filter(([name]) => name !== member));

export const CLAIM_VECTORS: readonly Vector[] = [
  ...MEMBERS.map((member): Vector => ({
    name: `no ${member}`,
    tokens: (kit) => [
      signRsa(kit.header, withoutMember(kit.claims, member), kit.keys.privateKey),
      ...(REFRESH_MEMBERS.includes(member)
        ? [signHmac(kit.refreshHeader, withoutMember(kit.refreshClaims, member), kit.keys.refreshSecret)]
        : []),
    ],
  })),
  ...MEMBERS.map((member): Vector => ({
    name: `${member} twice`,
    tokens: (kit) => {
      const text = JSON.stringify(kit.claims).slice(1);
      const value = JSON.stringify(kit.claims[member]);
      const escaped = `\\u${member.charCodeAt(0).toString(16).padStart(4, '0')}${member.slice(1)}`;
      return [`{"${member}":${value},${text}`, `{"${escaped}":null,${text}`].map((claims) =>
        signRsa(kit.header, claims, kit.keys.privateKey),
      );
    },
  })),
  ...['exp', 'nbf', 'iat'].map((member): Vector => ({
    name: `${member} as anything but whole seconds`,
    tokens: (kit) =>
      NO_TIMES.flatMap((raw) => [
        signRsa(kit.header, withRaw(kit, member, raw), kit.keys.privateKey),
        ...(member === 'nbf'
          ? []
          : [
              signHmac(
                kit.refreshHeader,
                withRaw(kit, member, raw, kit.refreshClaims),
                kit.keys.refreshSecret,
              ),
            ]),
      ]),
  })),
  ...WRONG.map((more): Vector => ({ name: shown(more), tokens: (kit) => [kit.access({}, { ...more })] })),
  ...TEXTS.map((text): Vector => ({
    name: `the text ${shown(text)}`,
    tokens: (kit) => [
      signRsa(kit.header, text, kit.keys.privateKey),
      signHmac(kit.refreshHeader, text, kit.keys.refreshSecret),
    ],
  })),
  {
    name: '__proto__ or constructor',
    tokens: (kit) => {
      const text = JSON.stringify(kit.claims).slice(1);
      return [
        `{"__proto__":{"scope":"admin"},${text}`,
        `{"constructor":{"prototype":{}},${text}`,
        `{"__proto__":${JSON.stringify(kit.claims)}}`,
        JSON.stringify(kit.claims).replace('"metadata":{', '"metadata":{"__proto__":{},'),
      ].map((claims) => signRsa(kit.header, claims, kit.keys.privateKey));
    },
  },
  {
    name: '10,000 levels',
    tokens: (kit) =>
      ['['.repeat(10_000), `{"metadata":${'['.repeat(10_000)}`, `{"a":`.repeat(2000)].map((claims) =>
        signRsa(kit.header, claims, kit.keys.privateKey),
      ),
  },
  {
    name: 'broken UTF-8 and halves of characters',
    tokens: (kit) => {
      const payload = Buffer.from(JSON.stringify({ ...kit.claims, sub: 'al#ce' }));
      payload[payload.indexOf('#')] = 0xff;
      const input = `${encode(kit.header)}.${payload.toString('base64url')}`;
      const signature = sign('sha256', Buffer.from(input), kit.keys.privateKey).toString('base64url');
      const lone = JSON.stringify({ ...kit.claims, sub: '#' }).replace('#', '\\ud800');
      return [`${input}.${signature}`, signRsa(kit.header, lone, kit.keys.privateKey)];
    },
  },
  {
    name: 'more than a token can hold',
    tokens: (kit) => [kit.access({}, { filler: 'x'.repeat(16_384) }), 'x'.repeat(60_000), '.'.repeat(60_000)],
  },
];

/** What the other kind of token, or the other tenant's, is taken for. */
export const CONFUSED_VECTORS: readonly Vector[] = [
  {
    name: 'the header of one kind and the claims of the other',
    tokens: (kit) => [
      kit.access({}, { ...kit.refreshClaims, token_type: 'refresh' }),
      signRsa(kit.header, kit.refreshClaims, kit.keys.privateKey),
      kit.access({ typ: 'rt+jwt' }),
      signRsa({ ...kit.header, typ: 'rt+jwt' }, kit.refreshClaims, kit.keys.privateKey),
      signRsa({ ...kit.refreshHeader, typ: 'at+jwt' }, kit.claims, kit.keys.privateKey),
      signHmac(kit.refreshHeader, kit.claims, kit.keys.refreshSecret),
      signHmac({ ...kit.refreshHeader, typ: 'at+jwt' }, kit.refreshClaims, kit.keys.refreshSecret),
      signHmac({ ...kit.header, alg: 'HS256' }, kit.claims, kit.keys.refreshSecret),
    ],
  },
  {
    name: 'a token of another tenant',
    tokens: (kit) => [kit.sessionOfBravo.access_token, kit.sessionOfBravo.refresh_token],
  },
  {
    name: 'iss or tenant_id of another tenant under the own key',
    tokens: (kit) => {
      const iss = `http://localhost:3000/tenants/${kit.bravo.tenantId}`;
      const moved = [{ iss }, { tenant_id: kit.bravo.tenantId }, { iss, tenant_id: kit.bravo.tenantId }];
      return moved.flatMap((more) => [kit.access({}, more), kit.refresh({}, more)]);
    },
  },
  {
    name: 'iss that only looks like the own',
    tokens: (kit) => {
      const { tenantId } = kit.acme;
      return [
        `http://localhost:3000/tenants/${tenantId}/`,
        `http://localhost:3000/tenants/${tenantId} `,
        `http://localhost:3000/tenants/${tenantId}#x`,
        `http://localhost:3000/tenants/x${tenantId}`,
        `http://localhost:3000/tenants/${tenantId.toUpperCase()}`,
        `http://localhost:3000/x/${tenantId}`,
      ].map((iss) => kit.access({}, { iss }));
    },
  },
  {
    name: "another tenant's aud, iss and tenant_id, or its aud alone, under its own key",
    error: 'invalid_signature',
    tokens: (kit) => [
      kit.access({}, { aud: kit.bravo.tenantId }, kit.keysOfBravo.privateKey),
      kit.access({ kid: kit.keysOfBravo.kid }, { aud: kit.bravo.tenantId }, kit.keysOfBravo.privateKey),
    ],
  },
  {
    name: 'a tenant that does not exist',
    tokens: (kit) => {
      const nobody = { tenant_id: 'nobody', iss: 'http://localhost:3000/tenants/nobody' };
      return [
        kit.access({}, nobody),
        kit.access({}, nobody, kit.attacker.privateKey),
        kit.refresh({}, nobody),
      ];
    },
  },
  {
    name: 'an API key or another credential',
    tokens: (kit) => [
      kit.acme.apiKey,
      kit.bravo.apiKey,
      `${kit.acme.apiKey}.${kit.acme.apiKey}.${kit.acme.apiKey}`,
      kit.session.session_id,
      String(kit.claims['jti']),
      String(kit.refreshClaims['jti']),
    ],
  },
];

const bytesOf = (value: unknown) => new TextEncoder().encode(JSON.stringify(value));
const KEY_MANAGEMENT = ['RSA-OAEP', 'RSA-OAEP-256', 'RSA1_5'];

/** Other serialisations of JOSE. */
export const SHAPE_VECTORS: readonly Vector[] = [
  {
    name: 'a token inside of a token',
    tokens: (kit) => [
      signRsa(kit.header, encode(kit.session.access_token), kit.keys.privateKey),
      signRsa(kit.header, kit.session.access_token, kit.keys.privateKey),
      signRsa(kit.header, JSON.stringify(kit.session.access_token), kit.keys.privateKey),
      signRsa({ ...kit.header, cty: 'JWT' }, kit.session.access_token, kit.keys.privateKey),
    ],
  },
  {
    name: 'JSON serialisation, flattened and general',
    tokens: async (kit) => {
      const header = { ...kit.header, alg: 'RS256' };
      const flattened = await new FlattenedSign(bytesOf(kit.claims))
        .setProtectedHeader(header)
        .sign(kit.keys.privateKey);
      const general = await new GeneralSign(bytesOf(kit.claims))
        .addSignature(kit.attacker.privateKey)
        .setProtectedHeader(header)
        .addSignature(kit.keys.privateKey)
        .setProtectedHeader(header)
        .sign();
      const forged = { ...flattened, payload: encode({ ...kit.claims, sub: 'admin' }), signature: '' };
      return [flattened, general, forged].map((value) => JSON.stringify(value));
    },
  },
  {
    name: 'an unencoded and a detached payload',
    tokens: async (kit) => {
      const unencoded = await new FlattenedSign(bytesOf(kit.claims))
        .setProtectedHeader({ ...kit.header, alg: 'RS256', b64: false, crit: ['b64'] })
        .sign(kit.keys.privateKey);
      const { protected: head = '', signature } = unencoded;
      const compact = await new CompactSign(bytesOf(kit.claims))
        .setProtectedHeader({ ...kit.header, alg: 'RS256' })
        .sign(kit.keys.privateKey);
      return [
        `${head}.${JSON.stringify(kit.claims)}.${signature}`,
        `${head}..${signature}`,
        compact.replace(/\..*\./, '..'),
      ];
    },
  },
  {
    name: 'an encrypted token',
    tokens: async (kit) => {
      const enc = 'A256GCM';
      const encrypt = (alg: string) =>
        new CompactEncrypt(new TextEncoder().encode(kit.session.access_token))
          .setProtectedHeader({ alg, enc, kid: kit.keys.kid })
          .encrypt(kit.keys.publicKey);
      const direct = await new CompactEncrypt(bytesOf(kit.claims))
        .setProtectedHeader({ alg: 'dir', enc, kid: kit.keys.refreshKid })
        .encrypt(kit.keys.refreshSecret);
      const json = await new FlattenedEncrypt(bytesOf(kit.claims))
        .setProtectedHeader({ alg: 'dir', enc, kid: kit.keys.refreshKid })
        .encrypt(kit.keys.refreshSecret);
      const keys = KEY_MANAGEMENT.filter((alg) => alg !== 'RSA1_5'); // which jose no longer makes
      const three = direct.split('.').slice(0, 3).join('.');
      return [...(await Promise.all(keys.map(encrypt))), direct, three, JSON.stringify(json)];
    },
  },
];
