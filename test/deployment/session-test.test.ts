/** What `helm test` runs, against the service itself. */
import { describe, expect, test } from '@jest/globals';
import { spawn } from 'node:child_process';
import { join } from 'node:path';
import { ADMIN_API_KEY, TestService } from '../support/test-service.js';
import { CHART } from './rendered.js';

async function helmTest(url: string, adminApiKey: string): Promise<{ code: number | null; output: string }> {
  const child = spawn(process.execPath, [join(CHART, 'files/session-test.mjs')], {
    env: { SERVICE_URL: url, ADMIN_API_KEY: adminApiKey },
  });
  let output = '';
  child.stdout.on('data', (bytes) => (output += bytes));
  child.stderr.on('data', (bytes) => (output += bytes));
  const code = await new Promise<number | null>((done) => child.once('exit', done));
  return { code, output };
}

describe('the test that helm runs', () => {
  test('passes on a service that works, and leaves no tenant behind', async () => {
    const service = await TestService.start();
    const { code, output } = await helmTest(service.url, ADMIN_API_KEY);
    const { body } = await service.asPlatform<{ tenants: unknown[] }>('GET', '/tenants');
    await service.stop();
    expect(output).toContain('ok  refused once revoked');
    expect(code).toBe(0);
    expect(body.tenants).toEqual([]);
  });

  test('fails on a service that refuses, and prints no key', async () => {
    const service = await TestService.start();
    const { code, output } = await helmTest(service.url, 'not-the-platform-key');
    await service.stop();
    expect(code).not.toBe(0);
    expect(output).toContain('tenant: 401 unauthorized');
    expect(output).not.toContain('not-the-platform-key');
  });
});
