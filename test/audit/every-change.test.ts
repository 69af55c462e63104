/** Every route that changes something leaves an entry with who did it: a new route cannot be forgotten. */
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from '@jest/globals';
import { AUDIT_ACTIONS } from '../../src/audit/audit.js';
import type { AuditEntryDto } from '../../src/audit/audit.dto.js';
import { KeyRotation } from '../../src/keys/key-rotation.js';
import { routesOf } from '../e2e/routes.js';
import { RedisServer } from '../support/redis-server.js';
import { ADMIN_API_KEY, TestService, type TestTenant, type Tokens } from '../support/test-service.js';
import { entriesOf } from './audit-calls.js';

const OLD_KEY = `m1:${Buffer.alloc(32, 1).toString('base64')}`;
const NEW_KEY = `m2:${Buffer.alloc(32, 2).toString('base64')}`;

/** Changes nothing, however it answers. */
const READING =
  /^(GET|HEAD) |^POST \/sessions\/validate$|^ALL \/sessions\/verify\/|^POST \/tenants\/:id\/oauth\/introspect$/;

interface Subject extends TestTenant {
  readonly session: Tokens;
  readonly keyId: string;
  readonly kid: string;
}

interface Change {
  readonly body?: (subject: Subject) => unknown;
  readonly query?: string;
  /** In place of a body, for routes that speak OAuth. */
  readonly form?: (subject: Subject) => Record<string, string>;
  /** What it leaves, in the order in which it is kept; for one call exactly this. */
  readonly leaves: readonly (readonly [action: string, more: object])[];
}

const FORM = { 'content-type': 'application/x-www-form-urlencoded' };

const CHANGES: Readonly<Record<string, Change>> = {
  'POST /tenants': {
    body: ({ tenantId }) => ({ tenant_id: `${tenantId}-new`, name: 'New' }),
    leaves: [['tenant_created', { details: { name: 'New' } }]],
  },
  'PATCH /tenants/:id': {
    body: () => ({ max_sessions_per_user: 3, status: 'suspended' }),
    leaves: [
      ['tenant_changed', { details: { changes: [{ setting: 'max_sessions_per_user', from: null, to: 3 }] } }],
      ['tenant_suspended', {}],
    ],
  },
  'DELETE /tenants/:id': { leaves: [['tenant_deleted', {}]] },
  'POST /tenants/:id/revoke-all': {
    body: () => ({ reason: 'security_incident', comment: 'breach' }),
    leaves: [
      [
        'tenant_revoked',
        { reason: 'security_incident', comment: 'breach', details: { epoch: expect.any(Number) } },
      ],
    ],
  },
  'POST /tenants/:id/revoke-matching': {
    body: () => ({ user_prefix: 'al', reason: 'security_incident', comment: 'breach' }),
    leaves: [
      ['incident_begun', { comment: 'breach', details: { query: { user_prefix: 'al' } } }],
      ['session_ended', { user_id: 'alice', details: { incident_id: expect.any(String) } }],
      ['incident_completed', { reason: 'security_incident', details: { scanned: 1, matched: 1, ended: 1 } }],
    ],
  },
  'POST /tenants/:id/api-keys': {
    body: () => ({ name: 'checkout', scopes: ['sessions:validate'] }),
    leaves: [['api_key_issued', { details: { name: 'checkout', scopes: ['sessions:validate'] } }]],
  },
  'DELETE /tenants/:id/api-keys/:key_id': {
    leaves: [['api_key_revoked', { details: { key_id: expect.stringMatching(/^[0-9a-f]{16}$/) } }]],
  },
  'POST /tenants/:id/keys/rotate': {
    query: '?now=true',
    leaves: [['signing_key_published', { details: { kid: expect.any(String) } }]],
  },
  'DELETE /tenants/:id/keys/:kid': {
    leaves: [['signing_key_killed', { details: { kid: expect.any(String) } }]],
  },
  'POST /master-keys/reseal': { leaves: [['keys_resealed', { details: { master_key_id: 'm2' } }]] },
  'POST /sessions': {
    body: ({ tenantId }) => ({ tenant_id: tenantId, user_id: 'bob', scope: '' }),
    leaves: [['session_created', { user_id: 'bob' }]],
  },
  'POST /sessions/refresh': {
    body: ({ session }) => ({ refresh_token: session.refresh_token }),
    leaves: [['session_refreshed', { user_id: 'alice', details: { result: 'rotated' } }]],
  },
  'POST /tenants/:id/oauth/token': {
    form: ({ session }) => ({
      grant_type: 'refresh_token',
      refresh_token: session.refresh_token,
      comment: 'of no meaning here',
    }),
    leaves: [['session_refreshed', { user_id: 'alice', details: { result: 'rotated' } }]],
  },
  'POST /tenants/:id/oauth/revoke': {
    form: ({ session }) => ({ token: session.refresh_token }),
    leaves: [['session_ended', { user_id: 'alice', reason: 'user_logout' }]],
  },
  'POST /sessions/revoke': {
    body: ({ session }) => ({ token: session.access_token, reason: 'admin', comment: 'by phone' }),
    leaves: [['session_ended', { user_id: 'alice', reason: 'admin', comment: 'by phone' }]],
  },
  'POST /sessions/revoke-batch': {
    body: ({ session }) => ({ session_ids: [session.session_id], reason: 'admin', comment: 'by phone' }),
    leaves: [['session_ended', { user_id: 'alice', reason: 'admin', comment: 'by phone' }]],
  },
  'POST /sessions/revoke-all': {
    body: ({ tenantId }) => ({ tenant_id: tenantId, user_id: 'alice', reason: 'password_change' }),
    leaves: [['session_ended', { user_id: 'alice', reason: 'password_change' }]],
  },
  'DELETE /sessions/:session_id': {
    query: '?reason=admin&comment=by%20phone',
    leaves: [['session_ended', { user_id: 'alice', reason: 'admin', comment: 'by phone' }]],
  },
};

