import { afterAll, beforeAll, describe, expect, test } from '@jest/globals';
import { parseConfig } from '../../src/config.js';
import { OtelTracing } from '../../src/traces/otel-tracing.js';
import { OtlpReceiver, type ReceivedSpan } from '../support/otlp-receiver.js';
import { STORES, TestService, testEnvironment, type TestTenant } from '../support/test-service.js';
import { TurnableClock } from '../support/turnable-clock.js';
import { eventually } from '../support/eventually.js';

const PARENT = { traceId: '0af7651916cd43dd8448eb211c80319c', spanId: 'b7ad6b7169203331' };
const SERVER = 2;

async function startTraced(
  receiver: OtlpReceiver,
  env: Record<string, string>,
): Promise<{ service: TestService; tracing: OtelTracing }> {
  const all = { OTEL_EXPORTER_OTLP_ENDPOINT: receiver.url, ...env };
  const { traces } = parseConfig({ ...testEnvironment(), ...all });
  if (!traces) throw new Error('tracing is off');
  const tracing = new OtelTracing(traces, { batchDelayMs: 20 });
  return { tracing, service: await TestService.start(all, new TurnableClock(), tracing) };
}

describe.each(STORES)('traces on $name', ({ name, prepare }) => {
  let receiver: OtlpReceiver;
  let service: TestService;
  let tracing: OtelTracing;
  let tenant: TestTenant;
  let dispose: () => Promise<void>;

  beforeAll(async () => {
    receiver = await OtlpReceiver.start();
    const store = await prepare();
    dispose = store.dispose;
    ({ service, tracing } = await startTraced(receiver, {
      ...(store.env as Record<string, string>),
      OTEL_SERVICE_NAME: 'sessions of the tests',
      OTEL_EXPORTER_OTLP_HEADERS: 'x-collector-key=of%20the%20tests',
    }));
    tenant = await service.tenant();
  });

  afterAll(async () => {
    await service.stop();
    await tracing.end();
    await receiver.stop();
    await dispose();
  });

  /** The span of the request that carried this id, once it and its whole trace have arrived. */
  async function spanOf(requestId: string): Promise<ReceivedSpan> {
    const find = () => receiver.spans.find(({ attributes }) => attributes['request_id'] === requestId);
    await eventually(() => find() !== undefined);
    return find() as ReceivedSpan;
  }

  let requests = 0;
  async function traced(
    method: string,
    path: string,
    {
      body,
      apiKey = tenant.apiKey,
      headers = {},
    }: { body?: unknown; apiKey?: string; headers?: object } = {},
  ): Promise<{ span: ReceivedSpan; body: Record<string, unknown> }> {
    const requestId = `traced-${++requests}`;
    const answer = await service.call(method, path, {
      apiKey,
      body,
      headers: { 'x-request-id': requestId, ...headers },
    });
    return { span: await spanOf(requestId), body: answer.body };
  }

  const database = name === 'Redis' ? 'redis' : 'sqlite';

  test('a request is a span with route, tenant and outcome, over what it did', async () => {
    const wanted = { tenant_id: tenant.tenantId, user_id: 'alice', scope: 'read' };
    const { span } = await traced('POST', '/sessions', { body: wanted });
    expect(span).toMatchObject({
      name: 'POST /sessions',
      kind: SERVER,
      parentSpanId: undefined,
      statusCode: 0,
      attributes: {
        'http.request.method': 'POST',
        'http.route': '/sessions',
        'http.response.status_code': 201,
        tenant_id: tenant.tenantId,
        outcome: 'ok',
      },
      resource: { 'service.name': 'sessions of the tests' },
    });
    expect(receiver.childrenOf(span)).toEqual(
      expect.arrayContaining(['tokens.signAccess', 'tokens.signRefresh', 'sessions.create']),
    );
    const stored = receiver.spans.find(
      (each) => each.traceId === span.traceId && each.name === 'sessions.create',
    );
    expect(stored?.attributes).toEqual({
      'db.system.name': database,
      tenant_id: tenant.tenantId,
      outcome: 'ok',
    });
  });

  test('refusals carry the code of their error, wherever they come from', async () => {
    const session = await service.createSession(tenant);
    const validate = { body: { access_token: session.access_token } };
    const good = await traced('POST', '/sessions/validate', validate);
    expect(good.span.attributes).toMatchObject({ outcome: 'ok', 'http.response.status_code': 200 });
    expect(receiver.childrenOf(good.span)).toContain('tokens.verifyAccess');

    await service.revoke(tenant, session.access_token);
    const revoked = await traced('POST', '/sessions/validate', validate);
    expect(revoked.span.attributes).toMatchObject({
      outcome: 'token_revoked',
      'http.response.status_code': 401,
      tenant_id: tenant.tenantId,
    });

    const forged = await traced('POST', '/sessions/validate', { body: { access_token: 'nonsense' } });
    const verified = receiver.spans.find(
      ({ traceId, name: span }) => traceId === forged.span.traceId && span === 'tokens.verifyAccess',
    );
    expect(verified?.attributes).toEqual({ tenant_id: tenant.tenantId, outcome: 'invalid_token' });

    const stranger = await traced('POST', '/sessions/validate', { ...validate, apiKey: 'nonsense' });
    expect(stranger.span.attributes['outcome']).toBe('unauthorized');
    expect(stranger.span.attributes).not.toHaveProperty('tenant_id');

    const broken = await traced('POST', '/sessions/validate', { body: '{' });
    expect(broken.span.attributes['outcome']).toBe('invalid_request');

    const nowhere = await traced('GET', `/nowhere/${session.session_id}`);
    expect(nowhere.span).toMatchObject({ name: 'GET unmatched', attributes: { outcome: 'not_found' } });
    // What a caller got wrong is no error of the service.
    expect([revoked, forged, stranger, broken, nowhere].map(({ span }) => span.statusCode)).toEqual(
      Array(5).fill(0),
    );
  });

  test("a caller's traceparent is continued, and its decision to keep a trace is followed", async () => {
    const from = (flags: string) => ({
      headers: { traceparent: `00-${PARENT.traceId}-${PARENT.spanId}-${flags}` },
      body: { access_token: 'nonsense' },
    });
    const { span } = await traced('POST', '/sessions/validate', from('01'));
    expect(span).toMatchObject({ traceId: PARENT.traceId, parentSpanId: PARENT.spanId });

    const before = receiver.spans.filter(({ traceId }) => traceId === PARENT.traceId).length;
    const { headers, body } = from('00');
    await service.call('POST', '/sessions/validate', {
      apiKey: tenant.apiKey,
      body,
      headers: { ...headers, 'x-request-id': 'not-kept' },
    });
    await traced('GET', '/nowhere'); // sent later, and it has arrived
    expect(receiver.spans.filter(({ traceId }) => traceId === PARENT.traceId)).toHaveLength(before);

    const broken = await traced('GET', '/nowhere', { headers: { traceparent: '00-nonsense' } });
    expect(broken.span.parentSpanId).toBeUndefined();
  });

  test('what nobody asked for in a request makes no span', async () => {
    for (const path of ['/health', '/health/live', '/health/ready', '/metrics', '/docs/openapi.json']) {
      await service.call('GET', path);
    }
    await traced('GET', '/nowhere');
    const names = new Set(receiver.spans.map((span) => span.name));
    expect([...names].filter((span) => /health|metrics|docs|changes\.read/.test(span))).toEqual([]);
    const roots = receiver.spans.filter(({ parentSpanId }) => parentSpanId === undefined);
    expect(roots.every(({ kind }) => kind === SERVER)).toBe(true);
  });

  test('spans name no user, session, token or key', async () => {
    const wanted = {
      tenant_id: tenant.tenantId,
      user_id: 'user-PRIVATE@example.com',
      scope: 'scope-PRIVATE',
      metadata: { device: 'device-PRIVATE' },
    };
    const created = await traced('POST', '/sessions', { body: wanted });
    const { session_id, access_token, refresh_token } = created.body as Record<string, string>;
    await traced('GET', `/sessions?tenant_id=${tenant.tenantId}&user_id=user-PRIVATE%40example.com`);
    await traced('GET', `/sessions/${session_id}`);
    await traced('POST', '/sessions/refresh', { body: { refresh_token } });
    await traced('POST', '/sessions/revoke', {
      body: { token: access_token, reason: 'admin', comment: 'comment-PRIVATE' },
    });
    await traced('DELETE', `/sessions/${session_id}`);
    const sent = receiver.bodies.join('\n');
    for (const secret of ['PRIVATE', session_id, access_token, refresh_token, tenant.apiKey, 'nonsense']) {
      expect(sent.includes(String(secret))).toBe(false);
    }
  });

  test('exports go where OTLP says, with the headers that were asked for', () => {
    expect(new Set(receiver.paths)).toEqual(new Set(['/v1/traces']));
    expect(receiver.headers[0]).toMatchObject({
      'content-type': 'application/json',
      'x-collector-key': 'of the tests',
    });
  });
});

describe('sampling', () => {
  const kept = async (sampler: string, share: string): Promise<number> => {
    const receiver = await OtlpReceiver.start();
    const { service, tracing } = await startTraced(receiver, {
      OTEL_TRACES_SAMPLER: sampler,
      OTEL_TRACES_SAMPLER_ARG: share,
    });
    for (let at = 0; at < 20; at++) await service.call('GET', '/nowhere');
    await service.stop();
    await tracing.end();
    await receiver.stop();
    return receiver.spans.length;
  };

  test.each([
    ['always_on', '0', 20],
    ['always_off', '1', 0],
    ['traceidratio', '1', 20],
    ['traceidratio', '0', 0],
    ['parentbased_always_off', '1', 0],
    ['parentbased_traceidratio', '0', 0],
  ])('by %s with %s keeps %i of 20', async (sampler, share, expected) => {
    expect(await kept(sampler, share)).toBe(expected);
  });
});
