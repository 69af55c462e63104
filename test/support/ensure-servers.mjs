// Finds the servers that the tests start: those on the PATH, else Debian's, installed if we may, else one sentence.
import { spawnSync } from 'node:child_process';

/** Commands, and Debian's packages that have them. */
const NEEDED = {
  'redis-server': 'redis-server',
  'redis-cli': 'redis-server',
  'redis-sentinel': 'redis-sentinel',
  prometheus: 'prometheus',
  promtool: 'prometheus',
  haproxy: 'haproxy',
  nginx: 'nginx-light',
  jq: 'jq',
  chromium: 'chromium',
};

const has = (command) => spawnSync('sh', ['-c', `command -v ${command}`]).status === 0;
const missing = () => Object.keys(NEEDED).filter((command) => !has(command));
const packagesOf = (commands) => [...new Set(commands.map((command) => NEEDED[command]))];

if (missing().length > 0 && process.getuid?.() === 0 && has('apt-get')) {
  const packages = packagesOf(missing());
  process.stdout.write(`Installing ${packages.join(', ')} with apt-get ...\n`);
  const run = (args) =>
    spawnSync('apt-get', args, {
      stdio: ['ignore', 'ignore', 'inherit'],
      // Where systemd is at work, its services are not started: nginx would take port 80.
      env: { ...process.env, DEBIAN_FRONTEND: 'noninteractive', SYSTEMD_OFFLINE: '1', RUNLEVEL: '1' },
    });
  run(['update', '-qq']);
  // Not for their services: the tests start their own.
  run(['install', '-y', '-qq', '--no-install-recommends', ...packages]);
}

if (missing().length > 0) {
  process.stderr.write(
    `The tests need ${missing().join(', ')} on the PATH (Redis 7 or later): install them with ` +
      `"apt-get install ${packagesOf(missing()).join(' ')}" or your system's equivalent.\n`,
  );
  process.exit(1);
}
