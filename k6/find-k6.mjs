// k6 itself: the one on the PATH, else the one built here before, else built now, at a pinned version, with Go. It is a
// Go program that no npm package brings.
import { spawnSync } from 'node:child_process';
import { existsSync, mkdirSync, renameSync } from 'node:fs';
import { join } from 'node:path';

const VERSION = 'v1.8.1';
const MODULE = `go.k6.io/k6@${VERSION}`;
const FOLDER = join(import.meta.dirname, '.bin');
const BUILT = join(FOLDER, `k6-${VERSION}`);

const works = (command, args) => spawnSync(command, args, { stdio: 'ignore' }).status === 0;

/** @returns the command that runs k6 */
export async function findK6() {
  if (works('k6', ['version'])) return 'k6';
  if (existsSync(BUILT)) return BUILT;
  if (!works('go', ['version'])) {
    throw new Error(`k6 is not on the PATH, and without Go (1.25 or later) ${MODULE} cannot be built`);
  }
  process.stderr.write(`building k6 once: go install ${MODULE} (about two minutes)\n`);
  mkdirSync(FOLDER, { recursive: true });
  const { status } = spawnSync('go', ['install', MODULE], {
    env: { ...process.env, GOBIN: FOLDER, GOFLAGS: '' },
    stdio: ['ignore', 'ignore', 'inherit'],
  });
  if (status !== 0) throw new Error(`go install ${MODULE} failed`);
  renameSync(join(FOLDER, 'k6'), BUILT);
  return BUILT;
}
