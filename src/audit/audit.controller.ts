import { Controller, Get, Query } from '@nestjs/common';
import { ApiTags } from '@nestjs/swagger';
import { ForPlatformOrTenant } from '../http/access.js';
import { ApiErrors } from '../http/api-errors.js';
import { Caller, type Principal } from '../http/principal.js';
import { TenantIdParam } from '../tenants/tenant-id.param.js';
import {
  AuditPageDto,
  AuditVerificationDto,
  ListAuditQueryDto,
  toFilter,
  toHead,
  toVerificationView,
  toView,
  VerifyAuditQueryDto,
} from './audit.dto.js';
import { AuditService } from './audit.service.js';

/** Entries that one call verifies; a longer chain takes several. */
const STRETCH = 5000;

@ApiTags('audit')
@Controller('tenants/:id/audit')
export class AuditController {
  constructor(private readonly audit: AuditService) {}

  /** List what happened, newest first, by user, session, action and time. */
  @Get()
  @ForPlatformOrTenant('audit:read')
  @ApiErrors('invalid_request', 'tenant_not_found', 'tenant_suspended')
  async list(
    @Caller() caller: Principal,
    @TenantIdParam() tenantId: string,
    @Query() query: ListAuditQueryDto,
  ): Promise<AuditPageDto> {
    const { limit, cursor } = query;
    const { entries, next } = await this.audit.list(caller, tenantId, toFilter(query), {
      limit,
      ...(cursor === undefined ? {} : { before: Number(cursor) }),
    });
    return { entries: entries.map(toView), ...(next === null ? {} : { next_cursor: String(next) }) };
  }

  /** Verify the chain of entries, 5,000 a call, and name the first that was changed, removed or moved. */
  @Get('verification')
  @ForPlatformOrTenant('audit:read')
  @ApiErrors('invalid_request', 'tenant_not_found', 'tenant_suspended')
  async verify(
    @Caller() caller: Principal,
    @TenantIdParam() tenantId: string,
    @Query() query: VerifyAuditQueryDto,
  ): Promise<AuditVerificationDto> {
    const after = toHead(query.cursor);
    const expected = toHead(query.expect);
    const verification = await this.audit.verify(caller, tenantId, {
      limit: STRETCH,
      ...(after ? { after } : {}),
      ...(expected ? { expected } : {}),
    });
    return toVerificationView(verification, { expects: expected !== null });
  }
}
