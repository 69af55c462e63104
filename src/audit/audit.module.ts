import { Module } from '@nestjs/common';
import { KeysModule } from '../keys/keys.module.js';
import { SessionsModule } from '../sessions/sessions.module.js';
import { TenantsModule } from '../tenants/tenants.module.js';
import { AuditController } from './audit.controller.js';
import { AuditKeeper } from './audit-keeper.js';
import { AuditService } from './audit.service.js';
import { AuditTrail } from './audit-trail.js';
import { SessionHistoryController } from './session-history.controller.js';
import { SessionHistoryService } from './session-history.service.js';

/**
 * The audit: hears what happens, keeps it in chains, and answers about it. Imported by the composition root alone:
 * so its last entries are written before the stores are closed.
 */
@Module({
  imports: [TenantsModule, KeysModule, SessionsModule],
  controllers: [AuditController, SessionHistoryController],
  providers: [AuditTrail, AuditKeeper, AuditService, SessionHistoryService],
})
export class AuditModule {}
