// k6 itself: the one on the PATH, else the one that deploy/tools built before, else built now, at a pinned version,
// with Go. It is a Go program that no npm package brings.
import { spawnSync } from 'node:child_process';
import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { K6, VERSIONS } from '../deploy/tools/tools.mjs';

const INSTALL = join(import.meta.dirname, '../deploy/tools/install.mjs');

/** @returns the command that runs k6 */
export async function findK6() {
  if (spawnSync('k6', ['version'], { stdio: 'ignore' }).status === 0) return 'k6';
  if (existsSync(K6)) return K6;
  process.stderr.write(`building k6 ${VERSIONS.k6} once (about two minutes)\n`);
  const { status } = spawnSync(process.execPath, [INSTALL, 'k6'], { stdio: ['ignore', 'ignore', 'inherit'] });
  if (status !== 0) throw new Error(`k6 is not on the PATH, and go.k6.io/k6@${VERSIONS.k6} cannot be built`);
  return K6;
}
