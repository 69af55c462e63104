/**
 * Every command in the documents, run as a reader runs it: page by page, block by block, in bash, against a service
 * that was built and started; and what the page shows as the answer is compared with what came.
 */
import { spawnSync } from 'node:child_process';
import { mkdirSync, mkdtempSync, readdirSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join, resolve } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from '@jest/globals';
import { runBuilt, type ServiceProcess } from '../e2e/built-service.js';
import { buildSdkOnce } from '../sdk/built-sdk.js';
import { freePort } from '../support/redis-server.js';
import { buildOnce } from '../support/service-process.js';
import { pages, ROOT, type Block } from './pages.js';
import { differences, jsonIn, missingLine } from './shape.js';

/** A page whose commands are run. */
interface Setting {
  /** Of the service. */
  readonly env?: Readonly<Record<string, string>>;
  /** What the page takes for granted, in bash. */
  readonly given?: string;
}

const PAGES: Readonly<Record<string, Setting>> = {
  'README.md': {},
  'docs/getting-started.md': {},
  'docs/recipes.md': {},
  'docs/standards.md': {
    given: `
      SESSION="$(curl -s http://localhost:3000/sessions -H "X-API-Key: $(cat data/demo-api-key)" \\
        -H 'Content-Type: application/json' -d '{"tenant_id":"demo","user_id":"alice","scope":"read"}')"
      ACCESS="$(echo "$SESSION" | sed 's/.*"access_token":"\\([^"]*\\)".*/\\1/')"
      REFRESH="$(echo "$SESSION" | sed 's/.*"refresh_token":"\\([^"]*\\)".*/\\1/')"`,
  },
  'examples/README.md': {},
  'docs/cli.md': {
    given: `
      npx() { shift; node dist/cli.js "$@"; }
      curl -s http://localhost:3000/sessions -H "X-API-Key: $(cat data/demo-api-key)" \\
        -H 'Content-Type: application/json' -d '{"tenant_id":"demo","user_id":"alice","scope":"read"}' \\
        | sed 's/.*"access_token":"\\([^"]*\\)".*/\\1/' >token.txt`,
  },
  'docs/incidents.md': {
    given: `
      npx() { shift; node dist/cli.js "$@"; }
      for user in contractor-1 contractor-2 bob carol; do
        curl -s http://localhost:3000/sessions -H "X-API-Key: $(cat data/demo-api-key)" \\
          -H 'Content-Type: application/json' -d '{"tenant_id":"demo","user_id":"'$user'","scope":"read"}'
      done`,
  },
  'docs/audit.md': {
    env: { AUDIT_CHECKPOINT_ENTRIES: '1' },
    given: `
      URL=http://localhost:3000
      KEY="$(cat data/admin-api-key)"
      curl -s $URL/tenants -H "X-API-Key: $KEY" -H 'Content-Type: application/json' -d '{"tenant_id":"acme"}'
      until curl -s "$URL/tenants/acme/audit" -H "X-API-Key: $KEY" | grep -q '"jws"'; do sleep 0.05; done`,
  },
};

/** What is not run here, and why; by the page and the block's first line. */
const ELSEWHERE: Readonly<Record<string, string>> = {
  'README.md $ npm ci && npm start':
    'this suite starts the service in its place, and compares what it printed',
  'docs/getting-started.md $ npm ci && npm run build -w sdk && npm start': 'as in the README',
  'README.md npm ci && npm run build && npm prune --omit=dev': 'installs, and needs a Redis by that name',
  'README.md npm ci && npm test': 'this suite is a part of it',
  'CONTRIBUTING.md npm ci': 'each line is a step of .ci/run, takes minutes, or does not end',
  'docs/audit.md $ npm run audit:verify': 'test/audit/verify-command.test.ts has chains of its own to verify',
  'docs/audit.md $ npm run audit:verify -- acme': 'as above; one byte is changed there',
  'docs/cli.md npm ci && npm run build        # once, in a checkout':
    'installs; what npx finds is asked in test/cli/commands.test.ts',
  'docs/cli.md docker run --rm -e ADMIN_API_KEY -e SESSION_SERVICE_URL multi-tenant-session-service dist/cli.js tenants list':
    'needs a container engine and a cluster',
  'docs/load-test.md npm run load-test          # all of it, then writes the figures and pictures of this page; about 35 minutes':
    'measures',
  'docs/multi-region.md BRIDGE_FROM=rediss://redis.home.example.com:6379 BRIDGE_TO=redis://redis:6379 BRIDGE_TENANTS=true node dist/bridge.js':
    'needs two regions; test/regions/regions.test.ts has them',
  'docs/operations.md npm run -s backup -- /backups/sessions-1.db   # where the service is: docs/cli.md':
    'test/backup/sqlite.test.ts makes backups and puts them back',
  'docs/operations.md redis-cli BGSAVE        # then, until rdb_bgsave_in_progress is 0 and rdb_last_bgsave_status is ok:':
    'test/backup/redis.test.ts does the same with a server of its own',
  'docs/performance.md npm run bench:profile             # a validation by layers, warm; -- --cold without the cache of verified tokens':
    'measures; it says something on a quiet machine only',
};

