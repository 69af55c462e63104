import { Module } from '@nestjs/common';
import { KeysModule } from '../keys/keys.module.js';
import { TenantsModule } from '../tenants/tenants.module.js';
import { TokensModule } from '../tokens/tokens.module.js';
import { IncidentsService } from './incidents.service.js';
import { RevocationBatch } from './revocation-batch.js';
import { SessionEndings } from './session-endings.js';
import { SessionTokens } from './session-tokens.js';
import { ShortValidation } from './short-validation.js';
import { ShortWay } from './short-way.js';
import { SessionsController } from './sessions.controller.js';
import { SessionsService } from './sessions.service.js';
import { TenantCensus } from './tenant-census.js';
import { TenantSessionsController } from './tenant-sessions.controller.js';
import { VerifyController } from './verify.controller.js';

/** Sessions: created, validated, refreshed, listed and ended. */
@Module({
  imports: [TenantsModule, KeysModule, TokensModule],
  controllers: [SessionsController, VerifyController, TenantSessionsController],
  providers: [
    SessionsService,
    SessionEndings,
    SessionTokens,
    RevocationBatch,
    TenantCensus,
    IncidentsService,
    ShortValidation,
    ShortWay,
  ],
  exports: [SessionsService, SessionEndings],
})
export class SessionsModule {}
