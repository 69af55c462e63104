import { Body, Controller, HttpCode, Post } from '@nestjs/common';
import { ApiTags } from '@nestjs/swagger';
import { ForPlatformOrTenant } from '../http/access.js';
import { ApiErrors } from '../http/api-errors.js';
import { TenantIdParam } from '../tenants/tenant-id.param.js';
import { IncidentStepDto, RevokeMatchingDto, toRequest, toStepView } from './incident.dto.js';
import { IncidentsService } from './incidents.service.js';
import { EpochDto } from './session-answer.dto.js';
import { RevokeTenantDto } from './session.dto.js';
import { SessionsService } from './sessions.service.js';

@ApiTags('tenants')
@Controller('tenants/:id')
export class TenantSessionsController {
  constructor(
    private readonly sessions: SessionsService,
    private readonly incidents: IncidentsService,
  ) {}

  /** End every session of the tenant at once, however many there are, and replace its keys. */
  @Post('revoke-all')
  @HttpCode(200)
  @ForPlatformOrTenant('sessions:revoke')
  @ApiErrors('invalid_request', 'tenant_not_found', 'tenant_suspended')
  async revokeAll(@TenantIdParam() tenantId: string, @Body() body: RevokeTenantDto): Promise<EpochDto> {
    return { epoch: await this.sessions.revokeTenant(tenantId, body.reason) };
  }

  /**
   * End every session that matches a query, a bounded step at a time; with `dry_run`, count them and show some.
   */
  @Post('revoke-matching')
  @HttpCode(200)
  @ForPlatformOrTenant('sessions:revoke')
  @ApiErrors('invalid_request', 'tenant_not_found', 'tenant_suspended')
  async revokeMatching(
    @TenantIdParam() tenantId: string,
    @Body() body: RevokeMatchingDto,
  ): Promise<IncidentStepDto> {
    return toStepView(await this.incidents.step(tenantId, toRequest(body)));
  }
}