/** Commands that serve until they are stopped, and what they print when they do. */
const SERVING: Readonly<Record<string, RegExp>> = {
  'SESSIONS_API_KEY="$(cat data/demo-api-key)" node shop/server.mjs': /the shop is at/,
  'npm run example -- express-app': /the example is at/,
};

const SHELL = new Set(['sh', 'bash', 'console']);
const BLOCKS = pages()
  .filter(({ file }) => file !== 'CHANGELOG.md')
  .flatMap(({ blocks }) => blocks);
const firstLine = ({ text }: Block) =>
  text.split('\n').find((line) => line !== '' && !line.startsWith('#')) ?? '';
const nameOf = (block: Block) => `${block.page} ${firstLine(block)}`;
const isRun = (block: Block) =>
  SHELL.has(block.language) && block.page in PAGES && !(nameOf(block) in ELSEWHERE);

test('no command is left out without a reason, and no reason is left over', () => {
  const shell = BLOCKS.filter(({ language }) => SHELL.has(language));
  expect(BLOCKS.filter(({ language }) => ['shell', 'zsh', 'shell-session'].includes(language))).toEqual([]);
  expect(Object.keys(ELSEWHERE).filter((name) => !shell.some((block) => nameOf(block) === name))).toEqual([]);
  const neither = shell.filter((block) => !isRun(block) && !(nameOf(block) in ELSEWHERE));
  expect(neither.map(nameOf)).toEqual([]);
  expect(shell.filter(isRun).length).toBeGreaterThan(10);
});

/** A block that has been run: what it printed. */
interface Ran {
  readonly block: Block;
  readonly output: string;
}

describe.each(Object.keys(PAGES))('%s', (page) => {
  let clone: string;
  let service: ServiceProcess;
  let ran: readonly Ran[];

  beforeAll(async () => {
    buildOnce();
    buildSdkOnce();
    clone = cloneOfThis();
    const port = await freePort();
    service = runBuilt(clone, { PORT: String(port), ...PAGES[page]?.env });
    await service.printed(/(validate again: token_revoked)/);
    const ports = new Map([['3000', port]]);
    for (const [documented = ''] of textOf(page).matchAll(/(?<=localhost:)\d{4}\b/g)) {
      if (!ports.has(documented)) ports.set(documented, await freePort());
    }
    ran = run(page, clone, ports);
  }, 300_000);

  afterAll(async () => {
    await service.stop();
    rmSync(clone, { recursive: true, force: true });
  });

  test('has commands that all work', () => {
    const wanted = BLOCKS.filter((block) => block.page === page && isRun(block));
    expect(ran.map(({ block }) => block.place)).toEqual(wanted.map(({ place }) => place));
  });

  test('shows what is answered', () => {
    const wrong = BLOCKS.filter((block) => block.page === page).flatMap((block, at, blocks) => {
      const before = ran.find((candidate) => candidate.block === blocks[at - 1]);
      if (block.language !== 'json' || !block.follows || !before) return [];
      return differences(jsonIn(block.text), jsonIn(before.output)).map((found) => `${block.place}${found}`);
    });
    expect(wrong).toEqual([]);
  });

  test('shows what is printed', () => {
    const wrong = ran.flatMap(({ block, output }) => {
      if (block.language !== 'console') return [];
      const shown = block.text.replaceAll(/^\$ .*$/gm, '...');
      const missing = missingLine(shown, output);
      return missing === undefined ? [] : [{ place: block.place, missing, output }];
    });
    expect(wrong).toEqual([]);
  });

  if (page === 'README.md') {
    test('shows what the start prints', () => {
      const start = BLOCKS.find((block) => block.page === page && block.language === 'console');
      // In a terminal the log has lines for people; here it has not.
      const shown = (start?.text ?? '').replaceAll(/^(\$ .*|\d\d:\d\d:\d\d .*)$/gm, '...');
      expect(shown).toContain('The service is at');
      expect(missingLine(shown, service.output)).toBeUndefined();
    });
  }
});

