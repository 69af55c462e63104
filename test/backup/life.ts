/** What goes on before a backup and after it: sessions that live, are refreshed, and end. */
import { expect } from '@jest/globals';
import type { TestService, TestTenant, Tokens } from '../support/test-service.js';

export interface Life {
  readonly tenant: TestTenant;
  /** Lives on. */
  readonly kept: Tokens;
  /** Was revoked before the backup. */
  readonly ended: Tokens;
  /** Will be revoked after it. */
  readonly endedLater: Tokens;
  /** Will be refreshed after it, twice. */
  readonly refreshedLater: Tokens;
}

export async function liveUntilBackup(service: TestService): Promise<Life> {
  const tenant = await service.tenant();
  const [kept, ended, endedLater, refreshedLater] = await Promise.all(
    ['kept', 'ended', 'ended-later', 'refreshed-later'].map((user) =>
      service.createSession(tenant, { user_id: user }),
    ),
  );
  if (!kept || !ended || !endedLater || !refreshedLater) throw new Error('sessions are missing');
  expect((await service.revoke(tenant, ended.access_token)).status).toBe(204);
  return { tenant, kept, ended, endedLater, refreshedLater };
}

/** What the backup does not know of. */
export interface Later {
  /** Made after the backup. */
  readonly late: Tokens;
  readonly second: Tokens;
  /** The current token of the session that was refreshed. */
  readonly third: Tokens;
}

export async function liveOn(
  service: TestService,
  { tenant, endedLater, refreshedLater }: Life,
): Promise<Later> {
  const late = await service.createSession(tenant, { user_id: 'late' });
  expect((await service.revoke(tenant, endedLater.access_token)).status).toBe(204);
  const second = await refreshed(service, tenant, refreshedLater);
  const third = await refreshed(service, tenant, second);
  return { late, second, third };
}

export async function refreshed(service: TestService, tenant: TestTenant, tokens: Tokens): Promise<Tokens> {
  const { status, body } = await service.refresh(tenant, tokens.refresh_token);
  expect(status).toBe(200);
  return body;
}

/** Both tokens, by every check: 200 where they are accepted. */
export async function statusesOf(service: TestService, tenant: TestTenant, tokens: Tokens) {
  const byReplica = await service.validate(tenant, tokens.access_token);
  const byStore = await service.validate(tenant, tokens.access_token, 'store');
  const bySignature = await service.validate(tenant, tokens.access_token, 'skip');
  const refresh = await service.refresh(tenant, tokens.refresh_token);
  return [byReplica, byStore, bySignature, refresh].map(({ status }) => status);
}

export const REFUSED = [401, 401, 401, 401];
