/** What tests ask of the audit over HTTP. */
import type { AuditEntryDto, AuditPageDto, AuditVerificationDto } from '../../src/audit/audit.dto.js';
import { AuditKeeper } from '../../src/audit/audit-keeper.js';
import { AuditTrail } from '../../src/audit/audit-trail.js';
import type { TestService, TestTenant } from '../support/test-service.js';

type Tenant = Pick<TestTenant, 'tenantId'>;

/** Newest first, as the platform sees it. */
export async function entriesOf(
  service: TestService,
  { tenantId }: Tenant,
  query = '',
): Promise<AuditEntryDto[]> {
  const found: AuditEntryDto[] = [];
  let cursor = '';
  do {
    const path = `/tenants/${tenantId}/audit?limit=500${query}${cursor}`;
    const { status, body } = await service.asPlatform<AuditPageDto>('GET', path);
    if (status !== 200) throw new Error(`the audit answered ${status}: ${JSON.stringify(body)}`);
    found.push(...body.entries);
    cursor = body.next_cursor === undefined ? '' : `&cursor=${body.next_cursor}`;
  } while (cursor !== '');
  return found;
}

export async function verificationOf(
  service: TestService,
  { tenantId }: Tenant,
  query = '',
): Promise<AuditVerificationDto> {
  const path = `/tenants/${tenantId}/audit/verification${query}`;
  const { status, body } = await service.asPlatform<AuditVerificationDto>('GET', path);
  if (status !== 200) throw new Error(`the verification answered ${status}: ${JSON.stringify(body)}`);
  return body;
}

/** Has everything written, and signed as if the time for it had come. */
export async function signed(service: TestService, { tenantId }: Tenant, afterSeconds = 60): Promise<void> {
  await service.app.get(AuditTrail, { strict: false }).settle(tenantId);
  service.clock.advanceSeconds(afterSeconds);
  const keeper = service.app.get(AuditKeeper, { strict: false });
  await keeper.look(); // one that began before the clock was turned
  await keeper.look();
}
