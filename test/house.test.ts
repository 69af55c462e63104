/** The architecture, as rules that fail when they are broken. */
import { describe, expect, test } from '@jest/globals';
import { existsSync, globSync, readFileSync } from 'node:fs';
import { dirname, posix, relative, resolve } from 'node:path';
import ts from 'typescript';
import { ERRORS } from '../src/errors.js';
import { VERSION } from '../src/http/openapi.js';
import { LOG_FIELDS } from '../src/logging/log.js';

const ROOT = resolve(import.meta.dirname, '..');
const read = (file: string) => readFileSync(resolve(ROOT, file), 'utf8');
const files = (pattern: string) => globSync(pattern, { cwd: ROOT }).toSorted();

interface Source {
  /** `src/http/access.ts` */
  readonly file: string;
  readonly text: string;
  /** The text without comments and without what stands in strings. */
  readonly code: string;
  /** Of packages as they are written, of our own files as `src/...`. Types count. */
  readonly imports: readonly string[];
  readonly tree: ts.SourceFile;
}

function parse(file: string): Source {
  const text = read(file);
  const tree = ts.createSourceFile(file, text, ts.ScriptTarget.Latest, true);
  const imports: string[] = [];
  const visit = (node: ts.Node): void => {
    const specifier = specifierOf(node);
    if (specifier !== undefined) imports.push(resolveImport(file, specifier));
    ts.forEachChild(node, visit);
  };
  visit(tree);
  return { file, text, code: codeOf(text), imports, tree };
}

/** Of an import, a re-export, a dynamic import or an import type. */
function specifierOf(node: ts.Node): string | undefined {
  if ((ts.isImportDeclaration(node) || ts.isExportDeclaration(node)) && node.moduleSpecifier) {
    return ts.isStringLiteral(node.moduleSpecifier) ? node.moduleSpecifier.text : '?';
  }
  if (ts.isImportTypeNode(node) && ts.isLiteralTypeNode(node.argument)) {
    return ts.isStringLiteral(node.argument.literal) ? node.argument.literal.text : '?';
  }
  if (ts.isCallExpression(node) && node.expression.kind === ts.SyntaxKind.ImportKeyword) {
    const [argument] = node.arguments;
    return argument && ts.isStringLiteral(argument) ? argument.text : '?';
  }
  return undefined;
}

function resolveImport(from: string, specifier: string): string {
  if (!specifier.startsWith('.')) return specifier;
  return posix.join(dirname(from), specifier).replace(/\.js$/, '.ts');
}

/** Comments and texts may speak of what code may not do. */
function codeOf(text: string): string {
  const scanner = ts.createScanner(ts.ScriptTarget.Latest, true, ts.LanguageVariant.Standard, text);
  const tokens: string[] = [];
  for (let kind = scanner.scan(); kind !== ts.SyntaxKind.EndOfFileToken; kind = scanner.scan()) {
    const isText =
      kind === ts.SyntaxKind.StringLiteral || kind === ts.SyntaxKind.NoSubstitutionTemplateLiteral;
    tokens.push(isText ? "''" : scanner.getTokenText());
  }
  return tokens.join(' ');
}

const SOURCES = files('src/**/*.ts').map(parse);
const sourcesThat = (matches: (source: Source) => boolean) => SOURCES.filter(matches).map(({ file }) => file);
const importersOf = (name: string) =>
  sourcesThat(({ imports }) => imports.some((found) => found === name || found.startsWith(`${name}/`)));
const within = (folder: string) => (file: string) => file.startsWith(`src/${folder}/`);

/** These files and all that they import, and so on. */
function reachedFrom(...starts: readonly string[]): string[] {
  const reached = new Set<string>();
  const follow = (file: string): void => {
    if (reached.has(file)) return;
    reached.add(file);
    const source = SOURCES.find((candidate) => candidate.file === file);
    expect({ file, exists: source !== undefined }).toEqual({ file, exists: true });
    source?.imports.filter((found) => found.startsWith('src/')).forEach(follow);
  };
  starts.forEach(follow);
  return [...reached].toSorted();
}

