/**
 * A store that was put back from a backup has forgotten what was revoked since, and which refresh tokens were used.
 * Before the first request is taken, everything that was issued ends: each tenant moves to its next epoch.
 */
import { Injectable, Logger, type OnApplicationBootstrap } from '@nestjs/common';
import { SessionEndings } from '../sessions/session-endings.js';
import { TenantsService } from '../tenants/tenants.service.js';
import { StoreBackup } from './store-backup.js';

const PAGE = 200;

@Injectable()
export class RestoreGuard implements OnApplicationBootstrap {
  private readonly logger = new Logger('RestoreGuard');

  constructor(
    private readonly store: StoreBackup,
    private readonly tenants: TenantsService,
    private readonly endings: SessionEndings,
  ) {}

  /** Cut short, it begins again at the next start. @throws whatever keeps a tenant from it: then nothing is served */
  async onApplicationBootstrap(): Promise<void> {
    if (!this.store.isRestored) return;
    let count = 0;
    let after = '';
    for (;;) {
      const tenants = await this.tenants.list({ after, limit: PAGE });
      for (const { tenantId } of tenants) await this.endings.endTenant(tenantId, 'other');
      count += tenants.length;
      after = tenants.at(-1)?.tenantId ?? '';
      if (tenants.length < PAGE) break;
    }
    await this.store.markAsSeenTo();
    this.logger.warn({ event: 'backup_restored', count });
  }
}
