import { createHash, timingSafeEqual } from 'node:crypto';
import { Controller, Get, Headers, Res } from '@nestjs/common';
import { ApiOkResponse, ApiSecurity, ApiTags } from '@nestjs/swagger';
import { PrometheusController } from '@willsoto/nestjs-prometheus';
import type { FastifyReply } from 'fastify';
import { Config } from '../../config.js';
import { AppError } from '../../errors.js';
import { METRICS_TOKEN_SCHEME, Public } from '../access.js';
import { ApiErrors } from '../api-errors.js';
import { Exposition } from './exposition.js';

@ApiTags('health')
@Controller('metrics')
export class MetricsController extends PrometheusController {
  constructor(
    private readonly config: Config,
    private readonly exposition: Exposition,
  ) {
    super();
  }

  /** Metrics in the Prometheus text format. With METRICS_TOKEN set, send it as a bearer token. */
  @Get()
  @Public()
  @ApiSecurity({}) // where no token is set
  @ApiSecurity(METRICS_TOKEN_SCHEME)
  @ApiErrors('unauthorized')
  @ApiOkResponse({ content: { 'text/plain': { schema: { type: 'string' } } } })
  override async index(
    @Res({ passthrough: true }) reply: FastifyReply,
    @Headers('authorization') authorization?: string,
  ): Promise<string> {
    this.requireToken(authorization ?? '');
    const text = await this.exposition.text();
    void reply.header('content-type', this.exposition.contentType);
    return text;
  }

  private requireToken(authorization: string): void {
    const wanted = this.config.metricsTokenDigest;
    if (wanted === null) return;
    const [, token = ''] = /^Bearer +(\S+)$/i.exec(authorization) ?? [];
    if (timingSafeEqual(createHash('sha256').update(token).digest(), wanted)) return;
    throw new AppError('unauthorized', {
      description: 'Send the token for metrics as "Authorization: Bearer <token>".',
    });
  }
}
