/** What the service answers, answered by a test tenant: requests in, answers out, no network. */
import { firstWrongClaim } from './claims.js';
import { refusal, type SessionServiceError, type TokenErrorCode } from './errors.js';
import { parseAccessJwt } from './compact-jwt.js';
import type { TestFeedEvent, TestSession, TestTenant } from './test-tenant.js';

type Body = Readonly<Record<string, unknown>>;

const AGE_MS = 500;

/** The paths that applications call, as in the service's own interface. */
export async function answerFor(tenant: TestTenant, request: Request): Promise<Response> {
  const { pathname, searchParams } = new URL(request.url);
  const own = `/tenants/${tenant.tenantId}`;
  if (pathname === `${own}/jwks`) {
    const keys = tenant.keys.map(({ jwk }) => jwk);
    return json(200, { keys }, { 'cache-control': 'public, max-age=300' });
  }
  if (request.headers.get('x-api-key') !== tenant.apiKey) return failure('unauthorized', 401, 'fix_request');
  const text = request.method === 'POST' ? await request.text() : '';
  const body = (text === '' ? {} : JSON.parse(text)) as Body;
  const id = decodeURIComponent(/^\/sessions\/([^/]+)$/.exec(pathname)?.[1] ?? '');
  switch (`${request.method} ${id !== '' && request.method !== 'POST' ? '/sessions/{id}' : pathname}`) {
    case `GET ${own}/revocations`:
      return stream(tenant, request.signal);
    case `POST ${own}/revoke-all`:
      await tenant.revokeAll();
      return json(200, { epoch: tenant.epoch });
    case 'POST /sessions':
      return create(tenant, body);
    case 'POST /sessions/validate':
      return validate(tenant, String(body['access_token']));
    case 'POST /sessions/refresh':
      return refresh(tenant, String(body['refresh_token']));
    case 'POST /sessions/revoke':
      return revoke(tenant, body);
    case 'POST /sessions/revoke-batch':
      return revokeBatch(tenant, body);
    case 'POST /sessions/revoke-all': {
      const ended = sessionsOf(tenant, body['user_id']).filter(({ sessionId }) =>
        tenant.endSession(sessionId),
      );
      return json(200, { revoked_count: ended.length });
    }
    case 'GET /sessions': {
      const sessions = sessionsOf(tenant, searchParams.get('user_id')).map((session) =>
        view(tenant, session),
      );
      return json(200, { sessions });
    }
    case 'GET /sessions/{id}': {
      const session = tenant.sessions.get(id);
      return session ? json(200, view(tenant, session)) : failure('session_not_found', 404, 'fix_request');
    }
    case 'DELETE /sessions/{id}':
      return tenant.endSession(id) ? noContent() : failure('session_not_found', 404, 'fix_request');
    default:
      return failure('not_found', 404, 'fix_request');
  }
}

async function create(tenant: TestTenant, body: Body): Promise<Response> {
  const { user_id: userId, scope, metadata } = body;
  if (typeof userId !== 'string' || userId === '') return failure('invalid_request', 400, 'fix_request');
  const session = tenant.newSession({
    userId,
    scope: typeof scope === 'string' ? scope : '',
    metadata: (metadata ?? {}) as TestSession['metadata'],
  });
  return json(201, await issued(tenant, session));
}

async function refresh(tenant: TestTenant, refreshToken: string): Promise<Response> {
  const rotated = tenant.rotateRefreshToken(refreshToken);
  return typeof rotated === 'string' ? refused(refusal(rotated)) : json(200, await issued(tenant, rotated));
}

/** What a test tenant minted is known by its ids, so no signature is checked here. */
function validate(tenant: TestTenant, token: string): Response {
  const invalid = (code: TokenErrorCode): Response => refused(refusal(code), { valid: false });
  const parsed = parseAccessJwt(token);
  if (!parsed || firstWrongClaim(parsed.payload) !== null) return invalid('invalid_token');
  const { exp, sid, jti } = parsed.payload as { exp: number; sid: string; jti: string };
  if (tenant.nowMs() >= exp * 1000) return invalid('token_expired');
  const isEnded = tenant.revocations.some(({ id }) => id === sid || id === jti);
  if (isEnded || !tenant.keys.some(({ kid }) => kid === parsed.kid)) return invalid('token_revoked');
  return json(200, { valid: true, claims: parsed.payload, revocation: { checked: 'replica', age_ms: 0 } });
}

