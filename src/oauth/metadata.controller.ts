/** Where clients find what a tenant's issuer offers (RFC 8414). */
import { Controller, Get, Res } from '@nestjs/common';
import { ApiOkResponse, ApiTags } from '@nestjs/swagger';
import type { FastifyReply } from 'fastify';
import { Public } from '../http/access.js';
import { ApiErrors } from '../http/api-errors.js';
import { TenantIdParam } from '../tenants/tenant-id.param.js';
import { TenantsService } from '../tenants/tenants.service.js';
import { TokensService } from '../tokens/tokens.service.js';
import { ServerMetadataDto } from './oauth.dto.js';

/** It changes with PUBLIC_URL only. */
const CACHEABLE = 'public, max-age=3600';
const CLIENT_AUTHENTICATION = ['client_secret_basic', 'client_secret_post'];

@ApiTags('oauth')
@Controller()
export class MetadataController {
  constructor(
    private readonly tenants: TenantsService,
    private readonly tokens: TokensService,
  ) {}

  /** Read the metadata of a tenant's issuer (RFC 8414), at the three addresses where clients look for it. */
  @Get([
    '.well-known/oauth-authorization-server/tenants/:id',
    'tenants/:id/.well-known/oauth-authorization-server',
    'tenants/:id/.well-known/openid-configuration',
  ])
  @Public()
  @ApiErrors('tenant_not_found', 'store_unavailable')
  @ApiOkResponse({ type: ServerMetadataDto })
  async metadata(
    @TenantIdParam() tenantId: string,
    @Res({ passthrough: true }) reply: FastifyReply,
  ): Promise<ServerMetadataDto> {
    await this.tenants.get(tenantId);
    void reply.header('cache-control', CACHEABLE);
    const issuer = this.tokens.issuerOf(tenantId);
    return {
      issuer,
      jwks_uri: `${issuer}/jwks`,
      token_endpoint: `${issuer}/oauth/token`,
      introspection_endpoint: `${issuer}/oauth/introspect`,
      revocation_endpoint: `${issuer}/oauth/revoke`,
      grant_types_supported: ['refresh_token'],
      response_types_supported: [],
      token_endpoint_auth_methods_supported: CLIENT_AUTHENTICATION,
      introspection_endpoint_auth_methods_supported: CLIENT_AUTHENTICATION,
      revocation_endpoint_auth_methods_supported: CLIENT_AUTHENTICATION,
    };
  }
}
