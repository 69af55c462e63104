// The ceiling: Fastify that parses a body, does nothing, and answers an object of the same size as the service's.
// `/sessions/signed` signs one RS256 signature for each answer, off the event loop: what no creation can do without.
// `/sessions/asked` asks Redis once for each answer: what no check of the store can do without.
import { generateKeyPairSync, sign } from 'node:crypto';
import fastify from 'fastify';
import { Redis } from 'ioredis';
import { announce } from './announce.mjs';

const { validated, issued } = JSON.parse(process.env.ANSWERS);
const { privateKey } = generateKeyPairSync('rsa', { modulusLength: 2048 });
const text = Buffer.from(issued.access_token.replace(/\.[^.]*$/, ''));

const app = fastify();
app.post('/sessions/validate', async () => ({ ...validated }));
app.post('/sessions', async (_request, reply) => reply.status(201).send({ ...issued }));
app.post('/sessions/refresh', async () => ({ ...issued }));
app.post('/sessions/signed', (_request, reply) => {
  sign('sha256', text, privateKey, (error) => {
    if (error) throw error;
    reply.status(201).send({ ...issued });
  });
});
const redis = new Redis(process.env.REDIS_URL, { lazyConnect: true });
app.post('/sessions/asked', async () => {
  await redis.exists('nothing');
  return { ...validated };
});
await app.listen({ host: '127.0.0.1', port: 0 });
announce(app.server.address().port);
