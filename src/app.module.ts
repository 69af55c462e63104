/** The composition root: the only place that sees both the features and the stores. */
import { Global, Module, type DynamicModule } from '@nestjs/common';
import { AuditModule } from './audit/audit.module.js';
import { BackupModule } from './backup/backup.module.js';
import { Clock } from './clock.js';
import { Config } from './config.js';
import { HealthModule } from './health/health.module.js';
import { HttpModule } from './http/http.module.js';
import { KeysModule } from './keys/keys.module.js';
import { MetricsModule } from './http/metrics/metrics.module.js';
import { OAuthModule } from './oauth/oauth.module.js';
import { RevocationFeedsModule } from './revocations/revocation-feeds.module.js';
import { RevocationsModule } from './revocations/revocations.module.js';
import { SessionsModule } from './sessions/sessions.module.js';
import { StorageModule } from './storage/storage.module.js';
import { TenantsModule } from './tenants/tenants.module.js';
import { TokensModule } from './tokens/tokens.module.js';
import { Tracing } from './tracing.js';

@Global()
@Module({
  imports: [
    StorageModule,
    HttpModule,
    MetricsModule,
    RevocationsModule,
    TenantsModule,
    KeysModule,
    RevocationFeedsModule,
    TokensModule,
    SessionsModule,
    OAuthModule,
    AuditModule,
    BackupModule,
    HealthModule,
  ],
  exports: [Config, Clock, Tracing],
})
export class AppModule {
  static with(config: Config, clock: Clock, tracing: Tracing): DynamicModule {
    return {
      module: AppModule,
      providers: [
        { provide: Config, useValue: config },
        { provide: Clock, useValue: clock },
        { provide: Tracing, useValue: tracing },
      ],
    };
  }
}
