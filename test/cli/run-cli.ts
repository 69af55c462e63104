/** The built command line, as a process of its own. */
import { spawn, type ChildProcess } from 'node:child_process';
import { resolve } from 'node:path';
import { ADMIN_API_KEY, type TestService } from '../support/test-service.js';

export interface Ended {
  readonly code: number | null;
  readonly stdout: string;
  readonly stderr: string;
}

interface Circumstances {
  readonly env?: Readonly<Record<string, string>>;
  readonly input?: string;
  readonly cwd?: string;
}

/** Nothing of the tests' own environment. */
export function startCli(args: readonly string[], { env = {}, cwd = '/' }: Circumstances = {}): ChildProcess {
  return spawn(process.execPath, [resolve('dist/cli.js'), ...args], {
    cwd,
    env: { PATH: process.env['PATH'], NODE_ENV: 'production', ...env },
    stdio: ['pipe', 'pipe', 'pipe'],
  });
}

export function runCli(args: readonly string[], circumstances: Circumstances = {}): Promise<Ended> {
  const child = startCli(args, circumstances);
  let stdout = '';
  let stderr = '';
  child.stdout?.on('data', (chunk: Buffer) => (stdout += chunk.toString()));
  child.stderr?.on('data', (chunk: Buffer) => (stderr += chunk.toString()));
  // It may leave without having read.
  child.stdin?.on('error', () => undefined);
  child.stdin?.end(circumstances.input ?? '');
  return new Promise((done) => child.once('close', (code) => done({ code, stdout, stderr })));
}

/** The environment of a platform engineer, or with a tenant's key of somebody who runs one of its services. */
export function environmentOf(service: TestService, apiKey?: string): Record<string, string> {
  return {
    SESSION_SERVICE_URL: service.url,
    ...(apiKey === undefined ? { ADMIN_API_KEY } : { SESSION_SERVICE_API_KEY: apiKey }),
  };
}
