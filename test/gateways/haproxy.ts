/** Debian's HAProxy with deploy/gateways/haproxy. */
import { documented, fileIn, type GatewayKind } from './gateway.js';

export const HAPROXY: GatewayKind = {
  name: 'HAProxy',
  prepare: (places) => {
    const { port, servicePort, applicationPort, apiKey } = places;
    const lua = fileIn(places, 'session-verify.lua', documented('haproxy/session-verify.lua', {}));
    const file = fileIn(
      places,
      'haproxy.cfg',
      documented('haproxy/haproxy.cfg', {
        'bind :8000': `bind 127.0.0.1:${port}`,
        '127.0.0.1:8080': `127.0.0.1:${applicationPort}`,
        '/etc/haproxy/session-verify.lua': lua,
      }),
    );
    const url = `http://127.0.0.1:${servicePort}/sessions/verify`;
    return ['env', `SESSION_VERIFY_URL=${url}`, `SESSION_API_KEY=${apiKey}`, 'haproxy', '-db', '-f', file];
  },
};
