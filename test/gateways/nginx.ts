/** Debian's nginx with deploy/gateways/nginx. */
import { documented, fileIn, type GatewayKind } from './gateway.js';

export const NGINX: GatewayKind = {
  name: 'nginx',
  prepare: (places) => {
    const { port, servicePort, applicationPort, apiKey, directory } = places;
    const key = fileIn(places, 'session-api-key.conf', `proxy_set_header X-API-Key "${apiKey}";\n`);
    const gateway = fileIn(
      places,
      'session-gateway.conf',
      documented('nginx/session-gateway.conf', {
        'listen 8000;': `listen 127.0.0.1:${port};`,
        'server 127.0.0.1:3000;': `server 127.0.0.1:${servicePort};`,
        'server 127.0.0.1:8080;': `server 127.0.0.1:${applicationPort};`,
        'include /etc/nginx/session-api-key.conf;': `include ${key};`,
      }),
    );
    const temporary = ['client_body', 'proxy', 'fastcgi', 'uwsgi', 'scgi']
      .map((kind) => `${kind}_temp_path ${directory}/${kind};`)
      .join('\n  ');
    // One process, which ends with the test.
    const main = fileIn(
      places,
      'nginx.conf',
      `daemon off;
master_process off;
error_log stderr;
pid ${directory}/nginx.pid;
events {}
http {
  access_log off;
  ${temporary}
  include ${gateway};
}
`,
    );
    return ['nginx', '-p', directory, '-e', 'stderr', '-c', main];
  },
};
