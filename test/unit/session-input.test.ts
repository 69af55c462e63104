import { describe, expect, test } from '@jest/globals';
import { isUserId, metadataProblem } from '../../src/sessions/session-input.js';

describe('a user id', () => {
  test.each([
    'a',
    ' ',
    'alice@example.com',
    'auth0|5f7c',
    'urn:user:{1}*',
    'o\'hara "x" \\',
    '用户',
    'é',
    'e\u0301',
    '👩🏽',
    'x'.repeat(256),
    'é'.repeat(128),
    '😀'.repeat(64),
  ])('may be %j', (userId) => {
    expect(isUserId(userId)).toBe(true);
  });

  test.each([
    ['empty', ''],
    ['longer than 256 bytes', 'x'.repeat(257)],
    ['longer than 256 bytes of UTF-8', `${'é'.repeat(128)}x`],
    ['with a NUL', 'a\u0000b'],
    ['with a line end', 'alice\n'],
    ['with a tab', 'a\tb'],
    ['with a C1 control', 'a\u0085b'],
    ['with DEL', 'a\u007f'],
    ['with a zero-width space', 'a\u200bb'],
    ['with a zero-width joiner', 'a\u200db'],
    ['with a right-to-left override', 'a\u202eb'],
    ['with an isolate', 'a\u2066b'],
    ['with a soft hyphen', 'a\u00adb'],
    ['with a byte order mark', '\ufeffalice'],
    ['with a line separator', 'a\u2028b'],
    ['with a paragraph separator', 'a\u2029b'],
    ['with a private-use character', '\ue000'],
    ['with an unassigned character', '\u0378'],
    ['with a tag character', 'a\u{e0041}'],
    ['with half a character at the end', 'a\ud83d'],
    ['with half a character at the start', '\ude00a'],
    ['a number', 7],
    ['null', null],
    ['a list', ['alice']],
    ['an object', { toString: () => 'alice' }],
    ['missing', undefined],
  ])('is refused %s', (_, value) => {
    expect(isUserId(value)).toBe(false);
  });
});

const BYTES = 4096;

const members = (count: number): object =>
  Object.fromEntries(Array.from({ length: count }, (_, n) => [`m${n}`, n]));
const ofBytes = (bytes: number): object => ({ a: 'x'.repeat(bytes - '{"a":""}'.length) });

describe('metadata', () => {
  test.each([
    ['empty', {}],
    ['of every kind', { text: 'x', number: -1.5, yes: true, list: ['x', 1, false], none: [], '': '' }],
    ['of 32 members', members(32)],
    ['of 4 KiB', ofBytes(BYTES)],
    ['with unicode', { ключ: '👩🏽\u200d💻 \u2028\n' }],
    ['with the largest whole numbers', { a: Number.MAX_SAFE_INTEGER, b: [-Number.MAX_SAFE_INTEGER] }],
    ['with tiny fractions', { a: 5e-324, b: 0.1 }],
  ])('may be %s', (_, value) => {
    expect(metadataProblem(value)).toBeNull();
  });

  test.each([
    ['null', null, 'a JSON object'],
    ['a list', [], 'a JSON object'],
    ['a text', 'x', 'a JSON object'],
    ['a number', 1, 'a JSON object'],
    ['missing', undefined, 'a JSON object'],
    ['of 33 members', members(33), 'at most 32 members'],
    ['larger than 4 KiB', ofBytes(BYTES + 1), 'at most 4096 bytes'],
    ['larger than 4 KiB in UTF-8', { a: 'é'.repeat(2048) }, 'at most 4096 bytes'],
    ['larger than 4 KiB once escaped', { a: '\n'.repeat(2048) }, 'at most 4096 bytes'],
    ['larger than 4 KiB by a list', { a: Array<number>(2100).fill(1) }, 'at most 4096 bytes'],
    ['larger than 4 KiB by a name', { ['n'.repeat(BYTES)]: 1 }, 'at most 4096 bytes'],
    ['with null in it', { a: null }, 'arrays of them only'],
    ['with an object in it', { a: {} }, 'arrays of them only'],
    ['with a list in a list', { a: [[]] }, 'arrays of them only'],
    ['with null in a list', { a: ['x', null] }, 'arrays of them only'],
    ['with an object in a list', { a: [{}] }, 'arrays of them only'],
    ['with half a character', { a: '\ud83d' }, 'well-formed Unicode'],
    ['with half a character in a list', { a: ['\ude00'] }, 'well-formed Unicode'],
    ['with half a character in a name', { '\ud83d': 1 }, 'well-formed Unicode'],
    ['with a number that lost digits', { a: 2 ** 53 }, '2^53 - 1'],
    ['with such a number in a list', { a: [1, -(2 ** 53)] }, '2^53 - 1'],
    ['with a number beyond all bounds', { a: Infinity }, '2^53 - 1'],
  ])('is refused when it is %s', (_, value, rule) => {
    expect(metadataProblem(value)).toContain(rule);
  });

  test('is refused in words that quote none of it', () => {
    for (const value of [{ secret: null }, { secret: ['secret', {}] }, { a: 'secret'.repeat(1000) }]) {
      expect(metadataProblem(value)).not.toContain('secret');
    }
  });
});
