import { describe, expect, test } from '@jest/globals';
import { JsonError, MAX_JSON_DEPTH, parseStrictJson } from '../../src/http/strict-json.js';
import { Random } from '../contract/random.js';

const parse = (text: string): unknown => parseStrictJson(Buffer.from(text));

function refusal(bytes: Buffer | string): string {
  try {
    parseStrictJson(Buffer.from(bytes));
  } catch (error) {
    if (error instanceof JsonError) return error.message;
    throw error;
  }
  throw new Error('the document was accepted');
}

const NOT_JSON = 'The body is not valid JSON.';
const TWICE = 'The body names a member twice.';

describe('strict JSON', () => {
  test.each([
    '{}',
    '[]',
    'null',
    '-0.5e-7',
    '"a"',
    ' \t\r\n{ "a" \t\r\n:\n[ 1 , { } ] } ',
    '{"a":{"a":{"a":1}},"b":{"a":1}}',
    '[{"a":1},{"a":2}]',
    '{"a":"a","b":["a","a"],"c":"c"}',
    '{"a":"\\"","b":"\\\\","c":"\\\\\\"","d":"\\\\\\\\"}',
    '{"a\\"":1,"a":2,"a\\\\":3}',
    '{"a":"{\\"a\\":1,\\"a\\":2}"}',
    '{"a":"]}[{","b":"}"}',
    '{"A":1,"a":2,"a ":3,"":4}',
    '{"\\u00e9":1,"e\\u0301":2}',
    '{"proto":1,"__proto":2,"constructors":3}',
    '{"a":"constructor"}',
    '{"a":"__proto__"}',
    '"\\ud83d\\ude00 \\\\ud83d"',
  ])('reads %s as JSON.parse does', (text) => {
    expect(parse(text)).toEqual(JSON.parse(text));
  });

  test.each([
    '{"a":1,"a":1}',
    '{"a":1,"b":2,"a":3}',
    '{"a":1,"\\u0061":2}',
    '{"\\u0061":1,"a":2}',
    '{"\\u0061":1,"\\u0061":2}',
    '{"\\n":1,"\\u000a":2}',
    '{"\\u000A":1,"\\u000a":2}',
    '{"/":1,"\\/":2}',
    '{"\\"":1,"\\u0022":2}',
    '{"\\\\":1,"\\u005c":2}',
    '{"é":1,"\\u00e9":2}',
    '{"😀":1,"\\ud83d\\ude00":2}',
    '{"":1,"":2}',
    '{"a" :1,"a"\n:2}',
    '{"a":{"b":1,"b":2}}',
    '[[{"b":1,"b":2}]]',
    '{"a":[{"x":{}},{"x":1,"y":{},"x":2}]}',
    '{"a":{"a":1},"a":2}',
    '{"toString":1,"toString":2}',
    '{"a":"\\\\","a":1}',
  ])('refuses a member named twice: %s', (text) => {
    expect(refusal(text)).toBe(TWICE);
  });

  test.each([
    '{"__proto__":1}',
    '{"constructor":1}',
    '{"a":[{"c\\u006fnstructor":{}}]}',
    '{"a":[{"__proto__":{}}]}',
    '{"\\u005f_proto__":1}',
    '{"__proto\\u005f_":1}',
  ])('refuses a member that would be a prototype: %s', (text) => {
    expect(refusal(text)).toBe('A member of the body has a name that is not allowed.');
  });

  test.each([
    '"\\ud83d"',
    '"\\uD83D\\ud83d"',
    '"\\ude00\\ud83d"',
    '"\\ud83d\\\\ude00"',
    '"\\\\\\ud83d"',
    '["a",["\\uDFFF"]]',
    '{"a":"\\ud800"}',
    '{"\\udc00":1}',
  ])('refuses half of a surrogate pair: %s', (text) => {
    expect(refusal(text)).toBe('The body is not well-formed Unicode.');
  });

  test.each([
    ['a lone continuation byte', [0x22, 0x80, 0x22]],
    ['an overlong encoding', [0x22, 0xc0, 0xaf, 0x22]],
    ['a surrogate', [0x22, 0xed, 0xa0, 0x80, 0x22]],
    ['a truncated sequence', [0x22, 0xe2, 0x82, 0x22]],
    ['more than 21 bits', [0x22, 0xf5, 0x80, 0x80, 0x80, 0x22]],
    ['Latin-1', [...Buffer.from('{"é":1}', 'latin1')]],
    ['UTF-16', [0xff, 0xfe, ...Buffer.from('{}', 'utf16le')]],
  ])('refuses bytes that are not UTF-8: %s', (_, bytes) => {
    expect(refusal(Buffer.from(bytes))).toBe('The body is not well-formed UTF-8.');
  });

  test.each(['[', '{"a":'])('counts depth by %s and refuses one level too many', (opening) => {
    const closing = opening === '[' ? ']' : '}';
    const nested = (depth: number) =>
      `${opening.repeat(depth - 1)}${opening === '[' ? '[' : '{'}${closing.repeat(depth)}`;
    expect(parse(nested(MAX_JSON_DEPTH))).toEqual(JSON.parse(nested(MAX_JSON_DEPTH)));
    expect(refusal(nested(MAX_JSON_DEPTH + 1))).toBe('The body is nested deeper than 16 levels.');
  });

  test('refuses half a million levels without running out of stack', () => {
    expect(refusal('['.repeat(500_000))).toMatch('nested deeper');
    expect(refusal('{"a":'.repeat(500_000))).toMatch('nested deeper');
  });

  test('counts depth and not the number of brackets', () => {
    expect(parse(`[${'[],{},'.repeat(1000)}"${'['.repeat(1000)}"]`)).toHaveLength(2001);
  });

  test.each([
    '',
    ' ',
    '{',
    '}',
    ']',
    '[}',
    '{]',
    '}{"a":1}',
    '{"a"}',
    '{"a":1,}',
    '[1,]',
    '{a:1}',
    "{'a':1}",
    '{"a":1}{"a":1}',
    '{"a":1} x',
    '"',
    '"abc',
    '"abc\\',
    '"abc\\"',
    '"abc\\\\\\"',
    '{"a',
    '{"a":"b}',
    '{"\\u00":1}',
    '{"\\x61":1}',
    '"\\u12g4"',
    '"\t"',
    '"\u0000"',
    '{"a":NaN}',
    '[01]',
    '[+1]',
    '[.5]',
    '[0x1]',
    'undefined',
    '/**/{}',
    '\ufeff{}',
    '{"a"\u00a0:1}',
    '{"a":1;"b":2}',
  ])('refuses what is not JSON: %j', (text) => {
    expect(refusal(text)).toBe(NOT_JSON);
  });

  test('reads a megabyte of quotes and backslashes in good time', () => {
    const tricky = JSON.stringify({ a: '\\"'.repeat(250_000), b: '\\'.repeat(500_000) });
    const startMs = performance.now();
    expect(parse(tricky)).toEqual(JSON.parse(tricky));
    expect(performance.now() - startMs).toBeLessThan(10_000);
  });

  test('quotes nothing of the document in its refusals', () => {
    for (const text of ['{"secret":1,"secret":2}', '{"secret', '{"secret":secret}', '{"s":"\\usecret"}']) {
      expect(refusal(text)).not.toContain('secret');
    }
  });

  describe('on random documents', () => {
    const SEEDS = Array.from({ length: 300 }, (_, seed) => seed + 1);

    test('agrees with JSON.parse, however they are spelled', () => {
      for (const seed of SEEDS) {
        const value = randomValue(new Random(seed), 5);
        const text = respell(JSON.stringify(value), new Random(seed));
        expect({ seed, value: parse(text) }).toEqual({ seed, value });
      }
    });

    test('agrees with JSON.parse about what is valid when some characters change', () => {
      for (const seed of SEEDS) {
        const random = new Random(seed);
        const text = damage(JSON.stringify(randomValue(random, 4)), random);
        const wanted = attempt(() => JSON.parse(text));
        const got = attempt(() => parse(text));
        const stricter = got === TWICE || String(got).includes('not allowed');
        if (!stricter) expect({ text, value: got }).toEqual({ text, value: wanted });
      }
    });
  });
});

