import { Module } from '@nestjs/common';
import { TerminusModule } from '@nestjs/terminus';
import { KeysModule } from '../keys/keys.module.js';
import { HealthController } from './health.controller.js';
import { Indicators } from './indicators.js';
import { StoreWatch } from './store-watch.js';

/** Liveness, readiness and a summary for people. */
@Module({
  imports: [TerminusModule.forRoot({ logger: false }), KeysModule],
  controllers: [HealthController],
  providers: [Indicators, StoreWatch],
})
export class HealthModule {}
