/** Gathers what the story of a session is told from. */
import { Injectable } from '@nestjs/common';
import { Clock } from '../clock.js';
import { AppError } from '../errors.js';
import type { TenantPrincipal } from '../http/principal.js';
import type { Session } from '../sessions/session.js';
import { SessionsService } from '../sessions/sessions.service.js';
import { AuditService } from './audit.service.js';
import { storyOf, type Story } from './session-history.js';

/** A session that lives for 90 days and is refreshed every 15 minutes has some 8,600 entries. */
const MAX_ENTRIES = 10_000;

@Injectable()
export class SessionHistoryService {
  constructor(
    private readonly audit: AuditService,
    private readonly sessions: SessionsService,
    private readonly clock: Clock,
  ) {}

  /** Also of a session that is gone. @throws AppError session_not_found when nothing is known of it */
  async of(caller: TenantPrincipal, sessionId: string): Promise<Story> {
    const { tenantId } = caller;
    const [session, entries] = await Promise.all([
      this.live(caller, sessionId),
      this.audit.ofSession(caller, tenantId, sessionId, MAX_ENTRIES),
    ]);
    const first = entries[0];
    if (!session && !first) throw new AppError('session_not_found');
    const ofTenant =
      session || !first
        ? []
        : await Promise.all(
            (['tenant_revoked', 'tenant_deleted'] as const).map((action) =>
              this.audit.firstAfter(caller, tenantId, action, first.seq),
            ),
          );
    return storyOf({
      entries,
      ofTenant: ofTenant.filter((entry) => entry !== null),
      session,
      nowMs: this.clock.nowMs(),
    });
  }

  private async live(caller: TenantPrincipal, sessionId: string): Promise<Session | null> {
    try {
      return await this.sessions.read(caller, sessionId);
    } catch (error) {
      if (error instanceof AppError && error.code === 'session_not_found') return null;
      throw error;
    }
  }
}