/** `src/http/access.ts` -> `http`, `src/clock.ts` -> `clock` */
function partOf(file: string): string {
  const [, part = '', rest] = file.split('/');
  return rest === undefined ? part.replace(/\.ts$/, '') : part;
}

const usersOf = (pattern: RegExp) => sourcesThat(({ code }) => pattern.test(code));

const POLICIES = new Set(['Public', 'ForPlatform', 'ForTenant', 'ForPlatformOrTenant', 'ForOAuthClient']);
const VERBS = new Set(['Get', 'Post', 'Put', 'Patch', 'Delete', 'All', 'Head', 'Options', 'Search']);

const decoratorsOf = (node: ts.MethodDeclaration): string[] =>
  (ts.getDecorators(node) ?? [])
    .map(({ expression }) => (ts.isCallExpression(expression) ? expression.expression : expression))
    .map((expression) => expression.getText());

/** What stands in backticks in the first column of a document's tables. */
const firstColumn = (text: string) =>
  [...text.matchAll(/^\| *`([A-Za-z_]+)`/gm)].map(([, name = '']) => name);

const packageOf = (name: string) => name.split('/', name.startsWith('@') ? 2 : 1).join('/');

test('the sources are found', () => {
  expect(SOURCES.length).toBeGreaterThan(50);
  expect(SOURCES.flatMap(({ imports }) => imports).length).toBeGreaterThan(200);
});

