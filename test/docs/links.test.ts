/** Every page is found from the README, and no link leads nowhere. */
import { existsSync, statSync } from 'node:fs';
import { posix, resolve } from 'node:path';
import { describe, expect, test } from '@jest/globals';
import { page, pages, ROOT } from './pages.js';

const PAGES = pages();

/** `docs/errors.md#two-kinds` from `docs/audit.md` -> file and anchor; null for what is not in this repository. */
function destination(from: string, target: string): { file: string; anchor: string } | null {
  if (/^[a-z]+:/.test(target)) return null;
  const [path = '', anchor = ''] = target.split('#');
  return { file: path === '' ? from : posix.join(posix.dirname(from), path), anchor };
}

describe('links', () => {
  test('are found', () => {
    expect(PAGES.flatMap(({ links }) => links).length).toBeGreaterThan(100);
  });

  test.each(PAGES.map(({ file }) => file))('of %s lead somewhere', (file) => {
    const dead = page(file).links.filter(({ target }) => {
      const to = destination(file, target);
      if (!to) return false;
      if (!existsSync(resolve(ROOT, to.file))) return true;
      if (to.anchor === '' || !to.file.endsWith('.md')) return false;
      return !page(to.file).anchors.has(to.anchor);
    });
    expect(dead).toEqual([]);
  });

  test('lead from the README to every page', () => {
    const reached = new Set<string>();
    const follow = (file: string): void => {
      if (reached.has(file) || !file.endsWith('.md') || !existsSync(resolve(ROOT, file))) return;
      reached.add(file);
      for (const { target } of page(file).links) {
        const to = destination(file, target);
        if (to) follow(to.file);
      }
    };
    follow('README.md');
    const folders = [...reached, ...linkedFolders()];
    const lost = PAGES.map(({ file }) => file).filter(
      (file) => !folders.some((found) => found === file || file.startsWith(`${found}/`)),
    );
    expect(lost).toEqual([]);
  });
});

/** A link to a folder shows all that is in it. */
function linkedFolders(): string[] {
  return page('README.md')
    .links.map(({ target }) => destination('README.md', target)?.file ?? '')
    .filter((file) => file !== '' && existsSync(resolve(ROOT, file)))
    .filter((file) => statSync(resolve(ROOT, file)).isDirectory());
}
