/** Requests as an OAuth client makes them. */
import type { HttpAnswer, TestService, TestTenant } from '../support/test-service.js';

export const FORM = { 'content-type': 'application/x-www-form-urlencoded' };

export type Endpoint = 'token' | 'introspect' | 'revoke';

/** The client that an API key is: its id, and the whole key as its secret. */
export function clientOf({ apiKey }: Pick<TestTenant, 'apiKey'>): { id: string; secret: string } {
  return { id: apiKey.split('_')[2] ?? '', secret: apiKey };
}

/** RFC 6749 section 2.3.1: each part form-encoded, then both in base64. */
export function basic({ id, secret }: { id: string; secret: string }): Record<string, string> {
  const encode = (text: string) => encodeURIComponent(text).replaceAll('_', '%5F');
  return {
    authorization: `Basic ${Buffer.from(`${encode(id)}:${encode(secret)}`).toString('base64')}`,
  };
}

/** With the tenant's first API key as client_secret_basic, unless other headers are given. */
export function ask(
  service: TestService,
  tenant: TestTenant,
  endpoint: Endpoint,
  form: Record<string, string> | string,
  headers: Record<string, string> = basic(clientOf(tenant)),
): Promise<HttpAnswer> {
  return service.call('POST', `/tenants/${tenant.tenantId}/oauth/${endpoint}`, {
    body: typeof form === 'string' ? form : new URLSearchParams(form).toString(),
    headers: { ...FORM, ...headers },
  });
}
