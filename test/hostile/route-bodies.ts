/** A good body for every route that takes one: what hostile bodies are made of. */
import { ADMIN_API_KEY, type TestTenant, type Tokens } from '../support/test-service.js';

export interface Target {
  readonly acme: TestTenant;
  readonly session: Tokens;
}

export interface BodyRoute {
  readonly name: string;
  readonly method: string;
  readonly path: (target: Target) => string;
  readonly apiKey: (target: Target) => string;
  /** null where the route takes no body. */
  readonly body: ((target: Target) => Record<string, unknown>) | null;
}

const PLATFORM = new Set(['POST /tenants', 'PATCH /tenants/:id', 'POST /master-keys/reseal']);

const GOOD: Readonly<Record<string, BodyRoute['body']>> = {
  'POST /tenants': () => ({
    tenant_id: 'never-made',
    name: 'x',
    audience: 'x',
    access_token_ttl_seconds: 60,
  }),
  'PATCH /tenants/:id': () => ({ name: 'x', audience: 'x', status: 'active', refresh_grace_seconds: 10 }),
  'POST /tenants/:id/api-keys': () => ({ name: 'x', scopes: ['sessions:read'], expires_in: 60 }),
  'POST /tenants/:id/keys/rotate': () => ({ now: false }),
  'POST /tenants/:id/revoke-all': () => ({ reason: 'admin', comment: 'x' }),
  'POST /tenants/:id/revoke-matching': () => ({
    created_before: '2026-11-23T09:00:00Z',
    created_after: '2026-11-22T09:00:00Z',
    user_prefix: 'nobody-',
    metadata: { device: 'phone' },
    reason: 'admin',
    comment: 'x',
    dry_run: false,
  }),
  'POST /sessions': ({ acme }) => ({
    tenant_id: acme.tenantId,
    user_id: 'alice',
    scope: 'read',
    metadata: { device: 'phone' },
  }),
  'POST /sessions/validate': ({ session }) => ({
    access_token: session.access_token,
    revocation_check: 'replica',
  }),
  'POST /sessions/refresh': ({ session }) => ({ refresh_token: session.refresh_token }),
  'POST /sessions/revoke': ({ session }) => ({
    token: session.access_token,
    reason: 'admin',
    comment: 'x',
    only_this_token: false,
  }),
  'POST /sessions/revoke-batch': ({ session }) => ({
    tokens: [session.access_token],
    session_ids: [session.session_id],
    reason: 'admin',
    comment: 'x',
  }),
  'POST /sessions/revoke-all': ({ acme }) => ({
    tenant_id: acme.tenantId,
    user_id: 'alice',
    reason: 'admin',
    comment: 'x',
  }),
  'POST /master-keys/reseal': null,
};

/** Routes that take forms: hostile ones are in forms.test.ts. */
export const FORM_ROUTES: Readonly<Record<string, (target: Target) => Record<string, string>>> = {
  'POST /tenants/:id/oauth/token': ({ session }) => ({
    grant_type: 'refresh_token',
    refresh_token: session.refresh_token,
  }),
  'POST /tenants/:id/oauth/introspect': ({ session }) => ({
    token: session.access_token,
    token_type_hint: 'access_token',
  }),
  'POST /tenants/:id/oauth/revoke': ({ session }) => ({ token: session.access_token }),
};

export const BODY_ROUTES: readonly BodyRoute[] = Object.entries(GOOD).map(([name, body]) => {
  const [method = '', pattern = ''] = name.split(' ');
  return {
    name,
    method,
    path: ({ acme }) => pattern.replace(':id', acme.tenantId),
    apiKey: ({ acme }) => (PLATFORM.has(name) ? ADMIN_API_KEY : acme.apiKey),
    body,
  };
});
