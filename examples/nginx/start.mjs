// nginx in front of an application that knows nothing of tokens: deploy/gateways/nginx, with its addresses filled in.
import { spawn } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { createServer } from 'node:http';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

const { SESSION_SERVICE_URL, SESSION_API_KEY, PORT = '4000' } = process.env;
const GATEWAY = join(import.meta.dirname, '../../deploy/gateways/nginx/session-gateway.conf');

// It believes its headers because nobody but nginx reaches it, and nginx overwrites what a client sends.
const application = createServer((request, response) => {
  const { 'x-session-user': user, 'x-session-scope': scope } = request.headers;
  response.setHeader('content-type', 'application/json').end(JSON.stringify({ user, scope }));
}).listen(0, '127.0.0.1');
await new Promise((listening) => application.once('listening', listening));

const folder = mkdtempSync(join(tmpdir(), 'nginx-example-'));
const write = (name, text) => {
  writeFileSync(join(folder, name), text, { mode: 0o600 });
  return join(folder, name);
};
const key = write('session-api-key.conf', `proxy_set_header X-API-Key "${SESSION_API_KEY}";\n`);
const gateway = write(
  'session-gateway.conf',
  readFileSync(GATEWAY, 'utf8')
    .replace('listen 8000;', `listen 127.0.0.1:${PORT};`)
    .replace('server 127.0.0.1:3000;', `server ${new URL(SESSION_SERVICE_URL).host};`)
    .replace('server 127.0.0.1:8080;', `server 127.0.0.1:${application.address().port};`)
    .replace('include /etc/nginx/session-api-key.conf;', `include ${key};`),
);
const temporary = ['client_body', 'proxy', 'fastcgi', 'uwsgi', 'scgi']
  .map((kind) => `${kind}_temp_path ${join(folder, kind)};`)
  .join(' ');
const main = write(
  'nginx.conf',
  `daemon off; master_process off; error_log stderr; pid ${join(folder, 'nginx.pid')}; events {}
http { access_log off; ${temporary} include ${gateway}; }
`,
);

const nginx = spawn('nginx', ['-p', folder, '-e', 'stderr', '-c', main], { stdio: 'inherit' });
nginx.once('error', () => process.stderr.write('nginx is not on the PATH.\n'));
const leave = () => {
  nginx.kill();
  application.close();
  application.closeAllConnections();
  rmSync(folder, { recursive: true, force: true });
};
nginx.once('close', (code) => {
  leave();
  process.exitCode = code ?? 0;
});
for (const signal of ['SIGINT', 'SIGTERM']) process.once(signal, leave);
process.stdout.write(`the example is at http://localhost:${PORT}\n`);
