/** What `doctor` asks about the API key that it was given, and about the signing keys that it may see. */
import { SystemClock } from '../clock.js';
import type { Finding } from './doctor.command.js';
import { isErrorBody } from './failure.js';
import { segment, type Credential, type Json, type Method, type Service } from './service.js';
import { tenantOfKey } from './credentials.js';

/** Of a big installation, some are looked at. */
const MAX_TENANTS = 50;
const DAY_SECONDS = 86_400;

export async function checkApiKey(
  service: Service,
  credential: Credential | null,
): Promise<{ finding: Finding; accepted: boolean }> {
  const subject = 'API key';
  if (!credential) {
    const remedy = 'set ADMIN_API_KEY or SESSION_SERVICE_API_KEY, or name a file with --api-key-file';
    return {
      accepted: false,
      finding: { level: 'warn', subject, finding: 'none: the rest was not checked', remedy },
    };
  }
  const tenantId = tenantOfKey(credential.key);
  const path = tenantId === undefined ? '/tenants' : `/tenants/${segment(tenantId)}/api-keys`;
  const { status, body } = await service.ask('GET', path);
  const error = isErrorBody(body) ? body.error : undefined;
  if (status === 200 || error === 'insufficient_scope') {
    const finding =
      tenantId === undefined
        ? `the platform key from ${credential.source} is accepted`
        : `of tenant ${tenantId}, from ${credential.source}: ${await scopesOf(service, tenantId, credential, body)}`;
    return { accepted: true, finding: { level: 'ok', subject, finding } };
  }
  const remedy =
    error === 'unauthorized'
      ? `correct what is in ${credential.source}, or issue another key: this one is unknown, revoked or expired`
      : 'see docs/errors.md';
  const finding = isErrorBody(body) ? body.error_description : `answered with status ${status}`;
  return { accepted: false, finding: { level: 'fail', subject, finding, remedy } };
}

/** For each scope a call that does nothing: it is refused for its scope, or else for its form. */
const PROBES: readonly (readonly [scope: string, method: Method, path: (tenant: string) => string])[] = [
  ['sessions:create', 'POST', () => '/sessions'],
  ['sessions:validate', 'POST', () => '/sessions/validate'],
  ['sessions:refresh', 'POST', () => '/sessions/refresh'],
  ['sessions:revoke', 'POST', () => '/sessions/revoke'],
  ['sessions:read', 'GET', () => '/sessions'],
  ['keys:manage', 'GET', (tenant) => `${tenant}/keys`],
  ['audit:read', 'GET', (tenant) => `${tenant}/audit`],
];

async function scopesOf(
  service: Service,
  tenantId: string,
  { key }: Credential,
  list: unknown,
): Promise<string> {
  const { api_keys: apiKeys = [] } = (list ?? {}) as { api_keys?: { key_id: string; scopes: string[] }[] };
  const own = apiKeys.find(({ key_id: keyId }) => key.startsWith(`sk_${tenantId}_${keyId}_`));
  if (own) return own.scopes.join(' ');
  const found: string[] = [];
  for (const [scope, method, path] of PROBES) {
    const body = method === 'POST' ? { body: {} } : {};
    const answer = await service.ask(method, path(`/tenants/${segment(tenantId)}`), body);
    if (answer.status < 500 && answer.status !== 403 && answer.status !== 429) found.push(scope);
  }
  return found.join(' ') || 'no scope';
}

interface KeyView {
  readonly kid: string;
  readonly state: string;
  readonly activates_at: number;
}

/** @param tenantId undefined: all tenants that the platform key sees, up to a bound */
export async function checkKeys(
  service: Service,
  tenantId: string | undefined,
  rotationDays: number,
): Promise<{ findings: Finding[]; someTenant?: string }> {
  const tenantIds = tenantId === undefined ? await someTenants(service) : [tenantId];
  const findings: Finding[] = [];
  let sound = 0;
  for (const id of tenantIds) {
    const { status, body } = await service.ask('GET', `/tenants/${segment(id)}/keys`);
    if (status === 403) {
      const remedy = 'use the platform key, or one with keys:manage';
      const finding = 'this API key may not see them';
      findings.push({ level: 'warn', subject: 'signing keys', finding, remedy });
    } else {
      const trouble = troubleOf(id, ((body ?? {}) as { keys?: KeyView[] }).keys ?? [], rotationDays);
      if (trouble) findings.push(trouble);
      else sound++;
    }
  }
  if (sound > 0) {
    const finding = `${sound} of ${tenantIds.length} tenants looked at have one that signs and is not overdue`;
    findings.unshift({ level: 'ok', subject: 'signing keys', finding });
  }
  return { findings, ...(tenantIds[0] === undefined ? {} : { someTenant: tenantIds[0] }) };
}

async function someTenants(service: Service): Promise<string[]> {
  const page = await service.call<{ tenants: Json[] }>('GET', '/tenants', { query: { limit: MAX_TENANTS } });
  return page.tenants.map((tenant) => String(tenant['tenant_id']));
}

function troubleOf(tenantId: string, keys: readonly KeyView[], rotationDays: number): Finding | null {
  const subject = `signing keys: ${tenantId}`;
  const active = keys.find(({ state }) => state === 'active');
  if (!active) {
    const remedy = `session-service keys rotate --now --tenant ${tenantId}, and look at the service's log`;
    return { level: 'fail', subject, finding: 'no key signs', remedy };
  }
  const days = (new SystemClock().nowMs() / 1000 - active.activates_at) / DAY_SECONDS;
  if (days <= rotationDays + 1) return null;
  return {
    level: 'warn',
    subject,
    finding: `the key has signed for ${Math.floor(days)} days; it should have been replaced after ${rotationDays}`,
    remedy: `session-service keys rotate --tenant ${tenantId}, and look in the log why it did not happen by itself`,
  };
}
