// What many would write by hand: Express, jsonwebtoken and ioredis, each used as its documentation shows. Keys are PEM
// text, as read from a file; a blocklist in Redis is asked for each token. It does less than the service: no tenants,
// no authentication of callers, no atomic rotation.
import { generateKeyPairSync, randomBytes, randomUUID } from 'node:crypto';
import express from 'express';
import { Redis } from 'ioredis';
import jwt from 'jsonwebtoken';
import { announce } from './announce.mjs';

const { privateKey, publicKey } = generateKeyPairSync('rsa', {
  modulusLength: 2048,
  publicKeyEncoding: { type: 'spki', format: 'pem' },
  privateKeyEncoding: { type: 'pkcs8', format: 'pem' },
});
const refreshSecret = randomBytes(32).toString('hex');
const issuer = 'http://localhost:3000/tenants/bench';
const refreshTtlSeconds = 2_592_000;
const redis = new Redis(process.env.REDIS_URL, { keyPrefix: 'express:' });

async function issue(sid, session) {
  const { user_id: subject, scope, metadata } = session;
  const refreshId = randomUUID();
  const claims = { sid, tenant_id: 'bench', scope, metadata, token_type: 'access' };
  const accessToken = jwt.sign(claims, privateKey, {
    algorithm: 'RS256',
    expiresIn: 7200,
    notBefore: 0,
    keyid: 'k1',
    issuer,
    subject,
    audience: 'bench',
    jwtid: randomUUID(),
  });
  const refreshToken = jwt.sign({ sid }, refreshSecret, {
    issuer,
    subject,
    jwtid: refreshId,
    expiresIn: refreshTtlSeconds,
  });
  const stored = JSON.stringify({ ...session, refreshId });
  await redis.set(`session:${sid}`, stored, 'EX', refreshTtlSeconds);
  return {
    session_id: sid,
    access_token: accessToken,
    refresh_token: refreshToken,
    token_type: 'Bearer',
    expires_in: 7200,
    refresh_expires_in: refreshTtlSeconds,
  };
}

const app = express();
app.use(express.json());

app.post('/sessions', async (request, response) => {
  const { user_id, scope, metadata } = request.body;
  response.status(201).json(await issue(randomUUID(), { user_id, scope, metadata }));
});

app.post('/sessions/validate', async (request, response) => {
  try {
    const claims = jwt.verify(request.body.access_token, publicKey, {
      algorithms: ['RS256'],
      issuer,
      audience: 'bench',
    });
    if (await redis.exists(`revoked:${claims.sid}`)) throw new Error('revoked');
    response.json({ valid: true, claims });
  } catch {
    response.status(401).json({ valid: false });
  }
});

app.post('/sessions/refresh', async (request, response) => {
  try {
    const claims = jwt.verify(request.body.refresh_token, refreshSecret, { algorithms: ['HS256'], issuer });
    const stored = await redis.get(`session:${claims.sid}`);
    const { refreshId, ...session } = JSON.parse(stored);
    if (refreshId !== claims.jti) throw new Error('reused');
    response.json(await issue(claims.sid, session));
  } catch {
    response.status(401).json({ error: 'invalid_token' });
  }
});

const server = app.listen(0, '127.0.0.1', () => announce(server.address().port));
