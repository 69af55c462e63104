/** The SDK as it is published: built once, and installed into folders of their own. */
import { spawnSync, type SpawnSyncReturns } from 'node:child_process';
import { cpSync, existsSync, mkdirSync, mkdtempSync, symlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join, resolve } from 'node:path';

/** One suite builds, the others wait for it; what is newer than its sources is not built again. */
export function buildSdkOnce(): void {
  const made = 'sdk/dist/browser/index.d.ts';
  const stale = `[ ! -f ${made} ] || [ -n "$(find sdk/src sdk/*.json sdk/build.mjs -newer ${made} -print -quit)" ]`;
  const build = `if ${stale}; then ${process.execPath} sdk/build.mjs; fi`;
  mkdirSync('data', { recursive: true });
  const { status, stdout, stderr } = run('flock', ['data/build-sdk.lock', 'sh', '-c', build]);
  if (status !== 0) throw new Error(`the build failed: ${stdout}${stderr}`);
}

/** @param packages of ours that the consumer has too. @returns its folder */
export function consumer(files: Readonly<Record<string, string>>, packages: readonly string[] = []): string {
  const folder = mkdtempSync(join(tmpdir(), 'sdk-consumer-'));
  const installed = join(folder, 'node_modules', 'session-service-sdk');
  mkdirSync(installed, { recursive: true });
  cpSync('sdk/dist', join(installed, 'dist'), { recursive: true });
  cpSync('sdk/package.json', join(installed, 'package.json'));
  for (const name of packages) {
    const link = join(folder, 'node_modules', name);
    mkdirSync(dirname(link), { recursive: true });
    symlinkSync(resolve('node_modules', name), link);
  }
  for (const [name, text] of Object.entries(files)) writeFileSync(join(folder, name), text);
  return folder;
}

export function run(command: string, args: readonly string[], cwd = process.cwd()): SpawnSyncReturns<string> {
  return spawnSync(command, args, { cwd, encoding: 'utf8' });
}

/** The oldest Node at hand that the SDK is for; this one, where there is no older. */
export function oldestNode(): { path: string; version: string } {
  const places = ['/usr/bin', '/usr/local/bin', ...(process.env['PATH'] ?? '').split(':')];
  const found = [...new Set(places)]
    .map((place) => join(place, 'node'))
    .filter((path) => existsSync(path))
    .map((path) => ({ path, version: run(path, ['--version']).stdout.trim() }))
    .filter(({ version }) => Number(/^v(\d+)\./.exec(version)?.[1] ?? 0) >= 20);
  const numbers = (version: string): number[] => version.slice(1).split('.').map(Number);
  found.sort((a, b) => {
    const [left, right] = [numbers(a.version), numbers(b.version)];
    return (left[0] ?? 0) - (right[0] ?? 0) || (left[1] ?? 0) - (right[1] ?? 0);
  });
  return found[0] ?? { path: process.execPath, version: process.version };
}
