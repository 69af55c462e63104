import { Body, Controller, Delete, Get, HttpCode, Patch, Post, Query } from '@nestjs/common';
import { ApiTags } from '@nestjs/swagger';
import { ForPlatform } from '../http/access.js';
import { ApiErrors } from '../http/api-errors.js';
import { TenantIdParam } from './tenant-id.param.js';
import {
  ChangeTenantDto,
  CreatedTenantDto,
  CreateTenantDto,
  ListTenantsQueryDto,
  TenantPageDto,
  TenantViewDto,
  toChange,
  toView,
} from './tenant.dto.js';
import { TenantsService } from './tenants.service.js';
import type { Tenant } from './tenant.js';

@ApiTags('tenants')
@Controller('tenants')
export class TenantsController {
  constructor(private readonly tenants: TenantsService) {}

  /** Create a tenant with its keys and its first API key. */
  @Post()
  @ForPlatform()
  @ApiErrors('invalid_request', 'tenant_exists')
  async create(@Body() body: CreateTenantDto): Promise<CreatedTenantDto> {
    const { tenant, apiKey } = await this.tenants.create(body.tenant_id, toChange(body));
    return { ...this.view(tenant), api_key: apiKey };
  }

  /** List tenants in the order of their ids. */
  @Get()
  @ForPlatform()
  @ApiErrors('invalid_request')
  async list(@Query() query: ListTenantsQueryDto): Promise<TenantPageDto> {
    const tenants = await this.tenants.list({ after: query.cursor ?? '', limit: query.limit });
    const last = tenants[query.limit - 1];
    return {
      tenants: tenants.map((tenant) => this.view(tenant)),
      ...(last ? { next_cursor: last.tenantId } : {}),
    };
  }

  /** Read a tenant and the settings that apply to it. */
  @Get(':id')
  @ForPlatform()
  @ApiErrors('tenant_not_found')
  async read(@TenantIdParam() tenantId: string): Promise<TenantViewDto> {
    return this.view(await this.tenants.get(tenantId));
  }

  /** Change a tenant's settings, suspend it or make it active again. */
  @Patch(':id')
  @ForPlatform()
  @ApiErrors('invalid_request', 'tenant_not_found')
  async change(@TenantIdParam() tenantId: string, @Body() body: ChangeTenantDto): Promise<TenantViewDto> {
    return this.view(await this.tenants.change(tenantId, toChange(body)));
  }

  /** Delete a tenant: its keys, API keys and sessions go with it. */
  @Delete(':id')
  @HttpCode(204)
  @ForPlatform()
  @ApiErrors('tenant_not_found')
  async delete(@TenantIdParam() tenantId: string): Promise<void> {
    await this.tenants.delete(tenantId);
  }

  private view(tenant: Tenant): TenantViewDto {
    return toView(tenant, this.tenants.settings(tenant));
  }
}
