/** TypeScript and JavaScript in the documents compiles, against the types that are published. */
import { spawnSync } from 'node:child_process';
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { join, resolve } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from '@jest/globals';
import { buildSdkOnce } from '../sdk/built-sdk.js';
import { pages, ROOT, type Block } from './pages.js';

const SDK = "import('session-service-sdk')";
const EXPRESS = "declare const app: import('express').Express;";
const VERIFIER = `declare const verifier: ${SDK}.SessionVerifier;`;

/** What a block takes for granted, by its first line. */
const GIVEN: Readonly<Record<string, string>> = {
  "import { SessionVerifier } from 'session-service-sdk';": 'declare const token: string;',
  "import { requireSession } from 'session-service-sdk/express';": `${EXPRESS} ${VERIFIER}
    declare const placeOrder: import('express').RequestHandler;`,
  "import { sessions } from 'session-service-sdk/fastify';": `${VERIFIER}
    declare const app: import('fastify').FastifyInstance;`,
  "import { HttpException } from '@nestjs/common';": `${VERIFIER}
    import { Get, Req, UseGuards } from '@nestjs/common';`,
  '// in the application': `${EXPRESS} declare const client: ${SDK}.SessionClient;
    import express from 'express';
    import { isRefusal, SessionServiceError } from 'session-service-sdk';`,
  "import { decodeJwt, jwtVerify } from 'jose';": 'declare const ourKey: Uint8Array;',
  'export async function exchange(oldRefreshToken: string) {': `declare const client: ${SDK}.SessionClient;
    declare const spendOldRefreshToken: (token: string) => Promise<string>;`,
  '// in the page': `declare const accessToken: string; declare const refreshToken: string;
    declare const expiresInSeconds: number;`,
};

const CODE = new Set(['ts', 'typescript', 'js', 'javascript', 'mjs']);
const BLOCKS = pages().flatMap(({ blocks }) => blocks.filter(({ language }) => CODE.has(language)));
const firstLine = ({ text }: Block) => text.split('\n', 1)[0] ?? '';

/** Methods of a class are shown without the class. */
function whole({ text }: Block): string {
  const lines = text.split('\n');
  if (!lines.some((line) => line.startsWith('@'))) return text;
  const imports = lines.filter((line) => line.startsWith('import '));
  const members = lines.filter((line) => !line.startsWith('import '));
  return [...imports, 'export class Shown {', ...members, '}'].join('\n');
}

describe('code in the documents', () => {
  let folder: string;
  beforeAll(() => {
    buildSdkOnce();
    // Inside the repository, so that its packages are found from there.
    mkdirSync(resolve(ROOT, 'data'), { recursive: true });
    folder = mkdtempSync(resolve(ROOT, 'data/code-blocks-'));
  });
  afterAll(() => rmSync(folder, { recursive: true, force: true }));

  test('is found, and takes nothing for granted that it need not', () => {
    expect(BLOCKS.length).toBeGreaterThan(5);
    const shown = new Set(BLOCKS.map(firstLine));
    expect(Object.keys(GIVEN).filter((line) => !shown.has(line))).toEqual([]);
  });

  test('compiles', () => {
    for (const block of BLOCKS) {
      const isJs = ['js', 'javascript', 'mjs'].includes(block.language);
      const name = `${block.place.replaceAll(/[^\w-]/g, '_')}.${isJs ? 'mjs' : 'mts'}`;
      const given = GIVEN[firstLine(block)] ?? '';
      writeFileSync(join(folder, name), `${whole(block)}\n${given}\nexport {};\n`);
    }
    const options = {
      extends: '../../tsconfig.json',
      compilerOptions: {
        lib: ['ES2024', 'DOM'],
        allowJs: true,
        checkJs: true,
        noEmit: true,
        rootDir: '../..',
        noUnusedLocals: false,
        noPropertyAccessFromIndexSignature: false,
      },
      include: ['*'],
    };
    writeFileSync(join(folder, 'tsconfig.json'), JSON.stringify(options));
    const tsc = resolve(ROOT, 'node_modules/typescript/bin/tsc');
    const { stdout, stderr } = spawnSync(process.execPath, [tsc, '-p', folder], { encoding: 'utf8' });
    expect(stdout + stderr).toBe('');
  });
});
