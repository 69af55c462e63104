/** A Nest application behind the SDK's guard: every route needs a session, unless it says otherwise. */
import 'reflect-metadata';
import { Controller, Get, HttpException, Inject, Module, Req, SetMetadata } from '@nestjs/common';
import type { CanActivate, ExecutionContext, OnApplicationShutdown } from '@nestjs/common';
import { APP_GUARD, NestFactory, Reflector } from '@nestjs/core';
import { FastifyAdapter, type NestFastifyApplication } from '@nestjs/platform-fastify';
import { SessionVerifier } from 'session-service-sdk';
import { SessionGuard, type AuthenticatedRequest } from 'session-service-sdk/nest';

const IS_PUBLIC = 'is-public';
const Public = () => SetMetadata(IS_PUBLIC, true);

/** One for the whole application: it holds one connection, and knows of revocations from there. */
class Sessions implements OnApplicationShutdown {
  readonly verifier = new SessionVerifier({
    url: process.env['SESSION_SERVICE_URL'] ?? '',
    apiKey: process.env['SESSION_API_KEY'] ?? '',
  });

  onApplicationShutdown(): void {
    this.verifier.close();
  }
}

/** The SDK's guard in front of everything. */
class EverywhereGuard implements CanActivate {
  private readonly guard: SessionGuard;

  constructor(
    @Inject(Sessions) sessions: Sessions,
    @Inject(Reflector) private readonly reflector: Reflector,
  ) {
    this.guard = new SessionGuard(sessions.verifier, { HttpException });
  }

  async canActivate(context: ExecutionContext): Promise<boolean> {
    const isPublic = this.reflector.getAllAndOverride<boolean>(IS_PUBLIC, [
      context.getHandler(),
      context.getClass(),
    ]);
    return isPublic || this.guard.canActivate(context);
  }
}

@Controller()
class ProfileController {
  @Get('profile')
  profile(@Req() { auth }: AuthenticatedRequest) {
    return { user: auth.userId, session: auth.sessionId, metadata: auth.metadata };
  }

  @Public()
  @Get()
  welcome() {
    return { welcome: 'everybody' };
  }
}

@Module({
  controllers: [ProfileController],
  providers: [Sessions, { provide: APP_GUARD, useClass: EverywhereGuard }],
})
class AppModule {}

const app = await NestFactory.create<NestFastifyApplication>(
  AppModule,
  new FastifyAdapter({ forceCloseConnections: true }),
  { logger: ['error', 'warn'] },
);
app.enableShutdownHooks();
await app.get(Sessions).verifier.ready();
await app.listen(Number(process.env['PORT'] ?? 4000), 'localhost');
process.stdout.write(`the example is at ${(await app.getUrl()).replace('127.0.0.1', 'localhost')}\n`);
