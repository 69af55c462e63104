// One session in every tab of this browser: the SDK does the work, this shows it.
import {
  browserStore,
  createSessionFetch,
  refreshAt,
  SessionServiceError,
  SessionTokens,
} from 'session-service-sdk/browser';

const store = browserStore({ name: 'tabs' });
const tokens = new SessionTokens({
  store,
  refresh: refreshAt('/session/refresh'),
  // An outage is shown soon; the next look tries again.
  timeoutMs: 3000,
  onSignedOut: (cause) => {
    note(cause ? `the session is over: ${cause.code}` : 'logged out');
    void show();
  },
});
const api = createSessionFetch({ tokens });

const element = (id) => document.getElementById(id);
/** What the last look at the API told; `null` while all is well. */
let trouble = null;
let shownToken = null;

element('login').addEventListener('submit', async (event) => {
  event.preventDefault();
  const user = String(event.target.elements.user.value);
  const answer = await fetch('/session', {
    method: 'POST',
    headers: { 'content-type': 'application/json' },
    body: JSON.stringify({ user }),
  }).catch(() => null);
  if (!answer?.ok) return note('the login did not work; try again');
  const { access_token: accessToken, expires_in: expiresInSeconds } = await answer.json();
  trouble = null;
  await tokens.signIn({ accessToken, expiresInSeconds });
  note(`logged in as ${user}`);
  await show();
});

element('ask').addEventListener('click', () => ask({ isAskedFor: true }));

element('refresh').addEventListener('click', async () => {
  const held = await store.get();
  if (held) await attempt(async () => void (await tokens.refreshed(held.accessToken)));
});

element('logout').addEventListener('click', async () => {
  const answer = await fetch('/session/logout', { method: 'POST' }).catch(() => null);
  // A logout that the service has not heard of is none: the session would live on.
  if (!answer?.ok) return note('the logout did not work; try again');
  await tokens.signOut();
});

async function ask({ isAskedFor = false } = {}) {
  await attempt(async () => {
    const answer = await api('/api/time');
    if (!answer.ok) throw Object.assign(new Error(), { status: answer.status });
    const { time } = await answer.json();
    if (isAskedFor) note(`the API answered at ${time.slice(11, 19)}`);
  });
}

/** Nobody is logged out because a server is away. */
async function attempt(work) {
  try {
    await work();
    if (trouble) note('all is well again');
    trouble = null;
  } catch (error) {
    const isOver = error instanceof SessionServiceError && error.action === 'reauthenticate';
    if (!isOver && !trouble) note('the service does not answer; still logged in');
    trouble = isOver ? null : 'outage';
  }
  await show();
}

async function show() {
  const held = await store.get();
  const leftMs = held ? held.expiresAtMs - Date.now() : 0;
  const state = !held ? 'signed-out' : leftMs <= 0 ? 'expired' : (trouble ?? 'signed-in');
  const words = {
    'signed-out': 'Logged out',
    expired: trouble ? 'Expired, service away' : 'Expired',
    outage: 'Service away',
    'signed-in': 'Logged in',
  };
  element('status').dataset.state = state;
  element('status').textContent = words[state];
  element('login').hidden = held !== null;
  element('session').hidden = held === null;
  const claims =
    held && JSON.parse(atob(held.accessToken.split('.')[1].replaceAll('-', '+').replaceAll('_', '/')));
  if (claims && claims.jti !== shownToken) note(`access token ${claims.jti.slice(0, 12)}…`);
  shownToken = claims?.jti ?? null;
  element('user').textContent = claims?.sub ?? '–';
  element('token').textContent = claims ? `${claims.jti.slice(0, 12)}…` : '–';
  element('token').title = claims?.jti ?? '';
  element('left').textContent = held ? `${Math.max(0, Math.ceil(leftMs / 1000))} s` : '–';
  element('life').value = held ? Math.max(0, leftMs / held.lifeMs) : 0;
}

function note(text) {
  const line = document.createElement('li');
  const time = document.createElement('time');
  time.textContent = new Date().toTimeString().slice(0, 8);
  line.append(time, text);
  element('log').prepend(line);
}

// The tab looks about every other second, as a page with something to show would; one tab at a time refreshes.
async function look() {
  if (await tokens.isSignedIn()) await ask();
  else await show();
  setTimeout(look, 2000);
}

setInterval(show, 250);
await look();
