import { Module } from '@nestjs/common';
import { Clock } from '../clock.js';
import { Config } from '../config.js';
import { KeyRingsService } from '../keys/key-rings.service.js';
import { KeysModule } from '../keys/keys.module.js';
import { Tracing } from '../tracing.js';
import { TokensService } from './tokens.service.js';

/** Signing and verifying; each a span. */
@Module({
  imports: [KeysModule],
  providers: [
    {
      provide: TokensService,
      inject: [KeyRingsService, Config, Clock, Tracing],
      useFactory: (
        keyRings: KeyRingsService,
        config: Config,
        clock: Clock,
        tracing: Tracing,
      ): TokensService => tracing.around('tokens', new TokensService(keyRings, config, clock)),
    },
  ],
  exports: [TokensService],
})
export class TokensModule {}
