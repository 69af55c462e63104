/** Moves every tenant's data key under the newest master key, while the service runs. */
import { Injectable } from '@nestjs/common';
import { TenantsService } from '../tenants/tenants.service.js';
import { KeyLifecycleService } from './key-lifecycle.service.js';

const PAGE = 200;

export interface ResealReport {
  readonly resealed: number;
  /** How many tenants are sealed under each master key now. A key that is not named may be dropped. */
  readonly inUse: Readonly<Record<string, number>>;
}

@Injectable()
export class ResealService {
  constructor(
    private readonly tenants: TenantsService,
    private readonly lifecycle: KeyLifecycleService,
  ) {}

  /** Safe to repeat, and to run while tenants come and go. */
  async resealAll(): Promise<ResealReport> {
    const inUse = new Map<string, number>();
    let resealed = 0;
    let after = '';
    for (;;) {
      const tenants = await this.tenants.list({ after, limit: PAGE });
      for (const { tenantId } of tenants) {
        const sealed = await this.lifecycle.reseal(tenantId);
        if (!sealed) continue;
        inUse.set(sealed.keyId, (inUse.get(sealed.keyId) ?? 0) + 1);
        if (sealed.moved) resealed++;
      }
      after = tenants.at(-1)?.tenantId ?? '';
      if (tenants.length < PAGE) return { resealed, inUse: Object.fromEntries(inUse) };
    }
  }
}
