// The server of a page that several tabs have open: it holds the API key, and the refresh token's cookie goes to it.
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import express from 'express';
import { SessionClient, SessionServiceError, SessionVerifier } from 'session-service-sdk';
import { requireSession } from 'session-service-sdk/express';

const settings = { url: process.env.SESSION_SERVICE_URL, apiKey: process.env.SESSION_API_KEY };
const client = new SessionClient(settings);
const verifier = new SessionVerifier(settings);
await verifier.ready();

const REFRESH = { path: '/session', sameSite: 'strict', httpOnly: true, secure: true };
const app = express();
app.disable('x-powered-by');
app.use(express.json());

// To this path alone goes a cookie, and a browser says of every request which site made it.
app.use('/session', (request, response, next) => {
  const site = request.headers['sec-fetch-site'];
  if (site === undefined || site === 'same-origin') return next();
  response.status(403).json({ error: 'cross_site_request' });
});

app.post('/session', async (request, response) => {
  const { user } = request.body ?? {};
  // Here a real application checks a password; see examples/express-app.
  if (typeof user !== 'string' || !/^[a-z]{1,20}$/.test(user)) return void response.sendStatus(400);
  answer(response.status(201), await client.create({ userId: user, scope: 'read' }));
});

app.post('/session/refresh', async (request, response) => {
  answer(response, await client.refresh(refreshTokenOf(request)));
});

app.post('/session/logout', async (request, response) => {
  const token = refreshTokenOf(request);
  if (token) await client.revoke(token, { reason: 'user_logout' });
  response.clearCookie('refresh', REFRESH).sendStatus(204);
});

app.get('/api/time', requireSession(verifier), (request, response) => {
  response.json({ user: request.auth.userId, time: new Date().toISOString(), token: request.auth.tokenId });
});

app.use(express.static(join(import.meta.dirname, 'page')));
// What the page loads of the SDK: one file, without a bundler.
const sdk = fileURLToPath(import.meta.resolve('session-service-sdk/package.json'));
app.use('/sdk', express.static(join(sdk, '../dist/browser')));

// In the form of the service's own errors: the page goes by `action`, and an outage is never a 401.
app.use((error, _request, response, next) => {
  if (!(error instanceof SessionServiceError)) return next(error);
  const { code, message, action } = error;
  const status = { refresh: 401, reauthenticate: 401, retry: 503 }[action] ?? 500;
  if (action === 'reauthenticate') response.clearCookie('refresh', REFRESH);
  response.status(status).json({ error: code, error_description: message, action });
});

/** The access token for scripts to send, the refresh token where no script reads it. */
function answer(response, { accessToken, expiresInSeconds, refreshToken, refreshExpiresInSeconds }) {
  response.cookie('refresh', refreshToken, { ...REFRESH, maxAge: refreshExpiresInSeconds * 1000 });
  response.json({ access_token: accessToken, expires_in: expiresInSeconds });
}

function refreshTokenOf({ headers }) {
  return /(?:^|; )refresh=([^;]+)/.exec(headers.cookie ?? '')?.[1] ?? '';
}

const server = app.listen(Number(process.env.PORT ?? 4000), () =>
  process.stdout.write(`the example is at http://localhost:${server.address().port}\n`),
);
for (const signal of ['SIGINT', 'SIGTERM']) {
  process.once(signal, () => {
    verifier.close();
    server.close();
    server.closeAllConnections();
  });
}
