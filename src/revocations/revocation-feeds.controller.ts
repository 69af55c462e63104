/** Tenants' revocations, for whoever verifies access tokens without asking. */
import { Readable } from 'node:stream';
import { Controller, Get, Headers, Req, Res } from '@nestjs/common';
import { ApiExtraModels, ApiHeader, ApiOkResponse, ApiTags, getSchemaPath } from '@nestjs/swagger';
import type { FastifyReply, FastifyRequest } from 'fastify';
import { ForPlatformOrTenant } from '../http/access.js';
import { ApiErrors } from '../http/api-errors.js';
import { EVENT_STREAM, wantsEvents } from '../http/event-stream.js';
import { Caller, type Principal } from '../http/principal.js';
import { TenantIdParam } from '../tenants/tenant-id.param.js';
import { RevocationListDto, STREAM_EXAMPLE } from './revocation.dto.js';
import { RevocationFeeds } from './revocation-feeds.service.js';

const JSON_TEXT = 'application/json; charset=utf-8';

@ApiTags('revocations')
@Controller('tenants/:id/revocations')
export class RevocationFeedsController {
  constructor(private readonly feeds: RevocationFeeds) {}

  /**
   * List what is revoked, or follow it as server-sent events with `Accept: text/event-stream`.
   *
   * @remarks A stream begins with `snapshot` events, whose last says `complete` and replaces what the client holds, or goes on
   * after `Last-Event-ID`. Then come `revoked`, `keys` (the kids that may be accepted from now on), and twice a second
   * `age`: how old the service's own knowledge is. It ends with the tenant, the API key or the instance.
   */
  @Get()
  @ForPlatformOrTenant('revocations:read')
  @ApiErrors('tenant_not_found', 'tenant_suspended')
  @ApiExtraModels(RevocationListDto)
  @ApiHeader({ name: 'Last-Event-ID', required: false, description: 'Where a stream ended.' })
  @ApiOkResponse({
    description: 'Everything that is known now, or a stream.',
    content: {
      'application/json': { schema: { $ref: getSchemaPath(RevocationListDto) } },
      [EVENT_STREAM]: { schema: { type: 'string' }, example: STREAM_EXAMPLE },
    },
  })
  async read(
    @Caller() caller: Principal,
    @TenantIdParam() tenantId: string,
    @Headers('accept') accept: string | undefined,
    @Headers('last-event-id') lastEventId: string | undefined,
    @Req() request: FastifyRequest,
    @Res() reply: FastifyReply,
  ): Promise<void> {
    const wanted = { caller, tenantId, request, reply };
    void reply.header('vary', 'accept');
    const isStream = wantsEvents(accept);
    // HEAD is answered from the list, which has an end.
    if (isStream && request.method !== 'HEAD') return this.feeds.stream(wanted, lastEventId);
    const pieces = await this.feeds.list(wanted);
    void reply.type(isStream ? EVENT_STREAM : JSON_TEXT).send(Readable.from(pieces));
  }
}
