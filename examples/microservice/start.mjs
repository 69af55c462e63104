// A service that only verifies: it makes no session, ends none, and asks nobody about a request.
import fastify from 'fastify';
import { SessionVerifier } from 'session-service-sdk';
import { sessions } from 'session-service-sdk/fastify';

const verifier = new SessionVerifier({
  url: process.env.SESSION_SERVICE_URL,
  apiKey: process.env.SESSION_API_KEY,
  // A revocation may be this old, at most, before the service is asked instead.
  maxStalenessMs: 2000,
  onStateChange: ({ previous, state }) => process.stdout.write(`revocations: ${previous} -> ${state}\n`),
});
await verifier.ready();

const app = fastify({ forceCloseConnections: true });
await app.register(sessions, { verifier });

app.get('/orders', { onRequest: app.requireSession({ scope: 'orders:read' }) }, async ({ auth }) => ({
  user: auth.userId,
  orders: [{ id: 1, item: 'tea' }],
  // How it is known that the session still lives, and how old that knowledge is.
  revocation: auth.revocation,
}));

// Ready as long as it can tell good tokens from bad ones.
app.get('/health', async (_request, reply) => {
  const { state, ageMs } = verifier.status();
  return reply.code(state === 'following' ? 200 : 503).send({ state, ageMs });
});

app.addHook('onClose', () => verifier.close());
await app.listen({ port: Number(process.env.PORT ?? 4000), host: 'localhost' });
process.stdout.write(`the example is at http://localhost:${app.server.address().port}\n`);

for (const signal of ['SIGINT', 'SIGTERM']) process.once(signal, () => void app.close());
