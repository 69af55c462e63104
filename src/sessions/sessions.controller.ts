import { Body, Controller, Delete, Get, HttpCode, Post, Query, Req, Res } from '@nestjs/common';
import { ApiOkResponse, ApiTags } from '@nestjs/swagger';
import type { FastifyReply, FastifyRequest } from 'fastify';
import { ForTenant } from '../http/access.js';
import { ApiErrors } from '../http/api-errors.js';
import { Caller, type TenantPrincipal } from '../http/principal.js';
import { ApiRefusedToken } from './refused-token.openapi.js';
import { RevocationBatch } from './revocation-batch.js';
import {
  BatchResultsDto,
  InvalidDto,
  IssuedTokensDto,
  RevokedCountDto,
  SessionListDto,
  SessionViewDto,
  toIssuedDto,
  toView,
  ValidDto,
} from './session-answer.dto.js';
import {
  checkOf,
  CreateSessionDto,
  EndSessionQueryDto,
  ListSessionsQueryDto,
  RefreshDto,
  RevokeBatchDto,
  RevokeDto,
  RevokeUserDto,
  toNewSession,
  ValidateDto,
} from './session.dto.js';
import { SessionIdParam } from './session-id.param.js';
import { SessionsService } from './sessions.service.js';
import { answerValidation } from './validation-answer.js';

/** Room for 1,000 tokens; every other route has the configured limit. */
const BATCH_BODY_LIMIT_BYTES = 4 * 1024 * 1024;

@ApiTags('sessions')
@Controller('sessions')
export class SessionsController {
  constructor(
    private readonly sessions: SessionsService,
    private readonly batch: RevocationBatch,
  ) {}

  /** Create a session after a login. */
  @Post()
  @ForTenant('sessions:create', { shortWay: 'create' })
  @ApiErrors('invalid_request', 'tenant_not_found', 'tenant_suspended')
  async create(@Caller() caller: TenantPrincipal, @Body() body: CreateSessionDto): Promise<IssuedTokensDto> {
    return toIssuedDto(await this.sessions.create(caller, toNewSession(body)));
  }

  /** Validate an access token. A refused token is a 401 with `valid: false`. */
  @Post('validate')
  @HttpCode(200)
  @ApiRefusedToken()
  @ForTenant('sessions:validate', { shortWay: 'validate' })
  @ApiErrors('invalid_request', 'tenant_suspended')
  @ApiOkResponse({ type: ValidDto })
  async validate(
    @Caller() caller: TenantPrincipal,
    @Body() body: ValidateDto,
    @Req() request: FastifyRequest,
    @Res({ passthrough: true }) reply: FastifyReply,
  ): Promise<ValidDto | InvalidDto> {
    const check = checkOf(body);
    const validation = await this.sessions.validate(caller, body.access_token, check);
    const answer = answerValidation(validation, check, request);
    void reply.status(answer.status);
    return answer.body;
  }

  /** Exchange a refresh token for a new pair. Safe to repeat within the grace window. */
  @Post('refresh')
  @HttpCode(200)
  @ForTenant('sessions:refresh', { shortWay: 'refresh' })
  @ApiErrors(
    'invalid_request',
    'tenant_suspended',
    'invalid_token',
    'invalid_signature',
    'token_expired',
    'token_revoked',
    'refresh_token_not_found',
    'refresh_token_reused',
  )
  async refresh(@Caller() caller: TenantPrincipal, @Body() body: RefreshDto): Promise<IssuedTokensDto> {
    return toIssuedDto(await this.sessions.refresh(caller, body.refresh_token));
  }

  /** End the session of an access or refresh token (a logout), or one access token alone. */
  @Post('revoke')
  @HttpCode(204)
  @ForTenant('sessions:revoke')
  @ApiErrors('invalid_request', 'tenant_suspended', 'invalid_token', 'invalid_signature')
  async revoke(@Caller() caller: TenantPrincipal, @Body() body: RevokeDto): Promise<void> {
    const { token, reason, only_this_token: onlyThisToken } = body;
    await this.sessions.revoke(caller, token, { reason, onlyThisToken: onlyThisToken ?? false });
  }

  /** End up to 1,000 sessions by token or id; each has its own result. */
  @Post('revoke-batch')
  @HttpCode(200)
  @ForTenant('sessions:revoke', { bodyLimit: BATCH_BODY_LIMIT_BYTES })
  @ApiErrors('invalid_request', 'payload_too_large', 'tenant_suspended')
  async revokeBatch(
    @Caller() caller: TenantPrincipal,
    @Body() body: RevokeBatchDto,
  ): Promise<BatchResultsDto> {
    return this.batch.revoke(caller, body);
  }

  /** Log a user out everywhere. */
  @Post('revoke-all')
  @HttpCode(200)
  @ForTenant('sessions:revoke')
  @ApiErrors('invalid_request', 'tenant_not_found', 'tenant_suspended')
  async revokeAll(@Caller() caller: TenantPrincipal, @Body() body: RevokeUserDto): Promise<RevokedCountDto> {
    const user = { tenantId: body.tenant_id, userId: body.user_id };
    return { revoked_count: await this.sessions.revokeUser(caller, user, body.reason) };
  }

  /** List a user's live sessions, oldest first. */
  @Get()
  @ForTenant('sessions:read')
  @ApiErrors('invalid_request', 'tenant_not_found', 'tenant_suspended')
  async list(
    @Caller() caller: TenantPrincipal,
    @Query() query: ListSessionsQueryDto,
  ): Promise<SessionListDto> {
    const user = { tenantId: query.tenant_id, userId: query.user_id };
    return { sessions: (await this.sessions.list(caller, user)).map(toView) };
  }

  /** Read one session. */
  @Get(':session_id')
  @ForTenant('sessions:read')
  @ApiErrors('session_not_found', 'tenant_suspended')
  async read(
    @Caller() caller: TenantPrincipal,
    @SessionIdParam() sessionId: string,
  ): Promise<SessionViewDto> {
    return toView(await this.sessions.read(caller, sessionId));
  }

  /** End one session. */
  @Delete(':session_id')
  @HttpCode(204)
  @ForTenant('sessions:revoke')
  @ApiErrors('invalid_request', 'session_not_found', 'tenant_suspended')
  async end(
    @Caller() caller: TenantPrincipal,
    @SessionIdParam() sessionId: string,
    @Query() query: EndSessionQueryDto,
  ): Promise<void> {
    await this.sessions.endById(caller, sessionId, query.reason);
  }
}
