// What a user would pick instead, each doing what it can do of the same work.
import { call, many, requestBytes } from '../load/request.mjs';
import { chained, numbered, repeating } from '../load/traffic.mjs';
import { makeCase } from './case.mjs';

let users = 0;
const newUser = () => ({
  tenant_id: 'bench',
  user_id: `user-${users++}`,
  scope: 'read write',
  metadata: { device: 'laptop', plan: 'pro' },
});

/** @returns the cases of every peer, all of them on the one Redis */
export async function peerCases(servers, redisUrl, plan) {
  const env = { REDIS_URL: redisUrl, SESSIONS: String(Math.min(300, plan.sessions)) };
  const start = (name, more = {}) => servers.peer(name, { ...env, ...more });
  return [
    ...(await byHand(await start('express-jsonwebtoken'), 'express', plan, {
      title: 'Express, jsonwebtoken, ioredis',
      toValidation: (access_token) => ({ path: '/sessions/validate', body: { access_token } }),
    })),
    ...(await byHand(await start('fastify-jwt'), 'fastify-jwt', plan, {
      title: '@fastify/jwt, ioredis',
      toValidation: withBearer,
    })),
    ...(await byHand(await start('fastify-jwt', { VERIFY_CACHE: '1' }), 'fastify-jwt-cache', plan, {
      title: '@fastify/jwt with its cache, ioredis',
      toValidation: withBearer,
      onlyValidation: true,
    })),
    ...oidcProvider(await start('oidc-provider')),
    betterAuth(await start('better-auth'), 'better-auth', 'better-auth session check, Redis'),
    betterAuth(
      await start('better-auth', { COOKIE_CACHE: '1' }),
      'better-auth-cookie',
      'better-auth session check, cookie cache (sees no revocation)',
    ),
  ];
}

const withBearer = (token) => ({
  method: 'GET',
  path: '/sessions/validate',
  headers: { authorization: `Bearer ${token}` },
});

async function byHand(server, contender, plan, { title, toValidation, onlyValidation }) {
  const create = () => call(server.port, { path: '/sessions', body: newUser() });
  const sessions = await many(plan.sessions, create);
  const peer = (values) => makeCase(server, { contender, kind: 'peer', title, inLatency: true, ...values });
  const validations = sessions.map((session) => requestBytes(toValidation(session.access_token)));
  const validate = peer({ operation: 'validate', traffic: repeating(validations), expects: '"claims"' });
  if (onlyValidation) return [validate];
  return [
    validate,
    peer({
      operation: 'create',
      traffic: numbered(() => requestBytes({ path: '/sessions', body: newUser() }), 201),
      expects: '"refresh_token"',
      inLatency: false,
    }),
    peer({
      operation: 'refresh',
      traffic: chained(
        sessions.map((session) => session.refresh_token),
        (refresh_token) => requestBytes({ path: '/sessions/refresh', body: { refresh_token } }),
        (answer) => answer.refresh_token,
      ),
      expects: '"refresh_token"',
      inLatency: false,
    }),
  ];
}

function oidcProvider(server) {
  const headers = {
    authorization: `Basic ${Buffer.from('bench:secret-of-this-benchmark').toString('base64')}`,
  };
  const peer = (values) => makeCase(server, { contender: 'oidc-provider', kind: 'peer', ...values });
  const toRefresh = (token) =>
    requestBytes({ path: '/token', headers, body: `grant_type=refresh_token&refresh_token=${token}` });
  return [
    peer({
      operation: 'validate',
      title: 'oidc-provider introspection, Redis',
      traffic: repeating(
        server.tokens.map(({ access }) =>
          requestBytes({ path: '/token/introspection', headers, body: `token=${access}` }),
        ),
      ),
      expects: '"active":true',
      inLatency: true,
    }),
    peer({
      operation: 'refresh',
      title: 'oidc-provider, Redis',
      traffic: chained(
        server.tokens.map(({ refresh }) => refresh),
        toRefresh,
        (answer) => answer.refresh_token,
      ),
      expects: '"refresh_token"',
    }),
  ];
}

function betterAuth(server, contender, title) {
  const requests = server.cookies.map((cookie) =>
    requestBytes({ method: 'GET', path: '/api/auth/get-session', headers: { cookie } }),
  );
  return makeCase(server, {
    contender,
    kind: 'peer',
    operation: 'validate',
    title,
    traffic: repeating(requests),
    expects: '"email"',
    inLatency: true,
  });
}
