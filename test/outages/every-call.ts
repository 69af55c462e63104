/** Every route of the service as a call that can be made while the store is in trouble, and what it answered. */
import { randomBytes } from 'node:crypto';
import type { HttpAnswer, TestService, TestTenant, Tokens } from '../support/test-service.js';

/** What a call needs of the store. */
export type Needs = 'nothing' | 'reads' | 'writes';

export interface Call {
  readonly name: string;
  readonly needs: Needs;
  /** The answer takes an RSA key, once the store has said that one is needed. */
  readonly makesKey?: boolean;
  readonly make: () => Promise<HttpAnswer>;
}

export interface Answered {
  readonly name: string;
  readonly needs: Needs;
  readonly makesKey: boolean;
  readonly status: number;
  readonly error: unknown;
  readonly checked: unknown;
  readonly retryAfter: string | null;
  readonly tookMs: number;
}

/** Made while the store is well, for calls to be made when it is not. */
export interface Fixtures {
  readonly tenant: TestTenant;
  readonly refusing: TestTenant;
  readonly alive: Tokens;
  readonly aliveOfRefusing: Tokens;
  readonly revoked: Tokens;
  readonly calls: readonly Call[];
}

/** So many sessions end in one call. */
const MANY = 20;
const LIMIT = 25;
/** At once, so that no command waits long behind the others on a busy machine. */
const TOGETHER = 10;

/**
 * Of tenants that nobody has called before: what an earlier outage kept back may still arrive, and word that a tenant was
 * changed has it forgotten, so that it would be unknown when the next outage begins.
 */
export async function prepareFixtures(service: TestService): Promise<Fixtures> {
  const tenant = await service.tenant({ max_sessions_per_user: LIMIT });
  const refusing = await service.tenant({ on_store_outage: 'refuse' });
  const of = (user: string) => service.createSession(tenant, { user_id: user });
  const [alive, revoked, reused, refreshed, ended, endedById, cut, read] = await Promise.all(
    ['alive', 'revoked', 'reused', 'refreshed', 'ended', 'ended-by-id', 'cut', 'read'].map(of),
  );
  const aliveOfRefusing = await service.createSession(refusing);
  const many = await someAtOnce(MANY, (at) => of(`batch-${at}`));
  await someAtOnce(MANY, () => of('everywhere'));
  await someAtOnce(LIMIT, () => of('at-the-limit'));
  if (!alive || !revoked || !reused || !refreshed || !ended || !endedById || !cut || !read) {
    throw new Error('no session');
  }
  await service.refresh(tenant, reused.refresh_token);
  service.clock.advanceSeconds(11);
  await service.revoke(tenant, revoked.access_token);
  const { tenantId } = tenant;
  const newKey = await service.asPlatform('POST', `/tenants/${tenantId}/api-keys`, {
    name: 'to be revoked',
    scopes: ['sessions:read'],
  });
  const keyId = String(newKey.body['key_id']);
  await service.call('GET', `/tenants/${tenantId}/jwks`);
  await service.asPlatform('GET', `/tenants/${refusing.tenantId}`);
  // All that memory can know of both is known before the trouble begins.
  await service.validate(tenant, alive.access_token);
  await service.validate(refusing, aliveOfRefusing.access_token);

  const newTenantId = `new-${randomBytes(6).toString('hex')}`;
  const call = (name: string, needs: Needs, make: () => Promise<HttpAnswer>): Call => ({ name, needs, make });
  const keyed = (name: string, make: () => Promise<HttpAnswer>): Call => ({
    name,
    needs: 'writes',
    makesKey: true,
    make,
  });
  const platform = (name: string, needs: Needs, method: string, path: string, body?: unknown): Call =>
    call(name, needs, () => service.asPlatform(method, path, body));
  const session = (user: string) => ({ tenant_id: tenantId, user_id: user, scope: 'read' });
  const get = (path: string) => service.call('GET', path, { apiKey: tenant.apiKey });
  const calls: Call[] = [
    call('create', 'writes', () => service.post(tenant, '/sessions', session('new'))),
    call('create at the limit', 'writes', () => service.post(tenant, '/sessions', session('at-the-limit'))),
    call('refresh', 'writes', () => service.refresh(tenant, refreshed.refresh_token)),
    call('refresh with a reused token', 'writes', () => service.refresh(tenant, reused.refresh_token)),
    call('revoke', 'writes', () => service.revoke(tenant, ended.access_token)),
    call('revoke by refresh token', 'writes', () => service.revoke(tenant, ended.refresh_token)),
    call('revoke only this token', 'writes', () =>
      service.revoke(tenant, cut.access_token, { only_this_token: true }),
    ),
    call('revoke a batch', 'writes', () =>
      service.post(tenant, '/sessions/revoke-batch', {
        tokens: many.slice(0, MANY / 2).map((tokens) => tokens.access_token),
        session_ids: many.slice(MANY / 2).map((tokens) => tokens.session_id),
        reason: 'admin',
      }),
    ),
    call('revoke all of a user', 'writes', () =>
      service.post(tenant, '/sessions/revoke-all', {
        tenant_id: tenantId,
        user_id: 'everywhere',
        reason: 'password_change',
      }),
    ),
    call('delete a session', 'writes', () =>
      service.call('DELETE', `/sessions/${endedById.session_id}`, { apiKey: tenant.apiKey }),
    ),
    call('list sessions', 'reads', () => get(`/sessions?tenant_id=${tenantId}&user_id=everywhere`)),
    call('read a session', 'reads', () => get(`/sessions/${read.session_id}`)),
    call('validate', 'nothing', () => service.validate(tenant, alive.access_token)),
    call('validate and skip', 'nothing', () => service.validate(tenant, alive.access_token, 'skip')),
    call('validate in the store', 'reads', () => service.validate(tenant, alive.access_token, 'store')),
    keyed('create a tenant', () => service.asPlatform('POST', '/tenants', { tenant_id: newTenantId })),
    platform('list tenants', 'reads', 'GET', '/tenants'),
    platform('read a tenant', 'nothing', 'GET', `/tenants/${tenantId}`),
    platform('change a tenant', 'writes', 'PATCH', `/tenants/${tenantId}`, { name: 'Changed' }),
    platform('issue an API key', 'writes', 'POST', `/tenants/${tenantId}/api-keys`, {
      name: 'new',
      scopes: ['sessions:read'],
    }),
    platform('list API keys', 'reads', 'GET', `/tenants/${tenantId}/api-keys`),
    platform('revoke an API key', 'writes', 'DELETE', `/tenants/${tenantId}/api-keys/${keyId}`),
    platform('list keys', 'nothing', 'GET', `/tenants/${tenantId}/keys`),
    call('read the JWKS', 'nothing', () => service.call('GET', `/tenants/${tenantId}/jwks`)),
    call('read metrics', 'nothing', () => metrics(service)),
    call('ask whether it lives', 'nothing', () => service.call('GET', '/health/live')),
  ];
  const others = await victims(service);
  calls.push(
    keyed('rotate keys', () => service.asPlatform('POST', `/tenants/${others.rotated}/keys/rotate`)),
    keyed('kill a key', () => service.asPlatform('DELETE', `/tenants/${others.killed}/keys/${others.kid}`)),
    keyed('revoke all of a tenant', () =>
      service.asPlatform('POST', `/tenants/${others.moved}/revoke-all`, { reason: 'security_incident' }),
    ),
    platform('delete a tenant', 'writes', 'DELETE', `/tenants/${others.deleted}`),
  );
  return { tenant, refusing, alive, aliveOfRefusing, revoked, calls };
}