function revoke(tenant: TestTenant, body: Body): Response {
  const { sid, jti } = idsOf(tenant, String(body['token']));
  if (sid === undefined) return refused(refusal('invalid_token'));
  if (body['only_this_token'] !== true) tenant.endSession(sid);
  else if (jti !== undefined) tenant.endToken(jti);
  return noContent();
}

function revokeBatch(tenant: TestTenant, body: Body): Response {
  const tokens = (body['tokens'] ?? []) as string[];
  const ids = (body['session_ids'] ?? []) as string[];
  const end = (sid: string | undefined) =>
    sid !== undefined && tenant.endSession(sid) ? 'revoked' : 'not_found';
  const results = [
    ...tokens.map((token, token_index) => {
      const { sid } = idsOf(tenant, token);
      return sid === undefined
        ? { token_index, status: 'refused', error: 'invalid_token' }
        : { token_index, status: end(sid) };
    }),
    ...ids.map((session_id) => ({ session_id, status: end(session_id) })),
  ];
  const revoked_count = results.filter(({ status }) => status === 'revoked').length;
  return json(200, { revoked_count, results });
}

/** Of either kind of token. */
function idsOf(tenant: TestTenant, token: string): { sid?: string; jti?: string } {
  const payload = parseAccessJwt(token)?.payload;
  if (payload) return { sid: String(payload['sid']), jti: String(payload['jti']) };
  const [sid = ''] = token.split('.', 1);
  return tenant.sessions.has(sid) ? { sid } : {};
}

/** A snapshot, then what happens, and every half second how old that is: not at all. */
function stream(tenant: TestTenant, signal: AbortSignal): Response {
  const encoder = new TextEncoder();
  let stop = (): void => undefined;
  const body = new ReadableStream<Uint8Array>({
    start(controller) {
      let id = 0;
      const write = (text: string): void => controller.enqueue(encoder.encode(text));
      const send = ({ event, data }: TestFeedEvent): void =>
        write(`event: ${event}\nid: ${++id}\ndata: ${JSON.stringify(data)}\n\n`);
      const age = (): void => write('event: age\ndata: {"age_ms":0}\n\n');
      const kids = tenant.keys.map(({ kid }) => kid);
      const snapshot = { kids, revocations: tenant.revocations, complete: true };
      write(`event: snapshot\nid: ${id}\ndata: ${JSON.stringify(snapshot)}\n\n`);
      age();
      const timer = setInterval(age, AGE_MS);
      timer.unref();
      const forget = tenant.onFeed((event) => (send(event), age()));
      stop = () => {
        clearInterval(timer);
        forget();
      };
      signal.addEventListener('abort', () => {
        stop();
        controller.error(signal.reason);
      });
    },
    cancel: () => stop(),
  });
  return new Response(body, {
    headers: { 'content-type': 'text/event-stream', 'cache-control': 'no-store' },
  });
}

async function issued(tenant: TestTenant, session: TestSession): Promise<object> {
  return {
    session_id: session.sessionId,
    access_token: await tenant.accessToken(session),
    refresh_token: session.refreshToken,
    token_type: 'Bearer',
    expires_in: tenant.accessTokenSeconds,
    refresh_expires_in: tenant.refreshTokenSeconds,
  };
}

function view(tenant: TestTenant, session: TestSession): object {
  const expires = session.lastUsedAtSeconds + tenant.refreshTokenSeconds;
  return {
    session_id: session.sessionId,
    tenant_id: tenant.tenantId,
    user_id: session.userId,
    scope: session.scope,
    metadata: session.metadata,
    created_at: session.createdAtSeconds,
    last_used_at: session.lastUsedAtSeconds,
    expires_at: expires,
    absolute_expires_at: expires,
  };
}

function sessionsOf(tenant: TestTenant, userId: unknown): TestSession[] {
  return [...tenant.sessions.values()].filter((session) => session.userId === userId);
}

function json(status: number, body: object, headers: Record<string, string> = {}): Response {
  return Response.json(body, { status, headers });
}

const noContent = (): Response => new Response(null, { status: 204 });

function failure(error: string, status: number, action: string): Response {
  return json(status, { error, error_description: error, action, request_id: 'test' });
}

function refused({ code, message, action }: SessionServiceError, more: object = {}): Response {
  return json(401, { ...more, error: code, error_description: message, action, request_id: 'test' });
}
