import { Controller, Get } from '@nestjs/common';
import { ApiTags } from '@nestjs/swagger';
import { ForTenant } from '../http/access.js';
import { ApiErrors } from '../http/api-errors.js';
import { Caller, type TenantPrincipal } from '../http/principal.js';
import { SessionIdParam } from '../sessions/session-id.param.js';
import { SessionHistoryDto, toHistoryView } from './session-history.dto.js';
import { SessionHistoryService } from './session-history.service.js';

@ApiTags('sessions')
@Controller('sessions/:session_id')
export class SessionHistoryController {
  constructor(private readonly history: SessionHistoryService) {}

  /** Tell the story of a session, in words, also when it is gone: who created it, and why it ended. */
  @Get('history')
  @ForTenant('sessions:read')
  @ApiErrors('session_not_found', 'tenant_suspended')
  async tell(
    @Caller() caller: TenantPrincipal,
    @SessionIdParam() sessionId: string,
  ): Promise<SessionHistoryDto> {
    return toHistoryView(sessionId, await this.history.of(caller, sessionId));
  }
}