describe('dependencies', () => {
  const FOUNDATION = [
    'config',
    'environment',
    'errors',
    'clock',
    'store-url',
    'network-settings',
    'rate-limit-settings',
    'audit-settings',
    'read-cache',
    'random-id',
    'turn-end',
    'revocation-reason',
    'happening',
    'request-scope',
    'store-budget',
    'tracing',
    'store-operations',
    'logging',
  ];
  const LAYERS = ['http', 'tenants', 'keys', 'tokens', 'revocations', 'sessions', 'audit'];
  /** Only these put the house together. */
  const ROOT_FILES = new Set([
    'workers',
    'app.module',
    'app.setup',
    'main',
    'first-boot',
    'openapi',
    'bridge',
  ]);
  const ALLOWED: Readonly<Record<string, readonly string[]>> = {
    clock: [],
    errors: [],
    'store-url': [],
    'network-settings': [],
    environment: [],
    'rate-limit-settings': ['environment'],
    'audit-settings': ['environment'],
    'random-id': [],
    'turn-end': ['request-scope'],
    'revocation-reason': [],
    happening: ['errors', 'revocation-reason'],
    'request-scope': ['happening'],
    'store-budget': ['errors', 'request-scope'],
    'read-cache': ['errors', 'request-scope', 'store-budget'],
    'store-operations': [],
    logging: ['config', 'errors'],
    'trace-settings': [],
    tracing: [],
    config: [
      'environment',
      'errors',
      'network-settings',
      'rate-limit-settings',
      'audit-settings',
      'store-url',
      'trace-settings',
    ],
    ...Object.fromEntries(LAYERS.map((layer, at) => [layer, [...FOUNDATION, ...LAYERS.slice(0, at)]])),
    backup: [...FOUNDATION, 'http', 'tenants', 'sessions'],
    oauth: [...FOUNDATION, 'http', 'tenants', 'keys', 'tokens', 'revocations', 'sessions'],
    health: [...FOUNDATION, 'http', 'keys', 'revocations'],
    traces: [...FOUNDATION, 'trace-settings', 'http'],
    'development-secrets': ['config', 'store-url'],
    cli: ['clock', 'config', 'development-secrets', 'http', 'revocation-reason', 'store-url', 'tokens'],
  };

  test('run one way: foundation, http, tenants, keys, tokens, revocations, sessions, audit', () => {
    const wrong = SOURCES.filter(
      ({ file }) => partOf(file) !== 'storage' && !ROOT_FILES.has(partOf(file)),
    ).flatMap(({ file, imports }) =>
      imports
        .filter((found) => found.startsWith('src/') && partOf(found) !== partOf(file))
        .filter((found) => !ALLOWED[partOf(file)]?.includes(partOf(found)))
        .map((found) => `${file} imports ${found}`),
    );
    expect(wrong).toEqual([]);
  });

  test('have a place for every folder and file', () => {
    const parts = new Set(SOURCES.map(({ file }) => partOf(file)));
    expect(
      [...parts].filter((part) => !(part in ALLOWED) && part !== 'storage' && !ROOT_FILES.has(part)),
    ).toEqual([]);
  });

  test('of storage are ports and what ports speak of, never services or controllers', () => {
    const ports = [
      'src/audit/audit.ts',
      'src/backup/store-backup.ts',
      'src/clock.ts',
      'src/config.ts',
      'src/errors.ts',
      'src/happening.ts',
      'src/store-budget.ts',
      'src/store-url.ts',
      'src/health/store-probe.ts',
      'src/store-operations.ts',
      'src/logging/safe-error.ts',
      'src/keys/key-ring.ts',
      'src/keys/leases.ts',
      'src/random-id.ts',
      'src/turn-end.ts',
      'src/revocations/change-codec.ts',
      'src/revocations/change-feed.ts',
      'src/revocation-reason.ts',
      'src/sessions/live-count.ts',
      'src/sessions/session.ts',
      'src/tenants/api-key.ts',
      'src/tenants/rate-limit.ts',
      'src/tenants/tenant.ts',
      'src/tokens/claims.ts',
      'src/tracing.ts',
    ];
    const found = SOURCES.filter(({ file }) => within('storage')(file)).flatMap(({ imports }) => imports);
    const own = found.filter((name) => name.startsWith('src/') && !within('storage')(name));
    expect([...new Set(own)].filter((name) => !ports.includes(name))).toEqual([]);
    expect(ports.filter((name) => !existsSync(resolve(ROOT, name)))).toEqual([]);
  });

  test('of a store on the other store do not exist', () => {
    const crossing = SOURCES.filter(
      ({ file, imports }) =>
        (within('storage/redis')(file) && imports.some(within('storage/sqlite'))) ||
        (within('storage/sqlite')(file) && imports.some(within('storage/redis'))),
    );
    expect(crossing.map(({ file }) => file)).toEqual([]);
  });

  test('on storage has the composition root alone', () => {
    expect(importersOf('src/storage').filter((file) => !within('storage')(file))).toEqual([
      'src/app.module.ts',
      'src/bridge.ts',
    ]);
  });

  test('on the composition root has nobody who is composed', () => {
    const upward = SOURCES.filter(({ file }) => !ROOT_FILES.has(partOf(file))).flatMap(({ file, imports }) =>
      imports
        .filter((found) => found.startsWith('src/') && ROOT_FILES.has(partOf(found)))
        .map((found) => `${file} imports ${found}`),
    );
    expect(upward).toEqual([]);
  });

  test('of the command line are pure files, so that it starts at once and speaks to the service over HTTP alone', () => {
    const reached = reachedFrom('src/cli.ts');
    expect(reached.filter((file) => !/^src\/(cli\/|[a-z-]+\.ts$)/.test(file))).toEqual([
      'src/http/strict-json.ts',
      'src/tokens/claims.ts',
      'src/tokens/compact-jwt.ts',
    ]);
    const packages = SOURCES.filter(({ file }) => reached.includes(file))
      .flatMap(({ imports }) => imports)
      .filter((name) => !name.startsWith('src/') && !name.startsWith('node:'));
    expect([...new Set(packages)]).toEqual(['commander']);
  });

  test.each([
    ['ioredis', 'storage/redis'],
    ['commander', '(cli.ts|cli)'],
    ['jsonwebtoken', 'tokens'],
    ['node:sqlite', 'storage/sqlite'],
    ['@opentelemetry', 'traces'],
    ['prom-client', 'http/metrics'],
    ['@willsoto/nestjs-prometheus', 'http/metrics'],
    ['pino', 'logging'],
    ['nestjs-pino', 'logging'],
    [
      'lru-cache',
      '(read-cache|keys/key-rings.service|tenants/(rate-limiter|failed-authentications)|tokens/verified-tokens|sessions/short-validation).ts',
    ],
  ])('on %s stay in %s', (name, place) => {
    const importers = importersOf(name);
    expect(importers).not.toEqual([]);
    expect(importers.filter((file) => !new RegExp(`^src/${place}(/|$)`).test(file))).toEqual([]);
  });

  test('are computed from texts nowhere', () => {
    expect(sourcesThat(({ imports }) => imports.includes('?'))).toEqual([]);
  });

  test('leave no file dead: each is reached from main, openapi or cli', () => {
    const reached = reachedFrom('src/main.ts', 'src/openapi.ts', 'src/cli.ts', 'src/bridge.ts');
    expect(SOURCES.map(({ file }) => file).filter((file) => !reached.includes(file))).toEqual([]);
  });
});

