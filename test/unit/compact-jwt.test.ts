import { describe, expect, test } from '@jest/globals';
import { MAX_TOKEN_LENGTH, parseCompactJwt } from '../../src/tokens/compact-jwt.js';

const HEADER = { alg: 'RS256', typ: 'at+jwt', kid: 'k_1-A' };
const BASE64URL = 'ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_';

const encode = (text: string | Buffer): string => Buffer.from(text).toString('base64url');
const json = (value: unknown): string => encode(JSON.stringify(value));
const token = (header: string, payload: string, signature = encode(Buffer.alloc(256, 7))): string =>
  `${header}.${payload}.${signature}`;

/** One byte more than a multiple of three: each segment ends in a character with four spare bits. */
const LOOSE_HEADER = '{"alg":"RS256","typ":"at+jwt","kid":"k1"} '.padEnd(43);
const LOOSE_PAYLOAD = '{"sub":"alice"}'.padEnd(16);

describe('a compact JWT', () => {
  test('is read when it is three canonical segments with a known header and an object', () => {
    expect(parseCompactJwt(token(json(HEADER), json({ sub: 'älice', n: [1] })))).toMatchObject({
      header: HEADER,
      payload: { sub: 'älice', n: [1] },
    });
  });

  test('is not trusted: no signature is checked here', () => {
    expect(parseCompactJwt(token(json(HEADER), json({}), 'AA'))).not.toBeNull();
  });

  describe('has one spelling only', () => {
    const segments = [encode(LOOSE_HEADER), encode(LOOSE_PAYLOAD), encode(Buffer.alloc(256, 7))];
    const withSegment = (at: number, segment: string): string => segments.with(at, segment).join('.');

    test('which is accepted', () => {
      expect(parseCompactJwt(segments.join('.'))).not.toBeNull();
    });

    test.each([0, 1, 2])('whatever the spare bits at the end of segment %d', (at) => {
      const segment = String(segments[at]);
      const last = BASE64URL.indexOf(segment.slice(-1));
      expect(last % 16).toBe(0);
      for (let spare = 1; spare < 16; spare++) {
        const other = segment.slice(0, -1) + BASE64URL.charAt(last + spare);
        expect(Buffer.from(other, 'base64url')).toEqual(Buffer.from(segment, 'base64url'));
        expect(parseCompactJwt(withSegment(at, other))).toBeNull();
      }
    });

    test.each([0, 1, 2])('without padding, white space or foreign characters in segment %d', (at) => {
      const segment = String(segments[at]);
      const half = segment.length / 2;
      const around = ['=', '==', ' ', '\n', '\r\n', '\t', '\u0000', '\u00a0', '!', '~', '%', 'é', '\ufeff'];
      for (const foreign of around) {
        expect(parseCompactJwt(withSegment(at, segment + foreign))).toBeNull();
        expect(parseCompactJwt(withSegment(at, foreign + segment))).toBeNull();
        const inside = segment.slice(0, half) + foreign + segment.slice(half);
        expect(parseCompactJwt(withSegment(at, inside))).toBeNull();
      }
    });

    test.each([0, 1, 2])('in the URL-safe alphabet in segment %d', (at) => {
      const both = Buffer.from('{"sub":"??>>??>>"}'.padEnd(43));
      const bytes = [
        Buffer.from(JSON.stringify({ ...HEADER, typ: '??>>~~' })),
        both,
        Buffer.alloc(256, 0xff),
      ];
      const safe = bytes.map((segment) => segment.toString('base64url'));
      expect(parseCompactJwt(safe.join('.'))).not.toBeNull();
      const standard = String(safe[at]).replaceAll('-', '+').replaceAll('_', '/');
      expect(standard).not.toBe(safe[at]);
      expect(parseCompactJwt(safe.with(at, standard).join('.'))).toBeNull();
    });
  });

  test.each([
    '',
    '.',
    '..',
    '...',
    `${json(HEADER)}.${json({})}`,
    `${json(HEADER)}.${json({})}.`,
    `.${json({})}.AAAA`,
    `${json(HEADER)}..AAAA`,
    `.${token(json(HEADER), json({}))}`,
    `${token(json(HEADER), json({}))}.`,
    `${token(json(HEADER), json({}))}.AAAA`,
    `${json(HEADER)}.AAAA.${json({})}.AAAA.AAAA`,
    JSON.stringify({ protected: json(HEADER), payload: json({}), signature: 'AAAA' }),
  ])('has exactly three segments, none of them empty: %s', (text) => {
    expect(parseCompactJwt(text)).toBeNull();
  });

  test.each([
    ['an extra member', JSON.stringify({ ...HEADER, x5u: 'https://evil.example' })],
    ['crit', JSON.stringify({ ...HEADER, crit: ['exp'] })],
    ['b64', JSON.stringify({ ...HEADER, b64: false })],
    ['zip', JSON.stringify({ ...HEADER, zip: 'DEF' })],
    ['an embedded key', JSON.stringify({ ...HEADER, jwk: {} })],
    ['no alg', JSON.stringify({ typ: 'at+jwt', kid: 'k1' })],
    ['no typ', JSON.stringify({ alg: 'RS256', kid: 'k1' })],
    ['no kid', JSON.stringify({ alg: 'RS256', typ: 'at+jwt' })],
    ['another member in place of kid', JSON.stringify({ alg: 'RS256', typ: 'at+jwt', KID: 'k1' })],
    ['a member named twice', '{"alg":"none","alg":"RS256","typ":"at+jwt","kid":"k1"}'],
    ['a member named twice by an escape', '{"alg":"RS256","typ":"at+jwt","kid":"k1","\\u006bid":"k1"}'],
    ['an alg that is no text', JSON.stringify({ ...HEADER, alg: ['RS256'] })],
    ['a typ that is no text', JSON.stringify({ ...HEADER, typ: null })],
    ['a kid that is no text', JSON.stringify({ ...HEADER, kid: 1 })],
    ['an empty kid', JSON.stringify({ ...HEADER, kid: '' })],
    ['a kid with a path', JSON.stringify({ ...HEADER, kid: '../../etc/passwd' })],
    ['a kid with a line end', JSON.stringify({ ...HEADER, kid: 'k1\n' })],
    ['a kid that is too long', JSON.stringify({ ...HEADER, kid: 'k'.repeat(65) })],
    ['an array', '["RS256","at+jwt","k1"]'],
    ['null', 'null'],
    ['text', '"RS256"'],
    ['no JSON', 'alg'],
    ['a byte order mark', `\ufeff${JSON.stringify(HEADER)}`],
    ['a prototype', '{"alg":"RS256","typ":"at+jwt","__proto__":{"kid":"k1"}}'],
  ])('is refused with a header that has or is %s', (_, header) => {
    expect(parseCompactJwt(token(encode(header), json({})))).toBeNull();
  });

  test.each([
    ['null', 'null'],
    ['an array', '[]'],
    ['text', '"alice"'],
    ['a number', '1'],
    ['true', 'true'],
    ['nothing', ' '],
    ['no JSON', '{sub:1}'],
    ['two documents', '{}{}'],
    ['a member named twice', '{"sub":"alice","sub":"bob"}'],
    ['a nested member named twice', '{"metadata":{"a":1,"\\u0061":2}}'],
    ['a prototype', '{"__proto__":{"sub":"admin"}}'],
    ['too deep', `{"a":${'['.repeat(20)}${']'.repeat(20)}}`],
  ])('is refused with a payload that is or has %s', (_, payload) => {
    expect(parseCompactJwt(token(json(HEADER), encode(payload)))).toBeNull();
  });

  test('is refused when its payload is not UTF-8', () => {
    const bytes = Buffer.concat([Buffer.from('{"sub":"'), Buffer.from([0xff]), Buffer.from('"}')]);
    expect(parseCompactJwt(token(json(HEADER), encode(bytes)))).toBeNull();
  });

  test('is read up to the size limit and refused beyond it, before it is decoded', () => {
    const start = `${json(HEADER)}.${json({})}.`;
    const longest = start + 'A'.repeat(Math.floor((MAX_TOKEN_LENGTH - start.length) / 4) * 4);
    expect(longest.length).toBeGreaterThan(MAX_TOKEN_LENGTH - 4);
    expect(parseCompactJwt(longest)).not.toBeNull();
    expect(parseCompactJwt(`${longest}AAAA`)).toBeNull();
    expect(parseCompactJwt('.'.repeat(10_000_000))).toBeNull();
  });
});
