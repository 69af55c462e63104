// Builds main.ts, as `nest build` would, and runs it.
import { join } from 'node:path';
import { build } from 'esbuild';

const outfile = join(import.meta.dirname, 'dist', 'main.mjs');
await build({
  entryPoints: [join(import.meta.dirname, 'main.ts')],
  outfile,
  bundle: true,
  packages: 'external',
  platform: 'node',
  format: 'esm',
  target: 'node24',
});
await import(outfile);