describe('the sources', () => {
  test('read the environment in one place', () => {
    expect(usersOf(/\bprocess \. env\b|\bloadEnvFile\b/)).toEqual(['src/config.ts']);
    expect(sourcesThat(({ imports }) => imports.includes('node:process'))).toEqual([]);
  });

  test('ask the machine for the time in one place', () => {
    expect(usersOf(/\bDate \. now\b|\bnew Date \( \)|\bnew Date\b(?! \()/)).toEqual(['src/clock.ts']);
  });

  test.each([
    ['console', /\bconsole \./],
    ['Math.random', /\bMath \. random\b/],
    ['forwardRef', /\bforwardRef\b/],
    ['eval', /\beval \(|\bnew Function\b/],
    ['any', /: any\b|\bas any\b|< any >/],
    ['a debugger', /\bdebugger\b/],
  ])('use no %s', (_, pattern) => {
    expect(usersOf(pattern)).toEqual([]);
  });

  test('leave nothing to be done and silence no tool', () => {
    const leftovers = /\b(TODO|FIXME|XXX|HACK)\b|@ts-(ignore|nocheck|expect-error)|(eslint|oxlint)-disable/;
    const found = [...SOURCES, ...files('src/**/*.lua').map((file) => ({ file, text: read(file) }))];
    expect(found.filter(({ text }) => leftovers.test(text)).map(({ file }) => file)).toEqual([]);
  });

  test('are files of at most 300 lines', () => {
    const long = files('src/**/*.{ts,lua}')
      .map((file) => ({ file, lines: read(file).trimEnd().split('\n').length }))
      .filter(({ lines }) => lines > 300);
    expect(long).toEqual([]);
  });

  test('have no drawer for things without a place', () => {
    const folders = new Set(SOURCES.flatMap(({ file }) => dirname(file).split('/')));
    const drawers = ['utils', 'util', 'common', 'helpers', 'shared', 'lib', 'misc', 'core'];
    expect(drawers.filter((name) => folders.has(name))).toEqual([]);
    expect(
      SOURCES.map(({ file }) => file).filter((file) => /\/(utils?|helpers?|common|index)\.ts$/.test(file)),
    ).toEqual([]);
  });

  test('name their files in words joined by hyphens, with the role after a dot', () => {
    const names = SOURCES.map(({ file }) => relative('src', file));
    expect(names.filter((name) => !/^([a-z-]+\/)*[a-z]+(-[a-z]+)*(\.[a-z]+)?\.ts$/.test(name))).toEqual([]);
  });
});

describe('routes', () => {
  const handlers = SOURCES.flatMap(({ file, tree }) =>
    tree.statements.filter(ts.isClassDeclaration).flatMap((declaration) =>
      declaration.members
        .filter(ts.isMethodDeclaration)
        .map((method) => ({ name: `${file} ${method.name.getText()}`, decorators: decoratorsOf(method) }))
        .filter(({ decorators }) => decorators.some((decorator) => VERBS.has(decorator))),
    ),
  );

  test('have exactly one access policy each', () => {
    expect(handlers.length).toBeGreaterThan(20);
    const wrong = handlers.filter(
      ({ decorators }) => decorators.filter((decorator) => POLICIES.has(decorator)).length !== 1,
    );
    expect(wrong.map(({ name }) => name)).toEqual([]);
  });

  test('stand in controllers', () => {
    expect(handlers.map(({ name }) => name).filter((name) => !/\.controller\.ts /.test(name))).toEqual([]);
  });
});

describe('Lua scripts', () => {
  const onDisk = files('src/storage/redis/lua/*').map((file) => posix.basename(file));
  const [, table = ''] =
    /const SCRIPTS = \{([^}]*)\}/.exec(read('src/storage/redis/redis-connection.ts')) ?? [];
  const registered = [...table.matchAll(/'([a-z-]+)': (\d+)/g)].map(([, name = '', keys]) => ({
    name,
    keys: Number(keys),
  }));

  test('are all registered, and every one that is registered is there', () => {
    expect(registered.map(({ name }) => `${name}.lua`).toSorted()).toEqual(onDisk.toSorted());
    expect(onDisk).not.toEqual([]);
  });

  test('are all run by somebody', () => {
    const adapters = SOURCES.filter(
      ({ file }) => within('storage/redis')(file) && !file.endsWith('-connection.ts'),
    );
    const unused = registered.filter(({ name }) => !adapters.some(({ text }) => text.includes(`'${name}'`)));
    expect(unused).toEqual([]);
  });

  test.each(registered)(
    '$name begins with what it does, takes and returns, and tells the truth',
    ({ name, keys }) => {
      const text = read(`src/storage/redis/lua/${name}.lua`);
      const [, header = ''] = /^--\[\[\n([\s\S]*?)\n\]\]\n/.exec(text) ?? [];
      expect(header).toMatch(/^ {2}[A-Z]/);
      expect(header).toMatch(/^ {2}Returns /m);
      const documented = [...header.matchAll(/^ {2}KEYS\[(\d)\]/gm)].map(([, index]) => Number(index));
      expect(documented).toEqual(Array.from({ length: keys }, (_, at) => at + 1));
      const body = text.slice(text.indexOf(']]'));
      const used = new Set([...body.matchAll(/KEYS\[(\d)\]/g)].map(([, index]) => Number(index)));
      expect([...used].toSorted((a, b) => a - b)).toEqual(documented);
      // A key that a script makes up is a key in a slot that it may not touch.
      expect(body).not.toMatch(/redis\.call\('[A-Z]+', *['"(]/);
      const argued = [...body.matchAll(/ARGV\[(\d+)\]/g)].map(([, index]) => Number(index));
      const described = new Set(
        [...header.matchAll(/^ {2}ARGV\[(\d+)\]/gm)].map(([, index]) => Number(index)),
      );
      expect(argued.filter((index) => !described.has(index))).toEqual([]);
    },
  );
});

describe('the SDK', () => {
  const PARTS = files('sdk/src/*.ts').map(parse);
  const partsThat = (matches: (source: Source) => boolean) => PARTS.filter(matches).map(({ file }) => file);

  test('is found', () => {
    expect(PARTS.length).toBeGreaterThan(20);
    expect(files('sdk/src/**/*.ts')).toEqual(PARTS.map(({ file }) => file));
  });

  test('depends on jose alone, and takes nothing from the service', () => {
    const imported = new Set(
      PARTS.flatMap(({ imports }) => imports).filter((name) => !name.startsWith('sdk/src/')),
    );
    const packages = [...imported].filter((name) => !name.startsWith('node:'));
    // Of Fastify types alone: esbuild and tsc leave nothing of them.
    expect(packages.toSorted()).toEqual(['fastify', 'jose']);
    expect(read('sdk/src/fastify.ts')).toMatch(/^import type \{[^}]+\} from 'fastify';$/m);
  });

  test('has nothing of Node in what web pages load', () => {
    const reached = new Set<string>();
    const follow = (file: string): void => {
      if (reached.has(file)) return;
      reached.add(file);
      PARTS.find((part) => part.file === file)?.imports.forEach(follow);
    };
    follow('sdk/src/browser.ts');
    expect([...reached].filter((name) => !name.startsWith('sdk/src/'))).toEqual([]);
    const own = PARTS.filter(
      ({ file, code }) => reached.has(file) && /\bBuffer\b|\bNodeJS\b|\bprocess\b/.test(code),
    );
    expect(own).toEqual([]);
  });

  test('keeps to the habits of the house', () => {
    const leftovers = /\b(TODO|FIXME|XXX|HACK)\b|@ts-(ignore|nocheck|expect-error)|(eslint|oxlint)-disable/;
    expect(partsThat(({ text }) => leftovers.test(text))).toEqual([]);
    expect(partsThat(({ text }) => text.trimEnd().split('\n').length > 300)).toEqual([]);
    expect(partsThat(({ text }) => !text.startsWith('/**'))).toEqual([]);
    expect(partsThat(({ code }) => /\bconsole \.|: any\b|\bas any\b|\bprocess \. env\b/.test(code))).toEqual(
      [],
    );
  });

  test('speaks the words of the error table', () => {
    const known = [...read('sdk/src/errors.ts').matchAll(/^ {2}\| '([a-z_]+)'/gm)].map(
      ([, code = '']) => code,
    );
    const local = ['missing_token', 'unreachable', 'timed_out', 'unexpected_answer', 'undecidable', 'closed'];
    // Making tenants is no application's business, and a token endpoint is for those without the SDK.
    const foreign = new Set(['tenant_exists', 'unsupported_grant_type']);
    const wanted = Object.keys(ERRORS).filter((code) => !foreign.has(code));
    expect(known.toSorted()).toEqual([...wanted, ...local].toSorted());
  });
});

describe('the documents', () => {
  test('promise nothing in the name of a test that does not exist', () => {
    const named = [...read('docs/security.md').matchAll(/`(test\/[^`]+\.ts)`/g)].map(([, file = '']) => file);
    expect(named.length).toBeGreaterThan(20);
    expect(named.filter((file) => !existsSync(resolve(ROOT, file)))).toEqual([]);
  });

  test('explain every error code, and none that does not exist', () => {
    // Other tables of that page may explain these.
    const words = new Set<string>([
      ...Object.values(ERRORS).map(({ action }) => action),
      'error',
      'error_description',
      'action',
      'request_id',
    ]);
    const documented = firstColumn(read('docs/errors.md')).filter((name) => !words.has(name));
    expect(documented.toSorted()).toEqual(Object.keys(ERRORS).toSorted());
  });

  test('explain every variable that is read, and none that is not', () => {
    const readers = SOURCES.filter(({ file }) => /^src\/(config|[a-z-]+-settings)\.ts$/.test(file));
    const variables = readers
      .flatMap(({ text }) => [...text.matchAll(/read\.\w+\(\s*'([A-Z_]+)'/g)])
      .map(([, name = '']) => name);
    expect(variables.length).toBeGreaterThan(10);
    const documented = firstColumn(read('README.md')).filter((name) => /^[A-Z][A-Z_]+$/.test(name));
    expect(documented.toSorted()).toEqual(variables.toSorted());
  });
});

describe('the log', () => {
  const LEVELS = new Set(['log', 'trace', 'debug', 'info', 'warn', 'error', 'fatal', 'verbose']);

  /** The names of the fields of every object that is logged as it is written. */
  const loggedFields = (source: Source): string[] => {
    const names: string[] = [];
    const visit = (node: ts.Node): void => {
      if (ts.isCallExpression(node) && ts.isPropertyAccessExpression(node.expression)) {
        const { expression, name } = node.expression;
        const [fields] = node.arguments;
        if (/log(ger)?$/i.test(expression.getText()) && LEVELS.has(name.text) && fields) {
          if (ts.isObjectLiteralExpression(fields)) {
            for (const { name } of fields.properties) if (name) names.push(name.getText());
          }
        }
      }
      ts.forEachChild(node, visit);
    };
    visit(source.tree);
    return names;
  };

  test('is written in fields of its list alone: others would be left out', () => {
    const logged = SOURCES.flatMap((source) =>
      loggedFields(source).map((field) => ({ file: source.file, field })),
    );
    expect(logged.length).toBeGreaterThan(20);
    expect(logged.filter(({ field }) => !LOG_FIELDS.has(field))).toEqual([]);
  });
});

describe('package.json', () => {
  type Versions = Readonly<Record<string, string>>;
  const manifest: Readonly<Record<string, Versions | undefined>> = JSON.parse(read('package.json'));
  const GROUPS = ['dependencies', 'optionalDependencies', 'devDependencies', 'overrides'];

  test('has the version that the service says it has', () => {
    expect((manifest as { version?: unknown }).version).toBe(VERSION);
  });

  test.each(GROUPS)('pins its %s exactly', (group) => {
    const loose = Object.entries(manifest[group] ?? {}).filter(
      ([, version]) => !/^\d+\.\d+\.\d+$/.test(version),
    );
    expect(loose).toEqual([]);
  });

  test('starts the service with the flags of V8 that the image, compose and the benchmark give it', () => {
    const flagsIn = (text: string) =>
      [...text.matchAll(/--[a-z0-9]+(?:-[a-z0-9]+)*=\d+/g)].map(([flag]) => flag);
    const flags = flagsIn(manifest['scripts']?.['start:prod'] ?? '');
    expect(flags).toHaveLength(2);
    expect(flagsIn(manifest['scripts']?.['start'] ?? '')).toEqual(flags);
    const lines = {
      Dockerfile: /^CMD .*/m,
      'compose.yaml': /command: .*main\.js.*/,
      'bench/servers.mjs': /V8_FLAGS = .*/,
    };
    for (const [file, line] of Object.entries(lines)) {
      expect([file, ...flagsIn(line.exec(read(file))?.[0] ?? '')]).toEqual([file, ...flags]);
    }
  });

  test('has a reason for every package, in the README', () => {
    const rows = read('README.md').matchAll(/^\| `([^`]+)` \|/gm);
    const reasons = new Set([...rows].map(([, name]) => name));
    const named = ['dependencies', 'optionalDependencies', 'devDependencies'].flatMap((group) =>
      Object.keys(manifest[group] ?? {}),
    );
    expect(named.filter((name) => !reasons.has(name))).toEqual([]);
  });

  test('names every package that the service imports, and no other', () => {
    const imported = new Set(
      SOURCES.flatMap(({ imports }) => imports)
        .filter((name) => !name.startsWith('src/') && !name.startsWith('node:'))
        .map(packageOf),
    );
    const named = Object.keys(manifest['dependencies'] ?? {});
    expect([...imported].filter((name) => !named.includes(name))).toEqual([]);
    // Needed by others at run time, not imported here: by Swagger's page, nestjs-pino, decorators and Nest.
    const silent = new Set(['@fastify/static', 'pino-http', 'reflect-metadata', 'rxjs']);
    expect(named.filter((name) => !imported.has(name) && !silent.has(name))).toEqual([]);
  });
});