function textOf(page: string): string {
  return BLOCKS.filter((block) => block.page === page)
    .map(({ text }) => text)
    .join('\n');
}

/** A folder with everything that a clone has after `npm ci` and a build, and with data of its own. */
function cloneOfThis(): string {
  const clone = mkdtempSync(join(tmpdir(), 'docs-clone-'));
  const own = new Set(['data', '.git', '.env', 'coverage']);
  for (const name of readdirSync(ROOT).filter((entry) => !own.has(entry))) {
    symlinkSync(resolve(ROOT, name), join(clone, name));
  }
  return clone;
}

const MARK = '\u0001';

/** Runs a page's commands in one shell. @throws Error with what was printed when one of them fails */
function run(page: string, clone: string, ports: ReadonlyMap<string, number>): Ran[] {
  const here = (text: string) =>
    [...ports].reduce(
      (changed, [from, to]) => changed.replaceAll(new RegExp(`\\b${from}\\b`, 'g'), `${to}`),
      text,
    );
  const ofPage = BLOCKS.filter((block) => block.page === page);
  for (const { text } of ofPage.filter(({ language }) => ['js', 'ts'].includes(language))) {
    const [, file] = /^\/\/ ([\w/-]+\.[cm]?[jt]s)\n/.exec(text) ?? [];
    if (!file) continue;
    mkdirSync(dirname(join(clone, file)), { recursive: true });
    writeFileSync(join(clone, file), here(text));
  }
  const blocks = ofPage.filter(isRun);
  const script = [
    'set -euo pipefail',
    'serving=()',
    // Each in a group of its own, so that what npm has started ends too.
    'set -m',
    `trap 'for group in "\${serving[@]}"; do kill -- "-$group"; wait "$group" || true; done' EXIT`,
    here(PAGES[page]?.given ?? ''),
    ...blocks.flatMap((block) => [`printf '\\n${MARK}\\n'`, here(asTyped(block))]),
  ].join('\n');
  const { status, stdout, stderr } = spawnSync('bash', ['-c', script], {
    cwd: clone,
    encoding: 'utf8',
    env: {
      PATH: process.env['PATH'],
      HOME: process.env['HOME'],
      PORT: String(ports.get('3000')),
      NO_COLOR: '1',
    },
    timeout: 240_000,
  });
  const outputs = stdout.split(`\n${MARK}\n`).slice(1);
  if (status !== 0) {
    const last = blocks[outputs.length - 1];
    throw new Error(
      `${last?.place} fails (${status}):\n${last && here(last.text)}\n${outputs.at(-1)}\n${stderr}`,
    );
  }
  return blocks.map((block, at) => ({ block, output: outputs[at] ?? '' }));
}

/** A console shows commands that may fail, with what they print; a script must work. */
function asTyped(block: Block): string {
  if (block.language !== 'console') return serving(block.text.trim(), block.text);
  const commands = block.text.split('\n').flatMap((line) => (line.startsWith('$ ') ? [line.slice(2)] : []));
  return commands.map((command) => serving(command, `{ ${command}; } 2>&1 || true`)).join('\n');
}

function serving(command: string, otherwise: string): string {
  const printed = SERVING[command];
  if (!printed) return otherwise;
  return [
    // The service has the PORT of the environment.
    `PORT=4000 ${command} >serving.log 2>&1 & serving+=("$!")`,
    `until grep -qE '${printed.source}' serving.log; do kill -0 "$!"; sleep 0.05; done`,
    'cat serving.log',
  ].join('\n');
}
