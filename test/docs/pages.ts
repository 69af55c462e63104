/** The documents as their readers see them: headings and their anchors, links, blocks of code. */
import { existsSync, globSync, readFileSync } from 'node:fs';
import { resolve } from 'node:path';

export const ROOT = resolve(import.meta.dirname, '../..');

export interface Block {
  readonly page: string;
  /** `docs/recipes.md:12` */
  readonly place: string;
  /** The first word after the fence; empty when there is none. */
  readonly language: string;
  readonly text: string;
  /** Whether it comes after another block under the same heading. */
  readonly follows: boolean;
}

export interface Link {
  readonly place: string;
  readonly target: string;
}

export interface Page {
  readonly file: string;
  readonly anchors: ReadonlySet<string>;
  readonly links: readonly Link[];
  readonly blocks: readonly Block[];
  /** Without the blocks. */
  readonly prose: string;
}

/** What people read, in no order. */
export function pages(): Page[] {
  const files = ['README.md', 'CONTRIBUTING.md', 'CHANGELOG.md', 'sdk/README.md', 'examples/README.md'];
  const all = [...files, ...globSync('docs/**/*.md', { cwd: ROOT }).toSorted()];
  return all.filter((file) => existsSync(resolve(ROOT, file))).map(page);
}

export function page(file: string): Page {
  const lines = readFileSync(resolve(ROOT, file), 'utf8').split('\n');
  const blocks: Block[] = [];
  const links: Link[] = [];
  const prose: string[] = [];
  const headings: string[] = [];
  let open: { indent: string; fence: string; language: string; line: number; text: string[] } | null = null;
  let follows = false;
  for (const [at, line] of lines.entries()) {
    const [, indent = '', fence, language = ''] = /^( *)(`{3,})(\S*)/.exec(line) ?? [];
    if (open && line.trim() === open.fence) {
      const { text, language, line } = open;
      blocks.push({ page: file, place: `${file}:${line}`, language, text: text.join('\n'), follows });
      follows = true;
      open = null;
    } else if (open) {
      open.text.push(line.startsWith(open.indent) ? line.slice(open.indent.length) : line);
    } else if (fence) {
      open = { indent, fence, language, line: at + 1, text: [] };
    } else {
      const [, heading] = /^#{1,6} (.*)/.exec(line) ?? [];
      if (heading !== undefined) {
        headings.push(heading);
        follows = false;
      }
      prose.push(line);
      links.push(...linksIn(line, `${file}:${at + 1}`));
    }
  }
  if (open) throw new Error(`${file}:${open.line} opens a block that nothing closes`);
  return { file, anchors: anchorsOf(headings), links, blocks, prose: prose.join('\n') };
}

/** What stands in code is no link. */
function linksIn(line: string, place: string): Link[] {
  const text = line.replaceAll(/(?<!\[)`[^`]*`(?!\])/g, '');
  return [...text.matchAll(/\]\(([^)\s]+)\)/g)].map(([, target = '']) => ({ place, target }));
}

/** As git hosts make them: lower case, without punctuation, hyphens for spaces, numbered when they repeat. */
function anchorsOf(headings: readonly string[]): Set<string> {
  const anchors = new Set<string>();
  for (const heading of headings) {
    const plain = heading.replaceAll(/\[([^\]]*)\]\([^)]*\)/g, '$1').trim();
    const slug = plain
      .toLowerCase()
      .replaceAll(/[^\p{L}\p{N}_\- ]/gu, '')
      .replaceAll(' ', '-');
    let name = slug;
    for (let repeat = 1; anchors.has(name); repeat++) name = `${slug}-${repeat}`;
    anchors.add(name);
  }
  return anchors;
}
