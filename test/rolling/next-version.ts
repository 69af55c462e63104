/**
 * A version N+1, until there is one: this build, with session records of a later version that carry a member nobody
 * knows. ROLLING_PREVIOUS names the dist folder of a real version N; then this build is N+1.
 */
import { cpSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { resolve } from 'node:path';

export interface Versions {
  readonly current: string;
  readonly next: string;
}

/** Inside the repository, where the packages are found. Kept out of git. */
const NEXT = 'data/next-version';
const RECORDS = 'storage/redis/redis-session-hash.js';

export function twoVersions(): Versions {
  const previous = process.env['ROLLING_PREVIOUS'];
  if (previous) return { current: resolve(previous), next: resolve('dist') };
  rmSync(NEXT, { recursive: true, force: true });
  cpSync('dist', NEXT, { recursive: true });
  const file = resolve(NEXT, RECORDS);
  const now = readFileSync(file, 'utf8');
  const later = now
    .replace('RECORD_VERSION = 1', 'RECORD_VERSION = 2')
    .replace('v: String(RECORD_VERSION),', "v: String(RECORD_VERSION), of_the_next_version: '1',");
  if (later.split('\n').filter((line, at) => line !== now.split('\n')[at]).length !== 2) {
    throw new Error(`${RECORDS} does not look as it did: the next version cannot be made from it`);
  }
  writeFileSync(file, later);
  return { current: resolve('dist'), next: resolve(NEXT) };
}
