import { Body, Controller, Delete, Get, HttpCode, Param, Post } from '@nestjs/common';
import { ApiTags } from '@nestjs/swagger';
import { Clock } from '../clock.js';
import { ForPlatformOrTenant } from '../http/access.js';
import { ApiErrors } from '../http/api-errors.js';
import { Caller, type Principal } from '../http/principal.js';
import { ApiKeyListDto, IssueApiKeyDto, IssuedApiKeyDto, toView } from './api-key.dto.js';
import { ApiKeysService } from './api-keys.service.js';
import { TenantIdParam } from './tenant-id.param.js';

@ApiTags('api keys')
@Controller('tenants/:id/api-keys')
export class ApiKeysController {
  constructor(
    private readonly apiKeys: ApiKeysService,
    private readonly clock: Clock,
  ) {}

  /** Issue an API key. Its text is in this answer and nowhere else. */
  @Post()
  @ForPlatformOrTenant('api_keys:manage')
  @ApiErrors('invalid_request', 'tenant_not_found', 'tenant_suspended')
  async issue(
    @Caller() caller: Principal,
    @TenantIdParam() tenantId: string,
    @Body() body: IssueApiKeyDto,
  ): Promise<IssuedApiKeyDto> {
    const expiresAtMs = body.expires_in == null ? null : this.clock.nowMs() + body.expires_in * 1000;
    const { name, scopes } = body;
    const grant = { name, scopes, expiresAtMs, rateLimitPerSecond: body.rate_limit_per_second ?? undefined };
    const { apiKey, text } = await this.apiKeys.issue(caller, tenantId, grant);
    return { ...toView(apiKey), api_key: text };
  }

  /** List the tenant's API keys, oldest first, without their secrets. */
  @Get()
  @ForPlatformOrTenant('api_keys:manage')
  @ApiErrors('tenant_not_found', 'tenant_suspended')
  async list(@TenantIdParam() tenantId: string): Promise<ApiKeyListDto> {
    return { api_keys: (await this.apiKeys.list(tenantId)).map(toView) };
  }

  /** Revoke an API key. */
  @Delete(':key_id')
  @HttpCode(204)
  @ForPlatformOrTenant('api_keys:manage')
  @ApiErrors('tenant_not_found', 'not_found', 'tenant_suspended')
  async revoke(@TenantIdParam() tenantId: string, @Param('key_id') keyId: string): Promise<void> {
    await this.apiKeys.revoke(tenantId, keyId);
  }
}
