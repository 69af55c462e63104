/** Forward authentication: a gateway asks whether the request that it holds may pass, and acts on the status. */
import { All, Controller, Get, HttpCode, Query, Req, Res } from '@nestjs/common';
import { ApiExcludeEndpoint, ApiNoContentResponse, ApiTags } from '@nestjs/swagger';
import type { FastifyReply, FastifyRequest } from 'fastify';
import { ERRORS } from '../errors.js';
import { ForTenant } from '../http/access.js';
import { ApiErrors } from '../http/api-errors.js';
import { Caller, type TenantPrincipal } from '../http/principal.js';
import { PassedOn } from '../http/unread-input.js';
import { bearerChallenge, bearerTokenOf, hasScope, identityHeaders, refusalHeaders } from './bearer.js';
import { ApiRefusedToken, BEARER_CHALLENGE, IDENTITY_HEADERS } from './refused-token.openapi.js';
import { InvalidDto, toInvalidDto } from './session-answer.dto.js';
import { SessionsService } from './sessions.service.js';
import { VerifyQueryDto } from './verify.dto.js';

const NO_TOKEN = 'Send an access token as Authorization: Bearer.';
const TOO_LITTLE = 'The scope of this token is not enough.';

/** What a verification is about. */
interface Verification {
  readonly caller: TenantPrincipal;
  readonly request: FastifyRequest;
  readonly reply: FastifyReply;
  readonly query: VerifyQueryDto;
}

@ApiTags('sessions')
@Controller('sessions')
export class VerifyController {
  constructor(private readonly sessions: SessionsService) {}

  /** Verify the bearer token of a request, for gateways. Who it is stands in the answer's headers. */
  @Get('verify')
  @HttpCode(204)
  @ApiRefusedToken({ headers: BEARER_CHALLENGE })
  @ForTenant('sessions:validate')
  @ApiErrors('invalid_request', 'tenant_suspended')
  @ApiNoContentResponse({ description: 'The token may be accepted.', headers: IDENTITY_HEADERS })
  async verify(
    @Caller() caller: TenantPrincipal,
    @Query() query: VerifyQueryDto,
    @Req() request: FastifyRequest,
    @Res({ passthrough: true }) reply: FastifyReply,
  ): Promise<InvalidDto | undefined> {
    return this.judge({ caller, query, request, reply });
  }

  /**
   * The same for gateways that pass on method, path and query of the request that they hold, as Envoy does. None of
   * them is the gateway's own word, so none of them is read.
   */
  @All('verify/*')
  @HttpCode(204)
  @PassedOn()
  @ForTenant('sessions:validate')
  @ApiExcludeEndpoint()
  async verifyOriginal(
    @Caller() caller: TenantPrincipal,
    @Req() request: FastifyRequest,
    @Res({ passthrough: true }) reply: FastifyReply,
  ): Promise<InvalidDto | undefined> {
    return this.judge({ caller, query: {}, request, reply });
  }

  private async judge({ caller, request, reply, query }: Verification): Promise<InvalidDto | undefined> {
    const { tenantId } = caller;
    const token = bearerTokenOf(request);
    if (token === null) {
      void reply.status(401).headers(refusalHeaders('invalid_token', bearerChallenge(tenantId)));
      return toInvalidDto('invalid_token', request.id, NO_TOKEN);
    }
    const { revocation_check: check = 'replica', scope } = query;
    const validation = await this.sessions.validate(caller, token, check);
    if (!validation.valid) {
      const { description } = ERRORS[validation.error];
      const challenge = bearerChallenge(tenantId, { error: 'invalid_token', description });
      void reply.status(401).headers(refusalHeaders(validation.error, challenge));
      request.validated = { check, result: validation.error };
      return toInvalidDto(validation.error, request.id);
    }
    const { claims, revocation } = validation;
    if (scope !== undefined && !hasScope(claims, scope)) {
      const refusal = { error: 'insufficient_scope', description: TOO_LITTLE, scope } as const;
      void reply.status(403).headers(refusalHeaders(refusal.error, bearerChallenge(tenantId, refusal)));
      request.validated = { check: revocation.checked, result: 'insufficient_scope' };
      return toInvalidDto('insufficient_scope', request.id, TOO_LITTLE);
    }
    void reply.headers(identityHeaders(claims, revocation));
    request.validated = { check: revocation.checked, result: 'valid' };
    return undefined;
  }
}
