/** Calls about keys, and what tokens and key sets say of them. */
import { createLocalJWKSet, jwtVerify, type JSONWebKeySet } from 'jose';
import type { HttpAnswer, TestService, TestTenant } from '../support/test-service.js';
import { partsOf } from '../e2e/token-parts.js';

export interface KeyView {
  kid: string;
  state: string;
  epoch: number;
  activates_at: number;
  retires_at: number | null;
  expires_at: number | null;
}

export interface KeyList {
  epoch: number;
  keys: KeyView[];
}

export type Refusable<T> = T & { error?: string; action?: string; error_description?: string };

export function listKeys(service: TestService, tenant: TestTenant): Promise<HttpAnswer<Refusable<KeyList>>> {
  return service.call('GET', `/tenants/${tenant.tenantId}/keys`, { apiKey: tenant.apiKey });
}

export function rotate(
  service: TestService,
  tenant: TestTenant,
  query = '',
): Promise<HttpAnswer<Refusable<KeyList>>> {
  return service.call('POST', `/tenants/${tenant.tenantId}/keys/rotate${query}`, { apiKey: tenant.apiKey });
}

export function kill(service: TestService, tenant: TestTenant, kid: string): Promise<HttpAnswer> {
  return service.call('DELETE', `/tenants/${tenant.tenantId}/keys/${kid}`, { apiKey: tenant.apiKey });
}

export function fetchJwks(
  service: TestService,
  tenant: TestTenant,
  headers: Record<string, string> = {},
): Promise<HttpAnswer<JSONWebKeySet>> {
  return service.call('GET', `/tenants/${tenant.tenantId}/jwks`, { headers });
}

export async function publishedKids(
  service: TestService,
  tenant: TestTenant,
): Promise<(string | undefined)[]> {
  return (await fetchJwks(service, tenant)).body.keys.map(({ kid }) => kid);
}

/** Each key's state by its kid. */
export async function statesOf(service: TestService, tenant: TestTenant): Promise<Record<string, string>> {
  const { body } = await listKeys(service, tenant);
  return Object.fromEntries(body.keys.map(({ kid, state }) => [kid, state]));
}

export async function activeKid(service: TestService, tenant: TestTenant): Promise<string> {
  const { body } = await listKeys(service, tenant);
  return body.keys.find(({ state }) => state === 'active')?.kid ?? 'none';
}

export function kidOf(token: string): string {
  return String(partsOf(token).header['kid']);
}

/** As a resource server does that has this copy of the key set. @throws jose's error */
export async function verifyWith(keySet: JSONWebKeySet, token: string, nowMs: number): Promise<void> {
  await jwtVerify(token, createLocalJWKSet(keySet), {
    typ: 'at+jwt',
    algorithms: ['RS256'],
    currentDate: new Date(nowMs),
  });
}