const STORES = [
  {
    name: 'SQLite',
    prepare: async () => {
      const directory = mkdtempSync(join(tmpdir(), 'audit-test-'));
      const dispose = async () => rmSync(directory, { recursive: true, force: true });
      return { url: `sqlite:${join(directory, 'sessions.db')}`, dispose };
    },
  },
  {
    name: 'Redis',
    prepare: async () => {
      const redis = await RedisServer.start();
      return { url: redis.url, dispose: () => redis.stop() };
    },
  },
];

describe.each(STORES)('on $name', ({ prepare }) => {
  let service: TestService;
  let dispose: () => Promise<void>;
  const subjects = new Map<string, Subject>();

  /** Tenants that are sealed under an old master key, so that there is something to reseal. */
  beforeAll(async () => {
    const store = await prepare();
    dispose = store.dispose;
    const before = await TestService.start({ STORE_URL: store.url, MASTER_KEYS: OLD_KEY });
    for (const name of Object.keys(CHANGES)) subjects.set(name, await subjectOn(before));
    await before.stop();
    service = await TestService.start({ STORE_URL: store.url, MASTER_KEYS: `${NEW_KEY},${OLD_KEY}` });
  });
  afterAll(async () => {
    await service.stop();
    await dispose();
  });

  test('every route that changes something is tried here', () => {
    const changing = routesOf(service.app)
      .map(({ name }) => name)
      .filter((name) => !READING.test(name));
    expect(changing.toSorted()).toEqual(Object.keys(CHANGES).toSorted());
  });

  test.each(Object.keys(CHANGES))(
    '%s leaves exactly its entries, with who did it and in which request',
    async (name) => {
      const { body, form, query = '', leaves } = CHANGES[name] ?? { leaves: [] };
      const subject = subjects.get(name) ?? (await subjectOn(service));
      const policy = routesOf(service.app).find((route) => route.name === name)?.policy;
      const apiKey = policy?.who === 'tenant' ? subject.apiKey : ADMIN_API_KEY;
      const requestId = `try-${Math.abs(hashOf(name))}`;
      const [method = '', path = ''] = name.split(' ');
      const answer = await service.call(method, filled(path, subject) + query, {
        apiKey,
        headers: { 'x-request-id': requestId, ...(form ? FORM : {}) },
        ...(body ? { body: body(subject) } : {}),
        ...(form ? { body: new URLSearchParams(form(subject)).toString() } : {}),
      });
      expect([name, answer.status < 300]).toEqual([name, true]);
      const about = name === 'POST /tenants' ? { tenantId: `${subject.tenantId}-new` } : subject;
      const entries = (await entriesOf(service, about)).filter(({ request_id }) => request_id === requestId);
      expect(entries.toReversed()).toMatchObject(
        leaves.map(([action, more]) => ({
          action,
          ...more,
          outcome: 'ok',
          tenant_id: about.tenantId,
          source_address: '127.0.0.1',
          actor: apiKey === ADMIN_API_KEY ? { kind: 'platform' } : { kind: 'api_key', name: 'first' },
        })),
      );
      expect(entries).toHaveLength(leaves.length);
    },
  );

  test('what happens by itself leaves entries of the service', async () => {
    const { tenantId } = await service.tenant();
    service.clock.advanceSeconds(90 * 86_400);
    await service.app.get(KeyRotation, { strict: false }).pass();
    const [entry] = await entriesOf(service, { tenantId }, '&action=signing_key_published');
    expect(entry).toMatchObject({ actor: { kind: 'service' }, outcome: 'ok' });
    expect(entry).not.toHaveProperty('request_id');
  });

  test('what nobody has tried yet is not among the actions', async () => {
    const tried = new Set(Object.values(CHANGES).flatMap(({ leaves }) => leaves.map(([action]) => action)));
    const elsewhere = ['token_revoked', 'tenant_activated', 'signing_key_activated'];
    const audits = ['request_refused', 'audit_checkpoint', 'audit_lost'];
    expect(AUDIT_ACTIONS.filter((action) => !tried.has(action)).toSorted()).toEqual(
      [...elsewhere, ...audits].toSorted(),
    );
    const acme = await service.tenant();
    const { access_token } = await service.createSession(acme);
    await service.revoke(acme, access_token, { only_this_token: true });
    await service.asPlatform('PATCH', `/tenants/${acme.tenantId}`, { status: 'suspended' });
    await service.asPlatform('PATCH', `/tenants/${acme.tenantId}`, { status: 'active' });
    await service.asPlatform('POST', `/tenants/${acme.tenantId}/keys/rotate`);
    await service.asPlatform('POST', `/tenants/${acme.tenantId}/keys/rotate?now=true`);
    const found: AuditEntryDto[] = await entriesOf(service, acme);
    expect(found.map(({ action }) => action)).toEqual(expect.arrayContaining(elsewhere));
  });
});

function filled(path: string, { tenantId, keyId, kid, session }: Subject): string {
  const values: Record<string, string> = { id: tenantId, key_id: keyId, kid, session_id: session.session_id };
  return path.replace(/:(\w+)/g, (_, name: string) => values[name] ?? '');
}

function hashOf(text: string): number {
  return [...text].reduce((sum, char) => (Math.imul(sum, 31) + (char.codePointAt(0) ?? 0)) | 0, 7);
}

async function subjectOn(on: TestService): Promise<Subject> {
  const tenant = await on.tenant();
  const session = await on.createSession(tenant);
  const { body } = await on.asPlatform<{ keys: { kid: string }[] }>(
    'GET',
    `/tenants/${tenant.tenantId}/keys`,
  );
  return { ...tenant, session, keyId: tenant.apiKey.split('_')[2] ?? '', kid: body.keys[0]?.kid ?? '' };
}
