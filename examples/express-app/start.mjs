import { SessionClient, SessionVerifier } from 'session-service-sdk';
import { createApp } from './app.mjs';

const settings = { url: process.env.SESSION_SERVICE_URL, apiKey: process.env.SESSION_API_KEY };
const verifier = new SessionVerifier(settings);
await verifier.ready();

const server = createApp({ client: new SessionClient(settings), verifier }).listen(
  Number(process.env.PORT ?? 4000),
  () => process.stdout.write(`the example is at http://localhost:${server.address().port}\n`),
);

for (const signal of ['SIGINT', 'SIGTERM']) {
  process.once(signal, () => {
    verifier.close();
    server.close();
    server.closeIdleConnections();
  });
}
