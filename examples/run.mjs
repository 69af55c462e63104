// Runs an example, and the service that it needs: npm run example -- express-app
//   SESSION_SERVICE_URL, SESSION_API_KEY   a service that runs already, and an API key of one of its tenants
//   PORT                                   where the example listens; 4000 if it is left out
import { spawn, spawnSync } from 'node:child_process';
import { existsSync, readdirSync } from 'node:fs';
import { join } from 'node:path';
import { startService } from './service.mjs';

const HERE = import.meta.dirname;
const ROOT = join(HERE, '..');
const EXAMPLES = readdirSync(HERE).filter((name) => existsSync(join(HERE, name, 'start.mjs')));

const name = process.argv[2] ?? '';
if (!EXAMPLES.includes(name)) {
  process.stderr.write(`npm run example -- ${EXAMPLES.join(' | ')}\n`);
  process.exit(2);
}

for (const [made, ...build] of [
  ['dist/main.js', 'run', 'build'],
  ['sdk/dist/browser/index.js', 'run', 'build', '-w', 'sdk'],
]) {
  if (existsSync(join(ROOT, made))) continue;
  const { status } = spawnSync('npm', build, { cwd: ROOT, stdio: 'inherit' });
  if (status !== 0) process.exit(1);
}

// What the example needs of the service stands beside it: which scopes, and settings of its tenant.
const { needs } = await import(`./${name}/needs.mjs`);
const given = process.env.SESSION_SERVICE_URL;
const service = given ? null : await startService(needs);
const example = spawn(process.execPath, [join(HERE, name, 'start.mjs')], {
  stdio: 'inherit',
  env: {
    ...process.env,
    ...(service && { SESSION_SERVICE_URL: service.url, SESSION_API_KEY: service.apiKey }),
  },
});

// Ctrl-C reaches all of us; the service leaves last.
for (const signal of ['SIGINT', 'SIGTERM']) process.on(signal, () => example.kill(signal));
example.once('exit', (code) => {
  service?.stop();
  process.exitCode = code ?? 0;
});
