/** The endpoints of a tenant's authorization server, for OAuth clients that know nothing of this service. */
import { Controller, HttpCode, Post, Req, Res } from '@nestjs/common';
import { ApiBody, ApiConsumes, ApiOkResponse, ApiParam, ApiTags } from '@nestjs/swagger';
import type { FastifyReply, FastifyRequest } from 'fastify';
import { AppError } from '../errors.js';
import { ForOAuthClient } from '../http/access.js';
import { ApiOAuthErrors } from '../http/api-errors.js';
import { Caller, type TenantPrincipal } from '../http/principal.js';
import type { FormBody } from '../http/strict-form.js';
import { toIssuedDto } from '../sessions/session-answer.dto.js';
import { SessionsService } from '../sessions/sessions.service.js';
import { Form, required } from './form.js';
import { Introspection } from './introspection.js';
import {
  IntrospectionDto,
  IntrospectionRequestDto,
  RevocationAnswerDto,
  RevocationRequestDto,
  TokenAnswerDto,
  TokenRequestDto,
} from './oauth.dto.js';

const FORM = 'application/x-www-form-urlencoded';
/** Of a token that this tenant never issued. */
const UNKNOWN_TOKEN = new Set(['invalid_token', 'invalid_signature']);

@ApiTags('oauth')
@ApiParam({ name: 'id', type: String })
@Controller('tenants/:id/oauth')
export class OAuthController {
  constructor(
    private readonly sessions: SessionsService,
    private readonly introspection: Introspection,
  ) {}

  /** Exchange a refresh token for a new pair (RFC 6749 section 6). Safe to repeat within the grace window. */
  @Post('token')
  @HttpCode(200)
  @ForOAuthClient('sessions:refresh')
  @ApiOAuthErrors(
    'invalid_request',
    'unsupported_grant_type',
    'tenant_suspended',
    'invalid_token',
    'invalid_signature',
    'token_expired',
    'token_revoked',
    'refresh_token_not_found',
    'refresh_token_reused',
  )
  @ApiConsumes(FORM)
  @ApiBody({ type: TokenRequestDto })
  @ApiOkResponse({ type: TokenAnswerDto })
  async token(
    @Caller() caller: TenantPrincipal,
    @Form() form: FormBody,
    @Res({ passthrough: true }) reply: FastifyReply,
  ): Promise<TokenAnswerDto> {
    if (required(form, 'grant_type') !== 'refresh_token') throw new AppError('unsupported_grant_type');
    const issued = await this.sessions.refresh(caller, required(form, 'refresh_token'));
    void reply.header('pragma', 'no-cache'); // RFC 6749 section 5.1, beside no-store
    return { ...toIssuedDto(issued), scope: issued.scope };
  }

  /** Tell whether a token is active, and what it says (RFC 7662). */
  @Post('introspect')
  @HttpCode(200)
  @ForOAuthClient('sessions:validate')
  @ApiOAuthErrors('invalid_request', 'tenant_suspended')
  @ApiConsumes(FORM)
  @ApiBody({ type: IntrospectionRequestDto })
  @ApiOkResponse({ type: IntrospectionDto })
  async introspect(
    @Caller() caller: TenantPrincipal,
    @Form() form: FormBody,
    @Req() request: FastifyRequest,
  ): Promise<IntrospectionDto> {
    const hint = form.get('token_type_hint');
    const { answer, note } = await this.introspection.of(caller, required(form, 'token'), hint);
    if (note) request.validated = note;
    return answer;
  }

  /** End the session of an access or refresh token (RFC 7009). A token that is not known is no error. */
  @Post('revoke')
  @HttpCode(200)
  @ForOAuthClient('sessions:revoke')
  @ApiOAuthErrors('invalid_request', 'tenant_suspended')
  @ApiConsumes(FORM)
  @ApiBody({ type: RevocationRequestDto })
  @ApiOkResponse({ type: RevocationAnswerDto })
  async revoke(@Caller() caller: TenantPrincipal, @Form() form: FormBody): Promise<RevocationAnswerDto> {
    try {
      await this.sessions.revoke(caller, required(form, 'token'), { reason: 'user_logout' });
    } catch (error) {
      // RFC 7009 section 2.2: what the client wanted is the case already.
      if (!(error instanceof AppError) || !UNKNOWN_TOKEN.has(error.code)) throw error;
    }
    return {};
  }
}
