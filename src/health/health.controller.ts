/** For load balancers and people: is the process alive, may it have traffic, and what is wrong if not. */
import { Controller, Get, Res } from '@nestjs/common';
import { ApiOkResponse, ApiServiceUnavailableResponse, ApiTags } from '@nestjs/swagger';
import { HealthCheck, HealthCheckService, type HealthCheckResult } from '@nestjs/terminus';
import type { FastifyReply } from 'fastify';
import { Public } from '../http/access.js';
import { Drain } from '../http/drain.js';
import { FeedFollower } from '../revocations/feed-follower.js';
import { HealthDto } from './health.dto.js';
import { Indicators } from './indicators.js';
import { StoreProbe, type StoreStatus } from './store-probe.js';

@ApiTags('health')
@Controller('health')
export class HealthController {
  constructor(
    private readonly health: HealthCheckService,
    private readonly indicators: Indicators,
    private readonly store: StoreProbe,
    private readonly replica: FeedFollower,
    private readonly drain: Drain,
  ) {}

  /** For people: 200 while the service can do all its work, else 503 with the reason. */
  @Get()
  @Public()
  @ApiOkResponse({ type: HealthDto })
  @ApiServiceUnavailableResponse({ type: HealthDto })
  async read(@Res({ passthrough: true }) reply: FastifyReply): Promise<HealthDto> {
    const status = await this.indicators.storeStatus();
    if (!status.up) void reply.status(503);
    const word = wordFor(status);
    return {
      status: status.up ? 'ok' : 'error',
      store: word,
      ...(this.store.kind === 'redis' ? { redis: word } : {}),
      ...(status.up ? {} : { reason: status.reason }),
      replica_age_ms: this.replica.loaded ? this.replica.ageMs() : null,
      draining: this.drain.draining,
      uptime_seconds: Math.floor(process.uptime()),
    };
  }

  /** Liveness: the process answers, so its event loop turns. A restart would help nothing else. */
  @Get('live')
  @Public()
  @HealthCheck()
  live(): Promise<HealthCheckResult> {
    return this.health.check([]);
  }

  /** Startup: the process has booted. A store that is away is no reason to start it again. */
  @Get('startup')
  @Public()
  @HealthCheck()
  startup(): Promise<HealthCheckResult> {
    return this.health.check([]);
  }

  /** Readiness: 503 while this instance should get no traffic; `degraded` while it cannot do everything. */
  @Get('ready')
  @Public()
  @HealthCheck()
  ready(): Promise<HealthCheckResult> {
    return this.health.check([
      () => this.indicators.traffic(),
      () => this.indicators.storeIndicator(),
      () => this.indicators.replicaIndicator(),
      () => this.indicators.keys(),
    ]);
  }
}

/** A store that can be read, or that works and must not be trusted, is not down. */
function wordFor(status: StoreStatus): HealthDto['store'] {
  if (status.up) return 'up';
  return status.trouble === 'no_answer' ? 'down' : 'degraded';
}
