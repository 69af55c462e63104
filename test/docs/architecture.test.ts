/** docs/architecture.md draws the code that there is: its parts, their order, and who calls whom. */
import { existsSync, globSync, readdirSync, readFileSync } from 'node:fs';
import { resolve } from 'node:path';
import { describe, expect, test } from '@jest/globals';
import { page, ROOT } from './pages.js';

const read = (file: string) => readFileSync(resolve(ROOT, file), 'utf8');
const PAGE = 'docs/architecture.md';
const TEXT = read(PAGE);
const DIAGRAMS = page(PAGE).blocks.filter(({ language }) => language === 'mermaid');

/** Class -> the text of the file that declares it. */
const CLASSES = new Map(
  globSync('src/**/*.ts', { cwd: ROOT }).flatMap((file) => {
    const text = read(file);
    return [...text.matchAll(/^export (?:abstract )?class (\w+)/gm)].map(
      ([, name = '']) => [name, text] as const,
    );
  }),
);

interface Call {
  readonly from: string;
  readonly to: string;
  readonly method: string;
}

/** Those between two classes; what comes from outside, and answers, have no method. */
function callsIn(diagram: string): Call[] {
  const participants = new Map(
    [...diagram.matchAll(/participant (\w+) as (.+)$/gm)].map(([, alias = '', name = '']) => [alias, name]),
  );
  return [...diagram.matchAll(/^ *(\w+)->>(\w+): (\w+)\(\)$/gm)].map(
    ([, from = '', to = '', method = '']) => ({
      from: participants.get(from) ?? '',
      to: participants.get(to) ?? '',
      method,
    }),
  );
}

describe('the architecture page', () => {
  test('names files and folders that exist', () => {
    const named = [...TEXT.matchAll(/\bsrc\/[\w./-]*\w/g)].map(([name]) => name);
    expect(named.length).toBeGreaterThan(40);
    expect(named.filter((name) => !existsSync(resolve(ROOT, name)))).toEqual([]);
  });

  test('names every folder of the sources', () => {
    const folders = readdirSync(resolve(ROOT, 'src'), { withFileTypes: true })
      .filter((entry) => entry.isDirectory())
      .map(({ name }) => `\`src/${name}\``);
    expect(folders.filter((name) => !TEXT.includes(name))).toEqual([]);
  });

  test('draws the layers in the order that the house has them', () => {
    const [, layers = ''] = /const LAYERS = \[([^\]]*)\]/.exec(read('test/house.test.ts')) ?? [];
    const order = [...layers.matchAll(/'(\w+)'/g)].map(([, name = '']) => name);
    expect(order.length).toBeGreaterThan(5);
    const solid = (DIAGRAMS[0]?.text ?? '')
      .split('\n')
      .filter((line) => / --> /.test(line) && !line.includes('-.'));
    const drawn = solid.flatMap((line) =>
      line
        .trim()
        .split(' --> ')
        .map((node) => node.replace(/\[.*/, '')),
    );
    expect(drawn.filter((name, at) => name !== drawn[at - 1])).toEqual(order);
  });

  const calls = DIAGRAMS.flatMap(({ text }) => callsIn(text));

  test('draws calls', () => {
    expect(calls.length).toBeGreaterThan(15);
  });

  test.each(calls)('is right that $from calls $method of $to', ({ from, to, method }) => {
    expect({ from, to, known: [CLASSES.has(from), CLASSES.has(to)] }).toEqual({
      from,
      to,
      known: [true, true],
    });
    expect(CLASSES.get(to)).toMatch(new RegExp(String.raw`^  (abstract |async )*${method}[(<]`, 'm'));
    expect(CLASSES.get(from)).toMatch(new RegExp(String.raw`\.${method}\(`));
    // An injected one, by its type.
    expect(CLASSES.get(from)).toMatch(new RegExp(String.raw`: ${to}\b`));
  });

  test('draws the states that a key can have', () => {
    const [, union = ''] = /export type KeyState = ([^;]*);/.exec(read('src/keys/key-ring.ts')) ?? [];
    const states = [...union.matchAll(/'(\w+)'/g)].map(([, name = '']) => name);
    const drawing = DIAGRAMS.find(({ text }) => text.startsWith('stateDiagram'))?.text ?? '';
    const drawn = new Set(
      [...drawing.matchAll(/\b(\w+) -->|--> (\w+)/g)].map(([, from, to]) => from ?? to ?? ''),
    );
    expect([...drawn].toSorted()).toEqual(states.toSorted());
  });
});
