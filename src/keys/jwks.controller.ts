/** Tenants' public keys, for whoever verifies access tokens without asking. */
import { Controller, Get, Headers, Res } from '@nestjs/common';
import { ApiOkResponse, ApiTags } from '@nestjs/swagger';
import type { FastifyReply } from 'fastify';
import { Clock } from '../clock.js';
import { Public } from '../http/access.js';
import { ApiErrors } from '../http/api-errors.js';
import { TenantIdParam } from '../tenants/tenant-id.param.js';
import { JWKS_MAX_AGE_SECONDS } from './key-ring.js';
import { JwkSetDto } from './key.dto.js';
import { KeyRingsService } from './key-rings.service.js';

@ApiTags('keys')
@Controller('tenants/:id')
export class JwksController {
  constructor(
    private readonly keyRings: KeyRingsService,
    private readonly clock: Clock,
  ) {}

  /** The tenant's JSON Web Key Set (RFC 7517): cacheable, with an ETag. */
  @Get(['jwks', '.well-known/jwks.json'])
  @Public()
  @ApiOkResponse({ type: JwkSetDto })
  @ApiErrors('tenant_not_found', 'store_unavailable')
  async jwks(
    @TenantIdParam() tenantId: string,
    @Headers('if-none-match') known: string | undefined,
    @Res({ passthrough: true }) reply: FastifyReply,
  ): Promise<string | undefined> {
    const ring = await this.keyRings.getForKnownTenant(tenantId);
    const { body, etag } = ring.jwks(this.clock.nowMs());
    void reply.header('cache-control', `public, max-age=${JWKS_MAX_AGE_SECONDS}`).header('etag', etag);
    if (known !== undefined && matchesEtag(known, etag)) {
      void reply.status(304);
      return undefined;
    }
    void reply.type('application/json; charset=utf-8');
    return body;
  }
}

/** RFC 9110 section 13.1.2: a list of tags or `*`, compared weakly. */
function matchesEtag(header: string, etag: string): boolean {
  return header.split(',').some((tag) => tag.trim() === '*' || tag.trim().replace(/^W\//, '') === etag);
}
