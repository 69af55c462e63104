import { Module } from '@nestjs/common';
import { SessionsModule } from '../sessions/sessions.module.js';
import { TenantsModule } from '../tenants/tenants.module.js';
import { BackupController } from './backup.controller.js';
import { RestoreGuard } from './restore-guard.js';

/** Copies of the store, and what has to happen when one is put back. */
@Module({
  imports: [TenantsModule, SessionsModule],
  controllers: [BackupController],
  providers: [RestoreGuard],
})
export class BackupModule {}
