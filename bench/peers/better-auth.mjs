// better-auth as its documentation shows: a Node handler, e-mail and password, users in SQLite, sessions in Redis as
// its secondary storage. COOKIE_CACHE=1 turns on its signed cookie cache, which asks nobody until it expires.
import { randomBytes } from 'node:crypto';
import { createServer } from 'node:http';
import { DatabaseSync } from 'node:sqlite';
import { betterAuth } from 'better-auth';
import { getMigrations } from 'better-auth/db/migration';
import { toNodeHandler } from 'better-auth/node';
import { Redis } from 'ioredis';
import { announce } from './announce.mjs';

const redis = new Redis(process.env.REDIS_URL, { keyPrefix: 'better-auth:' });
const auth = betterAuth({
  baseURL: 'http://127.0.0.1',
  secret: randomBytes(32).toString('hex'),
  database: new DatabaseSync(':memory:'),
  // Seeding alone: how a password is kept has no part in checking a session.
  emailAndPassword: {
    enabled: true,
    password: { hash: async (password) => password, verify: async ({ hash, password }) => hash === password },
  },
  secondaryStorage: {
    get: (key) => redis.get(key),
    set: (key, value, ttl) => (ttl ? redis.set(key, value, 'EX', ttl) : redis.set(key, value)),
    delete: async (key) => void (await redis.del(key)),
  },
  session: { cookieCache: { enabled: Boolean(process.env.COOKIE_CACHE), maxAge: 7200 } },
  rateLimit: { enabled: false },
  telemetry: { enabled: false },
  logger: { level: 'error' },
});

const { runMigrations } = await getMigrations(auth.options);
await runMigrations();
const cookies = [];
for (let at = 0; at < Number(process.env.SESSIONS); at++) {
  const body = { email: `user-${at}@example.com`, password: 'correct horse battery', name: `User ${at}` };
  const { headers } = await auth.api.signUpEmail({ body, returnHeaders: true });
  cookies.push(
    headers
      .getSetCookie()
      .map((cookie) => cookie.split(';', 1)[0])
      .join('; '),
  );
}

const handle = toNodeHandler(auth);
const server = createServer((request, response) => void handle(request, response));
server.listen(0, '127.0.0.1', () => announce(server.address().port, { cookies }));
