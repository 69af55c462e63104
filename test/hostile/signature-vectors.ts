/** Tokens whose algorithm or signature is not what it should be: RFC 8725, Wycheproof, jwt_tool, PortSwigger's labs. */
import {
  constants,
  createHash,
  generateKeyPairSync,
  privateEncrypt,
  sign,
  type KeyObject,
} from 'node:crypto';
import { encode, signHmac, signRsa } from '../e2e/token-parts.js';
import type { Kit, Vector } from './token-kit.js';

const NONE = ['none', 'None', 'NONE', 'nOnE', 'none ', ' none', 'none\0', '', 'null', 'plain'];
const NO_TEXT: unknown[] = [null, 0, true, [], ['RS256'], ['none', 'RS256'], {}, { toString: 'RS256' }];

const inputOf = ({ header, claims }: Kit, more: object = {}): string =>
  `${encode({ ...header, ...more })}.${encode(claims)}`;
const signatureOf = (token: string): string => token.split('.')[2] ?? '';
const withSignature = (kit: Kit, bytes: Buffer): string => `${inputOf(kit)}.${bytes.toString('base64url')}`;

/** All that anybody can make of a published key. */
export function publicForms({ keys, header }: Kit): (Buffer | string)[] {
  const { publicKey } = keys;
  const jwk = publicKey.export({ format: 'jwk' });
  const pem = publicKey.export({ type: 'spki', format: 'pem' }).toString();
  const { e = '', kty = '', n = '' } = jwk;
  return [
    pem,
    pem.trim(),
    pem.replaceAll('\n', '\r\n'),
    pem.replaceAll('\n', ''),
    publicKey.export({ type: 'pkcs1', format: 'pem' }),
    publicKey.export({ type: 'spki', format: 'der' }),
    publicKey.export({ type: 'pkcs1', format: 'der' }),
    publicKey.export({ type: 'spki', format: 'der' }).toString('base64'),
    JSON.stringify(jwk),
    JSON.stringify({ kty, use: 'sig', alg: 'RS256', kid: header['kid'], n, e }),
    JSON.stringify({ keys: [{ kty, use: 'sig', alg: 'RS256', kid: header['kid'], n, e }] }),
    n,
    Buffer.from(n, 'base64url'),
    createHash('sha256').update(JSON.stringify({ e, kty, n })).digest(),
    createHash('sha256').update(JSON.stringify({ e, kty, n })).digest('base64url'),
  ];
}

const WEAK_SECRETS = ['', 'secret', 'your-256-bit-secret', 'changeme', '\0'.repeat(32), '0'.repeat(64)];

/** Really signed, so that a verifier that believes the header accepts them. */
function signedAsTold(kit: Kit): string[] {
  const data = (alg: string) => Buffer.from(inputOf(kit, { alg }));
  const token = (alg: string, bytes: Buffer) => `${inputOf(kit, { alg })}.${bytes.toString('base64url')}`;
  const rsa = [kit.keys.privateKey, kit.attacker.privateKey].flatMap((key) => [
    ...(['256', '384', '512'] as const).map((bits) =>
      token(`PS${bits}`, sign(`sha${bits}`, data(`PS${bits}`), pss(key))),
    ),
    ...(['384', '512'] as const).map((bits) =>
      token(`RS${bits}`, sign(`sha${bits}`, data(`RS${bits}`), key)),
    ),
    token('RS1', sign('sha1', data('RS1'), key)),
  ]);
  const curves = { ES256: 'P-256', ES384: 'P-384', ES512: 'P-521', ES256K: 'secp256k1' };
  const ec = Object.entries(curves).map(([alg, namedCurve]) => {
    const { privateKey: key } = generateKeyPairSync('ec', { namedCurve });
    return token(alg, sign('sha256', data(alg), { key, dsaEncoding: 'ieee-p1363' }));
  });
  const { privateKey: edwards } = generateKeyPairSync('ed25519');
  return [...rsa, ...ec, token('EdDSA', sign(null, data('EdDSA'), edwards))];
}

const pss = (key: KeyObject) => ({ key, padding: constants.RSA_PKCS1_PSS_PADDING });