async function someAtOnce<T>(count: number, make: (at: number) => Promise<T>): Promise<T[]> {
  const made: T[] = [];
  while (made.length < count) {
    const length = Math.min(TOGETHER, count - made.length);
    made.push(...(await Promise.all(Array.from({ length }, (_, at) => make(made.length + at)))));
  }
  return made;
}

/** Tenants whose keys are changed, each in another way. */
async function victims(service: TestService) {
  const tenants = await Promise.all(Array.from({ length: 4 }, () => service.tenant()));
  const [rotated = '', killed = '', moved = '', deleted = ''] = tenants.map(({ tenantId }) => tenantId);
  const keys = await service.asPlatform<{ keys: { kid: string }[] }>('GET', `/tenants/${killed}/keys`);
  for (const tenantId of [rotated, moved]) await service.asPlatform('GET', `/tenants/${tenantId}`);
  return { rotated, killed, moved, deleted, kid: keys.body.keys[0]?.kid ?? '' };
}

async function metrics(service: TestService): Promise<HttpAnswer> {
  const { status, headers } = await fetch(`${service.url}/metrics`);
  return { status, headers, body: {} };
}

export async function timed(call: Call): Promise<Answered> {
  const startedMs = performance.now();
  const { status, headers, body } = await call.make();
  const revocation = (body as Record<string, unknown> | undefined)?.['revocation'] as
    { checked: string } | undefined;
  return {
    name: call.name,
    needs: call.needs,
    makesKey: call.makesKey === true,
    status,
    error: (body as Record<string, unknown> | undefined)?.['error'],
    checked: revocation?.checked,
    retryAfter: headers.get('retry-after'),
    tookMs: Math.round(performance.now() - startedMs),
  };
}

/** All at once, as clients do. */
export function makeAll(calls: readonly Call[]): Promise<Answered[]> {
  return Promise.all(calls.map(timed));
}

/** Prints figures worth documenting, when REPORT_OUTAGES is set. */
export function report(text: string): void {
  if (process.env['REPORT_OUTAGES']) console.log(text);
}
