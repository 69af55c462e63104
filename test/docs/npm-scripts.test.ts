/** What a document tells its reader to type exists, and what exists is told. */
import { readFileSync } from 'node:fs';
import { resolve } from 'node:path';
import { describe, expect, test } from '@jest/globals';
import { pages, ROOT } from './pages.js';

/** Run by other scripts or by CI; nobody types them. */
const INTERNAL: readonly string[] = [];

const TEXTS = pages()
  .filter(({ file }) => file !== 'CHANGELOG.md')
  .map(({ file, prose, blocks }) => ({
    file,
    text: [prose, ...blocks.map(({ text }) => text)].join('\n'),
  }));

const named = TEXTS.flatMap(({ file, text }) => [
  ...[...text.matchAll(/\bnpm run (?:-[^ ]+ )*([a-z0-9:-]+)/g)].map(([, name = '']) => ({ file, name })),
  ...[...text.matchAll(/\bnpm (test|start)\b/g)].map(([, name = '']) => ({ file, name })),
]);

const scriptsOf = (manifest: string): string[] => {
  const { scripts } = JSON.parse(readFileSync(resolve(ROOT, manifest), 'utf8')) as {
    scripts?: Record<string, string>;
  };
  return Object.keys(scripts ?? {});
};

describe('npm scripts', () => {
  test('that a document names exist', () => {
    const known = new Set([...scriptsOf('package.json'), ...scriptsOf('sdk/package.json')]);
    expect(named.length).toBeGreaterThan(15);
    expect(named.filter(({ name }) => !known.has(name))).toEqual([]);
  });

  test('that exist are named by a document, or are internal', () => {
    const told = new Set(named.map(({ name }) => name));
    const silent = scriptsOf('package.json').filter((name) => !told.has(name));
    expect(silent.toSorted()).toEqual(INTERNAL.toSorted());
  });
});
