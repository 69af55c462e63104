/** The examples without a browser: each is started by its one command, and does what it is there to show. */
import { afterAll, beforeAll, describe, expect, test } from '@jest/globals';
import { buildSdkOnce } from '../sdk/built-sdk.js';
import { eventually } from '../support/eventually.js';
import { buildOnce } from '../support/service-process.js';
import { Example, GivenService } from './example.js';

let service: GivenService;

beforeAll(async () => {
  buildOnce();
  buildSdkOnce();
  service = await GivenService.start();
});
afterAll(() => service.stop());

describe('express-app', () => {
  let example: Example;
  const cookies = new Map<string, string>();

  beforeAll(async () => {
    example = await Example.start('express-app');
  });
  afterAll(async () => {
    expect(await example.stop()).toBe(0);
  });

  /** As a browser does, but for paths: the refresh token goes along where its path says so. */
  async function call(
    method: string,
    path: string,
    { body, site = 'same-origin' }: { body?: unknown; site?: string } = {},
  ) {
    const sent = [...cookies].filter(([name]) => name !== 'refresh' || path.startsWith('/session'));
    const answer = await fetch(example.url + path, {
      method,
      headers: {
        'content-type': 'application/json',
        'sec-fetch-site': site,
        cookie: sent.map(([name, value]) => `${name}=${value}`).join('; '),
      },
      ...(body === undefined ? {} : { body: JSON.stringify(body) }),
    });
    for (const line of answer.headers.getSetCookie()) {
      expect(line).toMatch(/; HttpOnly; Secure; SameSite=(Lax|Strict)$/);
      const [, name = '', value = ''] = /^(\w+)=([^;]*)/.exec(line) ?? [];
      if (value === '') cookies.delete(name);
      else cookies.set(name, value);
    }
    return { status: answer.status, body: await answer.text() };
  }
  const login = { user: 'alice', password: 'wonderland' };

  test('lets nobody in without the password, and shows nothing without a session', async () => {
    expect((await call('POST', '/session', { body: { ...login, password: 'wrong' } })).status).toBe(401);
    expect((await call('POST', '/session', { body: {} })).status).toBe(401);
    expect((await call('GET', '/notes')).status).toBe(401);
    expect((await call('POST', '/session/refresh')).status).toBe(401);
    expect([...cookies]).toEqual([]);
  });

  test('logs in, refreshes and logs out; what was logged out stays out', async () => {
    expect((await call('POST', '/session', { body: login })).status).toBe(201);
    expect(JSON.parse((await call('GET', '/notes')).body)).toMatchObject({ user: 'alice' });
    const before = new Map(cookies);
    expect((await call('POST', '/session/refresh')).status).toBe(204);
    expect(cookies.get('refresh')).not.toBe(before.get('refresh'));
    expect((await call('GET', '/notes')).status).toBe(200);
    const kept = new Map(cookies);
    expect((await call('POST', '/session/logout')).status).toBe(204);
    expect([...cookies]).toEqual([]);
    for (const [name, value] of kept) cookies.set(name, value);
    await eventually(
      () => call('GET', '/notes'),
      ({ status }) => status === 401,
    );
    cookies.set('refresh', kept.get('refresh') ?? '');
    expect((await call('POST', '/session/refresh')).status).toBe(401);
    expect([...cookies]).toEqual([]);
  });

  test('logs out everywhere', async () => {
    await call('POST', '/session', { body: login });
    const elsewhere = cookies.get('access') ?? '';
    await call('POST', '/session', { body: login });
    expect(JSON.parse((await call('POST', '/session/logout-everywhere')).body)).toEqual({ ended: 2 });
    cookies.set('access', elsewhere);
    await eventually(
      () => call('GET', '/notes'),
      ({ status }) => status === 401,
    );
    cookies.clear();
  });

  test('does nothing for another site', async () => {
    await call('POST', '/session', { body: login });
    for (const site of ['cross-site', 'same-site']) {
      expect((await call('POST', '/session/logout', { site })).status).toBe(403);
    }
    expect((await call('GET', '/notes')).status).toBe(200);
  });
});

/** What the others have in common: nothing without a token, 403 without the scope, and a logout that holds. */
describe.each([
  { name: 'microservice', path: '/orders', scope: 'orders:read' },
  { name: 'nest-app', path: '/profile', scope: 'read' },
  { name: 'nginx', path: '/', scope: 'read' },
])('$name', ({ name, path, scope }) => {
  let example: Example;
  beforeAll(async () => {
    example = await Example.start(name, service.settings);
  });
  afterAll(async () => {
    expect(await example.stop()).toBe(0);
  });

  const ask = (token?: string) =>
    fetch(example.url + path, { headers: token ? { authorization: `Bearer ${token}` } : {} });

  test('shows nothing without a token', async () => {
    const answer = await ask();
    expect(answer.status).toBe(401);
    expect(answer.headers.get('www-authenticate')).toMatch(/^Bearer/);
    expect((await ask('nonsense')).status).toBe(401);
  });

  test('knows who it is, and hears of a logout', async () => {
    const token = await service.login(scope);
    const answer = await ask(token);
    expect({ status: answer.status, body: await answer.json() }).toMatchObject({
      status: 200,
      body: { user: 'alice' },
    });
    await service.call('/sessions/revoke', { token, reason: 'user_logout' });
    await eventually(
      () => ask(token),
      ({ status }) => status === 401,
    );
  });
});

test('microservice refuses a token that lacks the scope', async () => {
  const example = await Example.start('microservice', service.settings);
  const token = await service.login('something:else');
  const answer = await fetch(`${example.url}/orders`, { headers: { authorization: `Bearer ${token}` } });
  expect(answer.status).toBe(403);
  expect((await fetch(`${example.url}/health`)).status).toBe(200);
  await example.stop();
});
