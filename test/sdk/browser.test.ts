/** Web pages in a real browser: several tabs with one session, through refresh, outage and logout. */
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test } from '@jest/globals';
import { readFileSync } from 'node:fs';
import { createServer, type IncomingMessage, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { chromium, type Browser, type BrowserContext, type Page } from 'playwright-core';
import { authenticate, type RequestRefused } from '../../sdk/src/bearer.js';
import { SessionServiceError, SessionVerifier } from '../../sdk/src/index.js';
import { createTestTenant, type TestService } from '../../sdk/src/testing.js';
import { eventually } from '../support/eventually.js';
import { buildSdkOnce } from './built-sdk.js';

const PAGE = `<!doctype html><title>signed in</title><script type="module">
import { browserStore, createSessionFetch, refreshAt, SessionTokens } from '/sdk.js';
const tokens = new SessionTokens({
  refresh: refreshAt('/refresh'),
  store: browserStore(),
  timeoutMs: Number(new URLSearchParams(location.search).get('timeoutMs')),
  onSignedOut: () => (document.title = 'signed out'),
});
const sessionFetch = createSessionFetch({ tokens });
window.signIn = async () => tokens.signIn(await (await fetch('/login', { method: 'POST' })).json());
window.signOut = () => tokens.signOut();
window.isSignedIn = () => tokens.isSignedIn();
window.me = () => sessionFetch('/me').then((answer) => answer.json(), ({ action }) => ({ action }));
window.ready = true;
</script>`;

const four = <T>(value: T): T[] => Array.from({ length: 4 }, () => value);

/** What the page puts into its window. */
type Calls = Record<'signIn' | 'signOut' | 'isSignedIn' | 'me', () => Promise<unknown>> & { ready?: boolean };

let browser: Browser;
let tenant: TestService;
let verifier: SessionVerifier;
let server: Server;
let context: BrowserContext;
let refreshes: number;

beforeAll(async () => {
  buildSdkOnce();
  browser = await chromium.launch({ executablePath: '/usr/bin/chromium', args: ['--no-sandbox'] });
});

afterAll(async () => {
  await browser.close();
});

beforeEach(async () => {
  tenant = await createTestTenant();
  verifier = tenant.verifier({ maxStalenessMs: 60_000 });
  await verifier.ready();
  refreshes = 0;
  server = createServer((request, response) => {
    void answer(request).then(({ status = 200, type = 'application/json', headers = {}, body }) =>
      response.writeHead(status, { 'content-type': type, ...headers }).end(body),
    );
  });
  await new Promise<void>((listening) => server.listen(0, '127.0.0.1', listening));
  context = await browser.newContext();
});

afterEach(async () => {
  await context.close();
  server.closeAllConnections();
  server.close();
  await tenant.close();
});

interface Answer {
  readonly status?: number;
  readonly type?: string;
  readonly headers?: Readonly<Record<string, string>>;
  readonly body: string | Buffer;
}

/** An application with a login, a refresh and something to see. */
async function answer(request: IncomingMessage): Promise<Answer> {
  switch (request.url?.split('?', 1)[0]) {
    case '/':
      return { type: 'text/html', body: PAGE };
    case '/sdk.js':
      return { type: 'text/javascript', body: readFileSync('sdk/dist/browser/index.js') };
    case '/login': {
      // Its time is over at once, so that the first thing every tab needs is another one.
      const login = await tenant.login({ userId: 'bob' });
      return {
        body: JSON.stringify({ ...login, accessToken: await tenant.expired(login), expiresInSeconds: 0 }),
      };
    }
    case '/refresh':
      return refresh(JSON.parse(await textOf(request)) as { refresh_token: string });
    case '/me':
      try {
        const { userId } = await authenticate(verifier, request.headers.authorization);
        return { body: JSON.stringify({ userId }) };
      } catch (error) {
        const { statusCode: status, headers, body } = error as RequestRefused;
        return { status, headers, body: JSON.stringify(body) };
      }
    default:
      return { status: 404, body: '{}' };
  }
}

async function refresh({ refresh_token: token }: { refresh_token: string }): Promise<Answer> {
  refreshes++;
  try {
    const { accessToken, refreshToken, expiresInSeconds } = await tenant
      .client({ retries: 0 })
      .refresh(token);
    const body = { access_token: accessToken, refresh_token: refreshToken, expires_in: expiresInSeconds };
    return { body: JSON.stringify(body) };
  } catch (error) {
    const { code, message, action } = error as SessionServiceError;
    const body = JSON.stringify({ error: code, error_description: message, action });
    return { status: action === 'reauthenticate' ? 401 : 503, body };
  }
}

async function textOf(request: IncomingMessage): Promise<string> {
  const chunks: Buffer[] = [];
  for await (const chunk of request) chunks.push(chunk as Buffer);
  return Buffer.concat(chunks).toString();
}

async function openTab(timeoutMs: number): Promise<Page> {
  const page = await context.newPage();
  await page.goto(`http://127.0.0.1:${(server.address() as AddressInfo).port}/?timeoutMs=${timeoutMs}`);
  await page.waitForFunction(() => (globalThis as unknown as Calls).ready);
  return page;
}

const call = (page: Page, name: 'signIn' | 'signOut' | 'isSignedIn' | 'me'): Promise<unknown> =>
  page.evaluate((name) => (globalThis as unknown as Calls)[name](), name);

describe('four tabs with one session', () => {
  let tabs: Page[];

  const openTabs = async (timeoutMs: number): Promise<void> => {
    tabs = await Promise.all(four(timeoutMs).map(openTab));
    await call(tabs[0] as Page, 'signIn');
    // Each tab is a process, and hears of what another wrote to localStorage a moment later.
    await eventually(async () => (await inAll('isSignedIn')).every(Boolean));
  };

  /**
   * Usually one. For the same reason a tab may be given the lock a moment too early: then it refreshes once more, which
   * harms nobody. Never does each of them.
   */
  const expectFewRefreshes = (): void => expect(refreshes).toBeLessThan(tabs.length);

  beforeEach(() => openTabs(60_000));

  const inAll = (name: 'isSignedIn' | 'me'): Promise<unknown[]> =>
    Promise.all(tabs.map((tab) => call(tab, name)));
  const titles = (): Promise<string[]> => Promise.all(tabs.map((tab) => tab.title()));

  test('refresh once for all of them', async () => {
    expect(await inAll('me')).toEqual(four({ userId: 'bob' }));
    expectFewRefreshes();
    expect(await inAll('me')).toEqual(four({ userId: 'bob' }));
    expectFewRefreshes();
  });

  test('stay signed in through an outage, and go on after it', async () => {
    await openTabs(500);
    tenant.goDown();
    expect(await inAll('me')).toEqual(four({ action: 'retry' }));
    expect(await inAll('isSignedIn')).toEqual(four(true));
    tenant.comeBack();
    for (const tab of tabs) {
      await eventually(async () => ((await call(tab, 'me')) as { userId?: string }).userId === 'bob');
    }
    expect(await titles()).toEqual(four('signed in'));
  });

  test('are all signed out by a logout in one of them', async () => {
    await inAll('me');
    await call(tabs[2] as Page, 'signOut');
    await eventually(async () => (await titles()).every((title) => title === 'signed out'));
    expect(await inAll('me')).toEqual(four({ action: 'reauthenticate' }));
  });

  test('are all signed out when the session was ended', async () => {
    for (const sessionId of tenant.sessions.keys()) tenant.revoke({ sessionId });
    const answers = await inAll('me');
    expect(answers).toEqual(four({ action: 'reauthenticate' }));
    await eventually(async () => (await titles()).every((title) => title === 'signed out'));
    expectFewRefreshes();
  });
});
