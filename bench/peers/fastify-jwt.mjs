// What many would write by hand on Fastify: @fastify/jwt with its `trusted` callback asking a blocklist in Redis
// through ioredis, each as its documentation shows. VERIFY_CACHE=1 turns its cache of verified tokens on. It does less
// than the service: no tenants, no authentication of callers, no atomic rotation.
import { generateKeyPairSync, randomBytes, randomUUID } from 'node:crypto';
import fastifyJwt from '@fastify/jwt';
import fastify from 'fastify';
import { Redis } from 'ioredis';
import { announce } from './announce.mjs';

const { privateKey, publicKey } = generateKeyPairSync('rsa', {
  modulusLength: 2048,
  publicKeyEncoding: { type: 'spki', format: 'pem' },
  privateKeyEncoding: { type: 'pkcs8', format: 'pem' },
});
const iss = 'http://localhost:3000/tenants/bench';
const refreshTtlSeconds = 2_592_000;
const redis = new Redis(process.env.REDIS_URL, { keyPrefix: 'fastify:' });

const app = fastify();
await app.register(fastifyJwt, {
  secret: { private: privateKey, public: publicKey },
  sign: { algorithm: 'RS256', iss, aud: 'bench', expiresIn: '2h' },
  verify: {
    algorithms: ['RS256'],
    allowedIss: iss,
    allowedAud: 'bench',
    ...(process.env.VERIFY_CACHE ? { cache: true } : {}),
  },
  trusted: async (_request, claims) => (await redis.exists(`revoked:${claims.sid}`)) === 0,
});
await app.register(fastifyJwt, {
  secret: randomBytes(32).toString('hex'),
  namespace: 'refresh',
  sign: { iss, expiresIn: '30d' },
});

async function issue(sid, session) {
  const { user_id: sub, scope, metadata } = session;
  const refreshId = randomUUID();
  const nbf = Math.floor(Date.now() / 1000);
  const claims = {
    sub,
    nbf,
    jti: randomUUID(),
    sid,
    tenant_id: 'bench',
    scope,
    metadata,
    token_type: 'access',
  };
  const access_token = app.jwt.sign(claims, { kid: 'k1' });
  const refresh_token = app.jwt.refresh.sign({ sub, sid, jti: refreshId });
  const stored = JSON.stringify({ ...session, refreshId });
  await redis.set(`session:${sid}`, stored, 'EX', refreshTtlSeconds);
  return {
    session_id: sid,
    access_token,
    refresh_token,
    token_type: 'Bearer',
    expires_in: 7200,
    refresh_expires_in: refreshTtlSeconds,
  };
}

app.post('/sessions', async (request, reply) => {
  const { user_id, scope, metadata } = request.body;
  return reply.status(201).send(await issue(randomUUID(), { user_id, scope, metadata }));
});

app.get(
  '/sessions/validate',
  {
    onRequest: async (request, reply) => {
      try {
        await request.jwtVerify();
      } catch (error) {
        reply.send(error);
      }
    },
  },
  async (request) => ({ valid: true, claims: request.user }),
);

app.post('/sessions/refresh', async (request, reply) => {
  try {
    const claims = app.jwt.refresh.verify(request.body.refresh_token);
    const { refreshId, ...session } = JSON.parse(await redis.get(`session:${claims.sid}`));
    if (refreshId !== claims.jti) throw new Error('reused');
    return await issue(claims.sid, session);
  } catch {
    return reply.status(401).send({ error: 'invalid_token' });
  }
});

await app.listen({ host: '127.0.0.1', port: 0 });
announce(app.server.address().port);
