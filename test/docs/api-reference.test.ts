import { spawnSync } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from '@jest/globals';
import { page, ROOT } from './pages.js';

interface Operation {
  readonly 'x-access'?: { readonly who: string; readonly scope?: string };
}
const document: { readonly paths: Readonly<Record<string, Readonly<Record<string, Operation>>>> } =
  JSON.parse(readFileSync(resolve(ROOT, 'docs/openapi.json'), 'utf8'));

describe('the API reference', () => {
  let directory: string;
  beforeAll(() => {
    directory = mkdtempSync(join(tmpdir(), 'api-reference-'));
  });
  afterAll(() => rmSync(directory, { recursive: true, force: true }));

  test('that is committed is the one that the document makes: if not, run "npm run docs:api"', () => {
    const made = join(directory, 'api.md');
    const { status, stderr } = spawnSync(process.execPath, ['docs/api.mjs', made], {
      cwd: ROOT,
      encoding: 'utf8',
    });
    expect({ status, stderr }).toEqual({ status: 0, stderr: '' });
    const committed = readFileSync(resolve(ROOT, 'docs/api.md'), 'utf8');
    expect(readFileSync(made, 'utf8') === committed).toBe(true);
  });

  test('has a section for every operation, and says who may call it', () => {
    const text = readFileSync(resolve(ROOT, 'docs/api.md'), 'utf8');
    for (const [path, verbs] of Object.entries(document.paths)) {
      for (const [verb, { 'x-access': access }] of Object.entries(verbs)) {
        const name = `${verb.toUpperCase()} ${path}`;
        const [, section = ''] = text.split(`\n### ${name}\n`);
        const [, who = ''] = /^\*\*Who\*\*: (.*)$/m.exec(section) ?? [];
        expect({ name, who }).toEqual({ name, who: expect.stringContaining(access?.scope ?? '') });
        expect({ name, who }).toEqual({ name, who: expect.stringMatching(/\.$/) });
      }
    }
  });

  test('shows JSON where it says so', () => {
    const wrong = page('docs/api.md').blocks.filter(({ text }) => {
      try {
        JSON.parse(text);
        return false;
      } catch {
        return true;
      }
    });
    expect(wrong).toEqual([]);
  });
});
