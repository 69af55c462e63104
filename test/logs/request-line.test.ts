/** One line a request, of a closed list of fields. */
import { afterAll, beforeAll, describe, expect, test } from '@jest/globals';
import { FeedClient } from '../revocations/feed-client.js';
import { eventually } from '../support/eventually.js';
import { TestService, type TestTenant } from '../support/test-service.js';
import { ListenedLog } from './listened-log.js';

describe('of a request', () => {
  const listened = new ListenedLog('info');
  let service: TestService;
  let tenant: TestTenant;
  beforeAll(async () => {
    service = await TestService.start({}, undefined, undefined, listened.log);
    tenant = await service.tenant();
  });
  afterAll(() => service.stop());

  const linesOf = (id: string) => listened.lines('request').filter((line) => line['request_id'] === id);
  const named = (id: string) => ({ 'x-request-id': id });

  test('the log says once what was asked, by whom, how it ended and how long it took', async () => {
    const { apiKey, tenantId } = tenant;
    await service.call('GET', '/sessions/no-such-session', { apiKey, headers: named('one') });
    await listened.settled();
    expect(linesOf('one')).toEqual([
      {
        level: 'info',
        time: expect.stringMatching(/^\d{4}-\d\d-\d\dT[\d:.]+Z$/),
        event: 'request',
        request_id: 'one',
        method: 'GET',
        route: '/sessions/:session_id',
        status: 404,
        duration_ms: expect.any(Number),
        tenant_id: tenantId,
        error: 'session_not_found',
      },
    ]);
  });

  test('the log says which error a token was refused with, though that is an answer', async () => {
    const { apiKey } = tenant;
    const body = { access_token: 'x' };
    await service.call('POST', '/sessions/validate', { apiKey, body, headers: named('token') });
    await listened.settled();
    expect(linesOf('token')).toMatchObject([{ status: 401, error: 'invalid_token' }]);
  });

  test('for a stream, the log says when it is over how soon it began and how long it lasted', async () => {
    const client = await FeedClient.opened(service, tenant);
    const id = String(client.answer.headers['x-request-id']);
    expect(linesOf(id)).toEqual([]);
    client.close();
    const [line] = await eventually(
      () => linesOf(id),
      ({ length }) => length > 0,
    );
    expect(line).toMatchObject({
      route: '/tenants/:id/revocations',
      status: 200,
      duration_ms: expect.any(Number),
      streamed_ms: expect.any(Number),
    });
  });

  test('that has no route, no caller or no sense, the log says no more than that', async () => {
    await service.call('GET', '/nothing/here?x=1', { headers: named('nowhere') });
    await listened.settled();
    expect(linesOf('nowhere')).toMatchObject([{ route: 'unmatched', status: 404, error: 'not_found' }]);
    expect(linesOf('nowhere')[0]).not.toHaveProperty('tenant_id');
    await service.call('POST', '/sessions', { body: '{', headers: named('nobody') });
    await listened.settled();
    expect(linesOf('nobody')).toMatchObject([{ route: '/sessions', status: 400 }]);
  });

  test('for health or metrics the log says nothing, unless it is to say everything', async () => {
    const talkative = new ListenedLog('debug');
    const other = await TestService.start({}, undefined, undefined, talkative.log);
    for (const path of ['/health/live', '/health', '/metrics']) {
      await service.call('GET', path, { headers: named('machine') });
      await other.call('GET', path, { headers: named('machine') });
    }
    await other.stop();
    await listened.settled();
    expect(linesOf('machine')).toEqual([]);
    expect(talkative.lines('request').map(({ level }) => level)).toEqual(['debug', 'debug', 'debug']);
  });

  test('the log says nothing with LOG_LEVEL warn', async () => {
    const quiet = new ListenedLog('warn');
    const other = await TestService.start({}, undefined, undefined, quiet.log);
    await other.tenant();
    await other.stop();
    await quiet.settled();
    expect(quiet.text).toBe('');
  });
});
