import { describe, expect, test } from '@jest/globals';
import * as fc from 'fast-check';
import { FormError, MAX_FORM_PARAMETERS, parseStrictForm } from '../../src/http/strict-form.js';

const parse = (text: string | Buffer) => parseStrictForm(Buffer.from(text));

function refusal(bytes: string | Buffer): string {
  try {
    parse(bytes);
  } catch (error) {
    if (error instanceof FormError) return error.message;
    throw error;
  }
  throw new Error('the form was accepted');
}

const NOT_ENCODED = 'The body is not percent-encoded.';
const NOT_UTF8 = 'The body is not percent-encoded UTF-8.';
const TWICE = 'The body names a parameter twice.';
const NAMELESS = 'The body has a parameter without a name.';

describe('a strict form', () => {
  test.each([
    ['a=b', 'b'],
    ['a=b&c=d', 'b'],
    ['c&a=b', 'b'],
    ['a=b+c%20d%2B', 'b c d+'],
    ['a=%C3%A9%F0%9F%A6%8A', 'é🦊'],
    ['a=b=c==', 'b=c=='],
    ['%61=b', 'b'],
    ['A=x&a=b', 'b'],
    ['a=%00', '\0'],
  ])('%s is read', (text, value) => {
    expect(parse(text).get('a')).toBe(value);
  });

  test.each(['', 'a=', 'a', 'b=c'])('%j has no value of a: one that is empty counts as left out', (text) => {
    expect(parse(text).get('a')).toBeUndefined();
  });

  test.each([
    ['a=1&a=2', TWICE],
    ['a=1&a=1', TWICE],
    ['a=&a=1', TWICE],
    ['a&a', TWICE],
    ['a=1&%61=2', TWICE],
    ['a+b=1&a%20b=2', TWICE],
    ['a=1&', NAMELESS],
    ['&a=1', NAMELESS],
    ['a=1&&b=2', NAMELESS],
    ['=1', NAMELESS],
    ['a=%', NOT_UTF8],
    ['a=%zz', NOT_UTF8],
    ['a=%ff', NOT_UTF8],
    ['a=%c3', NOT_UTF8],
    ['a=%c0%af', NOT_UTF8],
    ['a=%ed%a0%80', NOT_UTF8],
    ['a=%f4%90%80%80', NOT_UTF8],
    ['%ff=1', NOT_UTF8],
    ['a=%u00e9', NOT_UTF8],
    ['a=é', NOT_ENCODED],
    ['a=b c', NOT_ENCODED],
    ['a=b\n', NOT_ENCODED],
    ['a=b\r\nb=c', NOT_ENCODED],
    ['a=\0', NOT_ENCODED],
    ['\ufeffa=1', NOT_ENCODED],
    [Buffer.from([0x61, 0x3d, 0xff]), NOT_ENCODED],
  ])('%j is refused', (text, message) => {
    expect(refusal(text)).toBe(message);
  });

  test('has a largest number of parameters', () => {
    const many = (count: number) => Array.from({ length: count }, (_, at) => `p${at}=1`).join('&');
    expect(parse(many(MAX_FORM_PARAMETERS)).get('p31')).toBe('1');
    expect(refusal(many(MAX_FORM_PARAMETERS + 1))).toBe('The body has too many parameters.');
    expect(refusal('&'.repeat(60_000))).toBe('The body has too many parameters.');
  });

  test('keeps names of objects to itself', () => {
    const form = parse('__proto__=1&constructor=2&toString=3');
    expect(['__proto__', 'constructor', 'toString', 'get', 'valueOf'].map((name) => form.get(name))).toEqual([
      '1',
      '2',
      '3',
      undefined,
      undefined,
    ]);
    expect(form).not.toHaveProperty('admin');
  });

  test('reads what URLSearchParams writes, alike', () => {
    const text = fc.string({ unit: 'grapheme', maxLength: 20 });
    fc.assert(
      fc.property(fc.dictionary(text.filter(Boolean), text, { maxKeys: MAX_FORM_PARAMETERS }), (pairs) => {
        const form = parse(new URLSearchParams(pairs).toString());
        for (const [name, value] of Object.entries(pairs)) expect(form.get(name) ?? '').toBe(value);
      }),
    );
  });

  test('takes any bytes or leaves them', () => {
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 200 }), (bytes) => {
        try {
          parseStrictForm(Buffer.from(bytes));
        } catch (error) {
          expect(error).toBeInstanceOf(FormError);
        }
      }),
      { numRuns: 2000 },
    );
  });
});
