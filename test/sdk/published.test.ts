/** The built SDK in the hands of those who install it: ES modules and CommonJS, types, the oldest Node, web pages. */
import { beforeAll, describe, expect, test } from '@jest/globals';
import { readFileSync } from 'node:fs';
import { resolve } from 'node:path';
import { buildSdkOnce, consumer, oldestNode, run } from './built-sdk.js';

beforeAll(() => {
  buildSdkOnce();
});

const ENTRIES = ['', '/express', '/fastify', '/nest', '/testing', '/browser'];

/** The same use by both kinds of module. */
const USE = `
async function main() {
  const tenant = await createTestTenant();
  const verifier = tenant.verifier();
  await verifier.ready();
  const login = await tenant.client().create({ userId: 'bob', scope: 'read' });
  const session = await verifier.verify(login.accessToken);
  let heard = false;
  await tenant.client().revoke(login.accessToken, { reason: 'user_logout' });
  for (let time = 0; time < 500 && !heard; time++) {
    heard = await verifier.verify(login.accessToken).then(
      () => false,
      (error) => error instanceof SessionServiceError && error.code === 'token_revoked',
    );
    await new Promise((resolve) => setTimeout(resolve, 10));
  }
  const kinds = [typeof requireSession, typeof sessions, typeof SessionGuard, typeof browserStore];
  console.log(JSON.stringify({ userId: session.userId, heard, kinds }));
  await tenant.close();
}
main();
`;

const SAID = { userId: 'bob', heard: true, kinds: ['function', 'function', 'function', 'function'] };
const IMPORTS = `
import { SessionServiceError } from 'session-service-sdk';
import { requireSession } from 'session-service-sdk/express';
import { sessions } from 'session-service-sdk/fastify';
import { SessionGuard } from 'session-service-sdk/nest';
import { createTestTenant } from 'session-service-sdk/testing';
import { browserStore } from 'session-service-sdk/browser';
`;
const REQUIRES = IMPORTS.replaceAll(/import (\{.*\}) from (.*);/g, 'const $1 = require($2);');

describe('under the oldest Node at hand', () => {
  const node = oldestNode();

  test('an ES module runs, and its process leaves by itself', () => {
    const folder = consumer({ 'main.mjs': IMPORTS + USE }, ['jose']);
    const { stdout, stderr, status } = run(node.path, ['main.mjs'], folder);
    expect({ stderr, status, said: JSON.parse(stdout) }).toEqual({ stderr: '', status: 0, said: SAID });
  });

  test('CommonJS runs without any package beside it, and its process leaves by itself', () => {
    const folder = consumer({ 'main.cjs': REQUIRES + USE });
    const { stdout, stderr, status } = run(node.path, ['main.cjs'], folder);
    expect({ stderr, status, said: JSON.parse(stdout) }).toEqual({ stderr: '', status: 0, said: SAID });
  });

  test('an error of one kind of module is known to the other', () => {
    const main = `
import { createRequire } from 'node:module';
import { SessionServiceError } from 'session-service-sdk';
const other = createRequire(import.meta.url)('session-service-sdk');
const error = new other.SessionServiceError('token_expired', '', { action: 'refresh' });
console.log(error instanceof SessionServiceError, error instanceof other.SessionServiceError, {} instanceof SessionServiceError);
`;
    const { stdout, stderr } = run(node.path, ['main.mjs'], consumer({ 'main.mjs': main }, ['jose']));
    expect({ stdout, stderr }).toEqual({ stdout: 'true true false\n', stderr: '' });
  });
});

describe('types', () => {
  const TYPED = `
import { SessionClient, SessionVerifier, type Session } from 'session-service-sdk';
import { requireSession } from 'session-service-sdk/express';
import { sessions } from 'session-service-sdk/fastify';
import { SessionGuard, type AuthenticatedRequest } from 'session-service-sdk/nest';
import { createTestTenant, type TestService } from 'session-service-sdk/testing';
import { browserStore, SessionTokens, refreshAt } from 'session-service-sdk/browser';
import express = require('express');
import { fastify } from 'fastify';
import type { CanActivate } from '@nestjs/common';
import { HttpException } from '@nestjs/common';

const client = new SessionClient({ url: 'https://sessions.test', apiKey: 'x', tenantId: 'acme' });
export async function use(verifier: SessionVerifier): Promise<Session> {
  const app = express();
  app.get('/', requireSession(verifier, { scope: 'read' }), (request, response) => {
    response.json(request.auth?.userId satisfies string | undefined);
  });
  const server = fastify();
  await server.register(sessions, { verifier });
  server.get('/', { onRequest: server.requireSession() }, (request) => request.auth?.userId);
  const guard: CanActivate = new SessionGuard(verifier, { HttpException });
  const tokens = new SessionTokens({ refresh: refreshAt('/refresh'), store: browserStore() });
  const tenant: TestService = await createTestTenant();
  const issued = await client.create({ userId: 'bob', metadata: { device: 'phone' } });
  await tokens.signIn(issued);
  const request = { auth: await tenant.verifier().verify(issued.accessToken) } satisfies AuthenticatedRequest;
  void guard;
  // @ts-expect-error a reason that is not in the list
  await client.revoke(issued.refreshToken, { reason: 'boredom' });
  return request.auth;
}
`;

  test('are right for ES modules and for CommonJS', () => {
    const options = {
      compilerOptions: {
        module: 'nodenext',
        target: 'es2022',
        strict: true,
        exactOptionalPropertyTypes: true,
        noEmit: true,
        esModuleInterop: true,
        types: ['node'],
      },
      files: ['main.mts', 'main.cts'],
    };
    const files = {
      'main.mts': TYPED.replace(/import express = .*/, "import express from 'express';"),
      'main.cts': TYPED,
      'tsconfig.json': JSON.stringify(options),
    };
    const packages = ['@types', '@nestjs', 'express', 'fastify', 'rxjs', 'reflect-metadata'];
    const folder = consumer(files, packages);
    // Without skipLibCheck our own types are checked too; those of others are not our business.
    const tsc = resolve('node_modules/typescript/bin/tsc');
    const { stdout } = run(process.execPath, [tsc, '--project', folder], folder);
    const own = stdout.split('\n').filter((line) => /^(main|node_modules\/session-service-sdk)/.test(line));
    expect(own).toEqual([]);
    expect(stdout).not.toMatch(/error TS(5|18)\d{3}/);
  });
});

test('every entry is there for both kinds of module', () => {
  type Targets = Record<string, Record<string, Record<string, string>>>;
  const { exports } = JSON.parse(readFileSync('sdk/package.json', 'utf8')) as { exports: Targets };
  const targets = ENTRIES.flatMap((entry) => {
    const { import: esm, require: cjs } = exports[`.${entry}`] ?? {};
    return [esm?.['types'], esm?.['default'], cjs?.['types'], cjs?.['default']];
  });
  expect(targets).not.toContain(undefined);
  for (const target of targets) expect(readFileSync(resolve('sdk', target ?? '')).length).toBeGreaterThan(0);
});

test('what web pages load is one file without Node and without other files', () => {
  const text = readFileSync('sdk/dist/browser/index.js', 'utf8');
  expect(text).not.toMatch(/^\s*import\b|\brequire\(|\bBuffer\b|\bprocess\b/m);
  expect(text.length).toBeLessThan(40_000);
});