function attempt(read: () => unknown): unknown {
  try {
    return read();
  } catch (error) {
    return error instanceof JsonError && error.message !== NOT_JSON ? error.message : 'refused';
  }
}

const PIECES = [
  'a',
  'b',
  '"',
  '\\',
  '\n',
  '{',
  '}',
  '[',
  ']',
  ':',
  ',',
  ' ',
  'é',
  '😀',
  '\u2028',
  'u0061',
  '/',
];

function randomText(random: Random): string {
  return Array.from({ length: random.below(6) }, () => random.pick(PIECES)).join('');
}

function randomValue(random: Random, depth: number): unknown {
  const kind = random.below(depth > 0 ? 6 : 4);
  if (kind === 0) return random.pick([null, true, false]);
  if (kind === 1) return random.pick([0, -1, 1.5, 1e21, 5e-324, 9007199254740991]);
  if (kind <= 3) return randomText(random);
  const items = Array.from({ length: random.below(5) }, () => randomValue(random, depth - 1));
  if (kind === 4) return items;
  return Object.fromEntries(items.map((item) => [randomText(random), item]));
}

/** The same document, with some letters escaped and white space about. */
function respell(text: string, random: Random): string {
  let inString = false;
  const spelled = (text.match(/\\u[0-9a-f]{4}|\\.|./gsu) ?? []).map((char) => {
    if (char === '"') inString = !inString;
    if (char === '"' || char.startsWith('\\')) return char;
    if (!inString) return ':,{}[]'.includes(char) ? char + random.pick(['', ' ', '\n\t']) : char;
    return random.below(3) === 0 ? escaped(char) : char;
  });
  return spelled.join('');
}

function escaped(char: string): string {
  const units = Array.from({ length: char.length }, (_, at) => char.charCodeAt(at));
  return units.map((unit) => `\\u${unit.toString(16).padStart(4, '0')}`).join('');
}

function damage(text: string, random: Random): string {
  const at = random.below(text.length);
  const piece = random.pick(['', '"', '\\', '{', '}', '[', ']', ':', ',', ' ', '0', 'e', '\\"', '\\u00']);
  return (text.slice(0, at) + piece + text.slice(at + random.below(2))).toWellFormed();
}
