/** Records for the contracts to keep; each tenant id is new, so that tests share a store without meeting. */
import { randomBytes } from 'node:crypto';
import { newRandomId, userTag } from '../../src/random-id.js';
import type { RotationRequest, Session, SessionStore } from '../../src/sessions/session.js';
import type { ApiKey } from '../../src/tenants/api-key.js';
import type { Tenant } from '../../src/tenants/tenant.js';

/** When every test begins, in ms. Stores are told the time and never look at a clock. */
export const T0 = 1_800_000_000_000;
export const SECOND = 1000;
export const MINUTE = 60 * SECOND;
export const DAY = 24 * 60 * MINUTE;

export const ACCESS_TTL = 15 * MINUTE;
export const IDLE_TTL = 30 * DAY;
export const ABSOLUTE_TTL = 90 * DAY;
export const GRACE = 10 * SECOND;

export function newTenantId(): string {
  return `t-${randomBytes(6).toString('hex')}`;
}

export function aTenant(more: Partial<Tenant> = {}): Tenant {
  return {
    tenantId: newTenantId(),
    name: 'Acme "Résumé" Ltd 🏢',
    status: 'active',
    overrides: { refreshGraceSeconds: 0, audience: 'https://api.acme.example' },
    createdAtMs: T0,
    updatedAtMs: T0,
    version: 1,
    ...more,
  };
}

export function anApiKey(more: Partial<ApiKey> = {}): ApiKey {
  return {
    keyId: randomBytes(8).toString('hex'),
    name: 'checkout ☕',
    scopes: ['sessions:create', 'sessions:validate'],
    secretHash: randomBytes(32).toString('hex'),
    createdAtMs: T0,
    expiresAtMs: null,
    ...more,
  };
}

/** A session that begins at `createdAtMs`, by default at T0, with the refresh token `r0`. */
export function aSession(tenantId: string, more: Partial<Session> = {}): Session {
  const userId = more.userId ?? 'alice';
  const createdAtMs = more.createdAtMs ?? T0;
  return {
    sessionId: newRandomId(userTag(tenantId, userId)),
    tenantId,
    userId,
    scope: 'read write',
    metadata: { device: 'phone' },
    epoch: 3,
    createdAtMs,
    lastUsedAtMs: createdAtMs,
    idleExpiresAtMs: createdAtMs + IDLE_TTL,
    absoluteExpiresAtMs: createdAtMs + ABSOLUTE_TTL,
    accessExpiresAtMs: createdAtMs + ACCESS_TTL,
    rotation: {
      currentId: 'r0',
      previousId: null,
      kid: 'k0',
      rotatedAtMs: createdAtMs,
      graceFromMs: createdAtMs,
      confirmed: true,
    },
    ...more,
  };
}

export async function kept(store: SessionStore, session: Session, max = 100): Promise<Session> {
  await store.create(session, max);
  return session;
}

/** `r0` is presented one second after T0, unless told otherwise. */
export function presenting(presentedId: string, more: Partial<RotationRequest> = {}): RotationRequest {
  return {
    presentedId,
    successorId: `after-${presentedId}`,
    kid: 'k1',
    graceSeconds: GRACE / SECOND,
    accessTokenTtlSeconds: ACCESS_TTL / SECOND,
    refreshTokenTtlSeconds: IDLE_TTL / SECOND,
    nowMs: T0 + SECOND,
    ...more,
  };
}
