// Builds what is published: npm run build -w sdk
//   dist/esm      ES modules and their types, by tsc
//   dist/cjs      the same files as CommonJS, by esbuild; jose, which is an ES module alone, is bundled into them
//   dist/browser  one file for web pages, which needs no bundler
import { execFileSync } from 'node:child_process';
import { createRequire } from 'node:module';
import { readdirSync, readFileSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import { basename, join } from 'node:path';
import { build } from 'esbuild';

const SDK = import.meta.dirname;
const sources = readdirSync(join(SDK, 'src')).map((file) => basename(file, '.ts'));

// Built beside and put in place at the end: whoever imports the last build meanwhile finds it whole.
const fresh = join(SDK, 'dist.new');
rmSync(fresh, { recursive: true, force: true });

const tsc = createRequire(import.meta.url).resolve('typescript/bin/tsc');
execFileSync(process.execPath, [tsc, '--project', SDK, '--outDir', join(fresh, 'esm')], { stdio: 'inherit' });

// Files stay apart, so that a class is the same one whichever entry it came through.
const keepApart = {
  name: 'keep our files apart',
  setup({ onResolve }) {
    onResolve({ filter: /^\.\.?\// }, ({ path, resolveDir }) =>
      resolveDir === join(SDK, 'src') ? { path: path.replace(/\.js$/, '.cjs'), external: true } : undefined,
    );
  },
};
await build({
  entryPoints: sources.map((name) => join(SDK, 'src', `${name}.ts`)),
  outdir: join(fresh, 'cjs'),
  outExtension: { '.js': '.cjs' },
  bundle: true,
  format: 'cjs',
  platform: 'node',
  target: 'node20',
  plugins: [keepApart],
});
for (const name of sources) {
  const types = readFileSync(join(fresh, 'esm', `${name}.d.ts`), 'utf8');
  const own = types.replaceAll(/(from |import\()'(\.\/[^']+)\.js'/g, "$1'$2.cjs'");
  writeFileSync(join(fresh, 'cjs', `${name}.d.cts`), own);
}

await build({
  entryPoints: [join(SDK, 'src', 'browser.ts')],
  outfile: join(fresh, 'browser', 'index.js'),
  bundle: true,
  format: 'esm',
  platform: 'browser',
  target: 'es2022',
});
writeFileSync(join(fresh, 'browser', 'index.d.ts'), "export * from '../esm/browser.js';\n");

rmSync(join(SDK, 'dist'), { recursive: true, force: true });
renameSync(fresh, join(SDK, 'dist'));
