// Login, refresh and logout with cookies that scripts cannot read.
import express from 'express';
import { SessionServiceError } from 'session-service-sdk';
import { requireSession } from 'session-service-sdk/express';
import { logIn } from './passwords.mjs';

// The access token goes along with every request of this site; the refresh token only to where it is exchanged.
const ACCESS = { name: 'access', path: '/', sameSite: 'lax' };
const REFRESH = { name: 'refresh', path: '/session', sameSite: 'strict' };

/** @param {{ client: import('session-service-sdk').SessionClient, verifier: import('session-service-sdk').SessionVerifier }} sessions */
export function createApp({ client, verifier }) {
  const app = express();
  app.disable('x-powered-by');
  app.use(refuseOtherSites, express.json(), readCookies);

  app.post('/session', async (request, response) => {
    const userId = await logIn(request.body?.user, request.body?.password);
    if (!userId) return void response.status(401).json({ error: 'wrong_password' });
    const device = request.headers['user-agent']?.slice(0, 100) ?? 'unknown';
    setTokens(response, await client.create({ userId, scope: 'notes:read', metadata: { device } }));
    response.status(201).json({ user: userId });
  });

  // Two tabs may come here at once with the same token: both get the same successor.
  app.post('/session/refresh', async (request, response) => {
    setTokens(response, await client.refresh(request.cookies[REFRESH.name] ?? ''));
    response.sendStatus(204);
  });

  app.post('/session/logout', async (request, response) => {
    const token = request.cookies[REFRESH.name] ?? request.cookies[ACCESS.name];
    // First there, then here: a logout that the service has not heard of is none.
    if (token) await client.revoke(token, { reason: 'user_logout' });
    clearTokens(response);
    response.sendStatus(204);
  });

  const signedIn = [bearerFromCookie, requireSession(verifier, { scope: 'notes:read' })];

  app.post('/session/logout-everywhere', signedIn, async (request, response) => {
    const ended = await client.revokeAll(request.auth.userId, { reason: 'user_logout' });
    clearTokens(response);
    response.json({ ended });
  });

  app.get('/notes', signedIn, (request, response) => {
    response.json({ user: request.auth.userId, notes: ['Buy milk.'] });
  });

  app.use(answerError);
  return app;
}

/**
 * Cookies go along with requests that another site makes, so nothing may change because of one. A browser says where a
 * request comes from, in a header that no page can set; whoever sends none is no browser, and has no cookies to abuse.
 */
function refuseOtherSites(request, response, next) {
  const site = request.headers['sec-fetch-site'];
  const isSafe = ['GET', 'HEAD', 'OPTIONS'].includes(request.method);
  if (isSafe || site === undefined || site === 'same-origin' || site === 'none') return next();
  response.status(403).json({ error: 'cross_site_request' });
}

function readCookies(request, _response, next) {
  const pairs = (request.headers.cookie ?? '').split('; ').map((pair) => pair.split('='));
  request.cookies = Object.fromEntries(pairs.filter(([name]) => name));
  next();
}

/** For clients with cookies; an app that sends `Authorization` by itself passes as it is. */
function bearerFromCookie(request, _response, next) {
  const token = request.cookies[ACCESS.name];
  if (token) request.headers.authorization ??= `Bearer ${token}`;
  next();
}

function setTokens(response, { accessToken, expiresInSeconds, refreshToken, refreshExpiresInSeconds }) {
  setCookie(response, ACCESS, accessToken, expiresInSeconds);
  setCookie(response, REFRESH, refreshToken, refreshExpiresInSeconds);
}

function clearTokens(response) {
  setCookie(response, ACCESS, '', 0);
  setCookie(response, REFRESH, '', 0);
}

function setCookie(response, { name, ...options }, value, seconds) {
  // Browsers take localhost for secure; elsewhere this needs https.
  response.cookie(name, value, { ...options, maxAge: seconds * 1000, httpOnly: true, secure: true });
}

/** A session that is over takes its cookies along; an outage never does. */
function answerError(error, request, response, next) {
  if (!(error instanceof SessionServiceError)) return next(error);
  const { code, message, action } = error;
  // Our own mistake (a wrong API key, say) is not the client's: it gets no 4xx for it.
  const status = { refresh: 401, reauthenticate: 401, retry: 503 }[action] ?? 500;
  if (action === 'reauthenticate') clearTokens(response);
  if (status === 503) response.set('retry-after', String(error.retryAfterSeconds ?? 1));
  response.status(status).json({ error: code, error_description: message, action });
}
