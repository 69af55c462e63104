import { Body, Controller, Delete, Get, HttpCode, Param, Post, Query } from '@nestjs/common';
import { ApiTags } from '@nestjs/swagger';
import { Clock } from '../clock.js';
import { ForPlatformOrTenant } from '../http/access.js';
import { ApiErrors } from '../http/api-errors.js';
import { TenantIdParam } from '../tenants/tenant-id.param.js';
import { TenantsService } from '../tenants/tenants.service.js';
import { KeyListDto, RotateDto, RotateQueryDto, toView } from './key.dto.js';
import { KeyLifecycleService } from './key-lifecycle.service.js';
import { KeyRingsService } from './key-rings.service.js';

@ApiTags('keys')
@Controller('tenants/:id/keys')
export class KeysController {
  constructor(
    private readonly keyRings: KeyRingsService,
    private readonly lifecycle: KeyLifecycleService,
    private readonly tenants: TenantsService,
    private readonly clock: Clock,
  ) {}

  /** List the tenant's signing keys with their states and times. */
  @Get()
  @ForPlatformOrTenant('keys:manage')
  @ApiErrors('tenant_not_found', 'tenant_suspended')
  async list(@TenantIdParam() tenantId: string): Promise<KeyListDto> {
    const { ring } = await this.keyRings.getForKnownTenant(tenantId);
    return toView(ring, this.clock.nowMs());
  }

  /** Rotate: publish the next key now, and let it sign when every cache can know it. */
  @Post('rotate')
  @HttpCode(200)
  @ForPlatformOrTenant('keys:manage')
  @ApiErrors('invalid_request', 'tenant_not_found', 'tenant_suspended')
  async rotate(
    @TenantIdParam() tenantId: string,
    @Query() query: RotateQueryDto,
    @Body() body: RotateDto,
  ): Promise<KeyListDto> {
    await this.tenants.get(tenantId);
    const ring = await this.lifecycle.rotate(tenantId, { now: query.now === 'true' || body.now === true });
    return toView(ring, this.clock.nowMs());
  }

  /** Kill a compromised key now: it leaves the JWKS, and everything it signed is revoked. */
  @Delete(':kid')
  @HttpCode(204)
  @ForPlatformOrTenant('keys:manage')
  @ApiErrors('tenant_not_found', 'not_found', 'tenant_suspended')
  async kill(@TenantIdParam() tenantId: string, @Param('kid') kid: string): Promise<void> {
    await this.tenants.get(tenantId);
    await this.lifecycle.kill(tenantId, kid);
  }
}
