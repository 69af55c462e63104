import { Module } from '@nestjs/common';
import { APP_GUARD } from '@nestjs/core';
import { AccessGuard } from './access.guard.js';
import { ApiKeysController } from './api-keys.controller.js';
import { ApiKeysService } from './api-keys.service.js';
import { FailedAuthentications } from './failed-authentications.js';
import { RateLimiter } from './rate-limiter.js';
import { TenantsController } from './tenants.controller.js';
import { TenantsService } from './tenants.service.js';

/** Tenants, their API keys, and the guard that recognises callers by them. */
@Module({
  controllers: [TenantsController, ApiKeysController],
  providers: [
    TenantsService,
    ApiKeysService,
    RateLimiter,
    FailedAuthentications,
    AccessGuard,
    { provide: APP_GUARD, useExisting: AccessGuard },
  ],
  exports: [TenantsService, ApiKeysService, RateLimiter, AccessGuard],
})
export class TenantsModule {}
