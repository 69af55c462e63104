/** Counts the answers that take their time, of each tenant and together, and refuses one too many. */
import type { ServerResponse } from 'node:http';
import { AppError } from '../errors.js';

/** Another stream may have ended by then; whoever is refused must not ask all the time. */
const RETRY_AFTER_SECONDS = 5;

export class OpenAnswers {
  private readonly ofTenants = new Map<string, number>();
  private total = 0;

  constructor(private readonly limits: { readonly all: number; readonly perTenant: number }) {}

  /**
   * Counts an answer until its connection or itself is over.
   * @throws AppError rate_limited: the tenant has as many as it may; store_unavailable: this instance has
   */
  take(tenantId: string, answer: ServerResponse): void {
    // Its client has left already: nothing will tell when it is over.
    if (answer.destroyed) return;
    const own = this.ofTenants.get(tenantId) ?? 0;
    if (own >= this.limits.perTenant) {
      throw new AppError('rate_limited', {
        description: 'The tenant has as many streams of revocations open here as it may.',
        retryAfterSeconds: RETRY_AFTER_SECONDS,
      });
    }
    if (this.total >= this.limits.all) {
      throw new AppError('store_unavailable', {
        description: 'This instance has as many streams of revocations open as it may.',
        retryAfterSeconds: RETRY_AFTER_SECONDS,
      });
    }
    this.ofTenants.set(tenantId, own + 1);
    this.total++;
    answer.once('close', () => this.giveBack(tenantId));
  }

  private giveBack(tenantId: string): void {
    const left = (this.ofTenants.get(tenantId) ?? 0) - 1;
    if (left > 0) this.ofTenants.set(tenantId, left);
    else this.ofTenants.delete(tenantId);
    this.total--;
  }
}