/** DER of DigestInfo for SHA-256, up to the digest. */
const DIGEST_INFO = Buffer.from('3031300d060960864801650304020105000420', 'hex');
const WITHOUT_NULL = Buffer.from('302f300b06096086480165030402010420', 'hex');

/** Made with the tenant's own key, and yet no signatures. */
function malformedPaddings(kit: Kit): string[] {
  const digest = createHash('sha256').update(inputOf(kit)).digest();
  const padded = (...parts: Buffer[]) =>
    withSignature(kit, privateEncrypt(kit.keys.privateKey, Buffer.concat(parts)));
  const raw = Buffer.alloc(256);
  Buffer.concat([DIGEST_INFO, digest]).copy(raw, 256 - DIGEST_INFO.length - 32);
  return [
    padded(digest),
    padded(WITHOUT_NULL, digest),
    padded(DIGEST_INFO, digest, Buffer.from([0])),
    padded(DIGEST_INFO, digest.subarray(0, 31)),
    padded(DIGEST_INFO, Buffer.alloc(32)),
    withSignature(kit, privateEncrypt({ key: kit.keys.privateKey, padding: constants.RSA_NO_PADDING }, raw)),
    withSignature(kit, sign('sha256', Buffer.from(inputOf(kit)), pss(kit.keys.privateKey))),
  ];
}

/** Of a good signature s under the modulus n. */
function arithmetic(kit: Kit): string[] {
  const bytes = Buffer.from(signatureOf(kit.session.access_token), 'base64url');
  const { n = '' } = kit.keys.publicKey.export({ format: 'jwk' });
  const modulus = BigInt(`0x${Buffer.from(n, 'base64url').toString('hex')}`);
  const s = BigInt(`0x${bytes.toString('hex')}`);
  const number = (value: bigint) => {
    const hex = value.toString(16);
    return Buffer.from(hex.padStart(Math.max(512, hex.length + (hex.length % 2)), '0'), 'hex');
  };
  return [
    number(s + modulus),
    number(modulus - s),
    number(modulus),
    number(modulus - 1n),
    number(0n),
    number(1n),
    Buffer.concat([Buffer.from([0]), bytes]),
    Buffer.concat([bytes, Buffer.from([0])]),
    bytes.subarray(0, -1),
    bytes.subarray(1),
    Buffer.from(bytes.toReversed()),
    Buffer.alloc(256, 0xff),
    Buffer.from([0]),
    Buffer.from('null', 'base64url'),
  ].map((signature) => withSignature(kit, signature));
}

/** "Psychic" and blank signatures of elliptic curves: r = s = 0, in both encodings. */
function blankCurves(kit: Kit): string[] {
  const blanks = [
    Buffer.alloc(64),
    Buffer.alloc(96),
    Buffer.alloc(132),
    Buffer.from('3006020100020100', 'hex'),
  ];
  return ['ES256', 'ES384', 'ES512'].flatMap((alg) =>
    blanks.map((blank) => `${inputOf(kit, { alg })}.${blank.toString('base64url')}`),
  );
}

const spliced = (kit: Kit, more: object): string => {
  const { header, claims, session } = kit;
  return `${encode(header)}.${encode({ ...claims, ...more })}.${signatureOf(session.access_token)}`;
};

