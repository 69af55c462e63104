/** One session in three tabs of a real browser: refreshed once for all, ended in all, and through an outage in none. */
import { spawnSync } from 'node:child_process';
import { afterAll, beforeAll, beforeEach, describe, expect, test } from '@jest/globals';
import { chromium, type Browser, type BrowserContext, type Page } from 'playwright-core';
import { buildSdkOnce } from '../sdk/built-sdk.js';
import { eventually } from '../support/eventually.js';
import { buildOnce } from '../support/service-process.js';
import { Example, GivenService } from './example.js';

const BROWSER = spawnSync('sh', ['-c', 'command -v chromium'], { encoding: 'utf8' }).stdout.trim();
const QUIET = [
  '--no-sandbox',
  '--disable-gpu',
  '--disable-quic',
  '--no-first-run',
  '--disable-background-networking',
  '--disable-component-update',
  '--disable-sync',
];

/** In a page: holds the lock that refreshes take, until `release()`. */
const HOLD_LOCK = `new Promise((held) => void navigator.locks.request('session-service:tabs', () => {
  held();
  return new Promise((done) => (window.release = done));
}))`;
/** In a page: comes back when nobody holds that lock, or waits for it. */
const LOCK_IS_FREE = 'navigator.locks.request("session-service:tabs", () => undefined)';

describe('browser-tabs', () => {
  let service: GivenService;
  let example: Example;
  let browser: Browser;
  let context: BrowserContext;
  let tabs: Page[];
  /** Answers to refreshes, from whichever tab. */
  let refreshes: number[];

  beforeAll(async () => {
    buildOnce();
    buildSdkOnce();
    service = await GivenService.start();
    example = await Example.start('browser-tabs', service.settings);
    browser = await chromium.launch({ executablePath: BROWSER, headless: true, args: QUIET });
  });
  afterAll(async () => {
    await browser?.close();
    await example?.stop();
    await service?.stop();
  });

  beforeEach(async () => {
    await context?.close();
    await service.setTokenLife(null);
    context = await browser.newContext({ viewport: { width: 900, height: 760 } });
    refreshes = [];
    context.on('response', (answer) => {
      if (new URL(answer.url()).pathname === '/session/refresh') refreshes.push(answer.status());
    });
    tabs = await Promise.all(['one', 'two', 'three'].map(() => context.newPage()));
    await Promise.all(tabs.map((tab) => tab.goto(example.url)));
  });

  const state = (tab: Page) => tab.locator('#status').getAttribute('data-state');
  const token = (tab: Page) => tab.locator('#token').getAttribute('title');
  const all = (wanted: string) =>
    eventually(
      () => Promise.all(tabs.map(state)),
      (seen) => seen.every((one) => one === wanted),
    );
  const login = async () => {
    await tabs[0]?.getByRole('button', { name: 'Log in' }).click();
    await all('signed-in');
  };

  test('logs in once for all tabs, and keeps the refresh token from their scripts', async () => {
    await all('signed-out');
    await login();
    expect(new Set(await Promise.all(tabs.map(token))).size).toBe(1);
    const readable = await tabs[1]?.evaluate('JSON.stringify(localStorage) + document.cookie');
    expect(readable).toContain('accessToken');
    expect(readable).not.toContain('refresh');
    const cookies = await context.cookies();
    expect(cookies).toMatchObject([
      { name: 'refresh', httpOnly: true, sameSite: 'Strict', path: '/session' },
    ]);
  });

  test('refreshes once when all tabs want to at the same moment', async () => {
    await login();
    const before = await token(tabs[0] as Page);
    // None of them begins before all of them want to.
    await tabs[0]?.evaluate(HOLD_LOCK);
    await Promise.all(tabs.map((tab) => tab.evaluate('document.querySelector("#refresh").click()')));
    await tabs[0]?.evaluate('release()');
    await eventually(
      () => Promise.all(tabs.map(token)),
      (seen) => new Set(seen).size === 1 && seen[0] !== before,
    );
    // Whoever waited for the lock has had its turn, and found nothing left to do.
    await Promise.all(tabs.map((tab) => tab.evaluate(LOCK_IS_FREE)));
    // Usually one. A tab may be given the lock a moment before its process hears of what another wrote to localStorage:
    // then it refreshes once more, which harms nobody. Never does each of them.
    expect(refreshes).not.toContain(401);
    expect(refreshes.length).toBeLessThan(tabs.length);
  });

  test('goes on by itself when the access token expires', async () => {
    await service.setTokenLife(6);
    await login();
    const first = await token(tabs[2] as Page);
    const later = await eventually(
      () => token(tabs[2] as Page),
      (seen) => seen !== first,
    );
    expect(later).toBeTruthy();
    await all('signed-in');
    expect(refreshes).not.toContain(401);
  });

  test('logs out in all tabs when one does', async () => {
    await login();
    await tabs[1]?.getByRole('button', { name: 'Log out' }).click();
    await all('signed-out');
    expect(await context.cookies()).toEqual([]);
    expect(await tabs[2]?.locator('#login').isVisible()).toBe(true);
    await tabs[2]?.reload();
    await all('signed-out');
  });

  test('shows an expired token while the service is away, logs nobody out, and goes on when it is back', async () => {
    await service.setTokenLife(6);
    await login();
    await service.goAway();
    await all('expired');
    const held = await token(tabs[0] as Page);
    await eventually(() => refreshes.includes(503));
    await tabs[0]?.reload();
    await all('expired');
    expect(refreshes).not.toContain(401);
    await service.comeBack();
    await all('signed-in');
    expect(await token(tabs[0] as Page)).not.toBe(held);
    const log = await tabs[1]?.locator('#log').textContent();
    expect(log).toContain('still logged in');
    expect(log).not.toContain('the session is over');
  });

  test('is told when its session was ended elsewhere', async () => {
    await login();
    const { tenantId } = service;
    await service.call('/sessions/revoke-all', { tenant_id: tenantId, user_id: 'alice', reason: 'admin' });
    await all('signed-out');
    const logs = await Promise.all(tabs.map((tab) => tab.locator('#log').textContent()));
    expect(logs.join(' ')).toContain('the session is over');
  });
});