export const SIGNATURE_VECTORS: readonly Vector[] = [
  ...[...NONE, ...NO_TEXT].map((alg): Vector => ({
    name: `alg ${JSON.stringify(alg)}`,
    tokens: (kit) =>
      [
        inputOf(kit, { alg }),
        `${encode({ ...kit.refreshHeader, alg })}.${encode(kit.refreshClaims)}`,
      ].flatMap((forged) => [
        `${forged}.`,
        forged,
        `${forged}.${signatureOf(kit.session.access_token)}`,
        `${forged}.AA`,
      ]),
  })),
  {
    name: 'no signature under a good header',
    tokens: (kit) => [`${inputOf(kit)}.`, inputOf(kit), `${inputOf(kit)}.=`, `${inputOf(kit)}.""`],
  },
  {
    name: 'HS256 keyed with the public key, as told by the header',
    tokens: (kit) =>
      publicForms(kit).flatMap((secret) =>
        ['256', '384', '512'].map((bits) =>
          signHmac({ ...kit.header, alg: `HS${bits}` }, kit.claims, secret, `sha${bits}`),
        ),
      ),
  },
  {
    name: 'HS256 keyed with the public key behind the header of an access token',
    error: 'invalid_signature',
    tokens: (kit) => publicForms(kit).map((secret) => signHmac(kit.header, kit.claims, secret)),
  },
  {
    name: 'HS256 keyed with the public key as a refresh token',
    kind: 'refresh',
    error: 'invalid_signature',
    tokens: (kit) =>
      publicForms(kit).flatMap((secret, at) => [
        kit.refresh({}, {}, secret),
        // A kid that is no refresh secret's is looked up again, which takes 0.1 s: once is enough.
        ...(at === 0 ? [kit.refresh({ kid: kit.keys.kid }, {}, secret)] : []),
      ]),
  },
  {
    name: 'a refresh token under an empty, a well-known or a public secret',
    kind: 'refresh',
    error: 'invalid_signature',
    tokens: (kit) =>
      [...WEAK_SECRETS, kit.acme.tenantId, kit.keys.refreshKid, kit.acme.apiKey].map((secret) =>
        kit.refresh({}, {}, secret),
      ),
  },
  {
    name: 'a refresh token by another algorithm with the right secret',
    tokens: (kit) =>
      [
        ['HS384', 'sha384'],
        ['HS512', 'sha512'],
        ['hs256', 'sha256'],
        ['RS256', 'sha256'],
        ['none', 'sha256'],
      ].map(([alg, hash]) =>
        signHmac({ ...kit.refreshHeader, alg }, kit.refreshClaims, kit.keys.refreshSecret, hash),
      ),
  },
  { name: 'another RSA, PSS, EC or Edwards algorithm, well signed', tokens: signedAsTold },
  {
    name: 'an unknown spelling of RS256, well signed',
    tokens: (kit) =>
      ['rs256', 'RS256 ', 'RS-256', 'RSA-SHA256', 'SHA256withRSA', 'RS256\0', 'ＲＳ256'].map((alg) =>
        kit.access({ alg }),
      ),
  },
  { name: 'a blank signature of a curve', tokens: blankCurves },
  {
    name: "another hash under the tenant's own key",
    error: 'invalid_signature',
    tokens: (kit) =>
      ['sha512', 'sha384', 'sha1', 'md5'].map((hash) =>
        signRsa(kit.header, kit.claims, kit.keys.privateKey, hash),
      ),
  },
  {
    name: "a malformed padding under the tenant's own key",
    error: 'invalid_signature',
    tokens: malformedPaddings,
  },
  { name: 'arithmetic upon a good signature', error: 'invalid_signature', tokens: arithmetic },
  {
    name: 'a key of nobody, or of another tenant',
    error: 'invalid_signature',
    tokens: (kit) => [
      kit.access({}, {}, kit.attacker.privateKey),
      kit.access({}, {}, kit.keysOfBravo.privateKey),
      kit.access({ kid: kit.keysOfBravo.kid }, {}, kit.keysOfBravo.privateKey),
      kit.access({ kid: kit.keys.refreshKid }),
    ],
  },
  {
    name: 'a refresh secret of another tenant',
    kind: 'refresh',
    error: 'invalid_signature',
    tokens: (kit) => [
      kit.refresh({}, {}, kit.keysOfBravo.refreshSecret),
      kit.refresh({ kid: kit.keysOfBravo.refreshKid }, {}, kit.keysOfBravo.refreshSecret),
      kit.refresh({ kid: kit.keys.kid }),
    ],
  },
  {
    name: 'a good signature behind other claims',
    error: 'invalid_signature',
    tokens: (kit) =>
      [
        { sub: 'admin' },
        { scope: 'admin' },
        { exp: kit.nowSeconds() + 86_400 },
        { metadata: { admin: true } },
      ].map((more) => spliced(kit, more)),
  },
  {
    name: 'the signature of the other kind of token',
    error: 'invalid_signature',
    tokens: (kit) => [`${inputOf(kit)}.${signatureOf(kit.session.refresh_token)}`],
  },
];
