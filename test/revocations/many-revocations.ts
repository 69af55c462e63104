/** Revocations by the thousand, announced as the service announces them, without a session for each. */
import { newRandomId } from '../../src/random-id.js';
import type { Revocation } from '../../src/revocations/change-feed.js';
import { FeedFollower } from '../../src/revocations/feed-follower.js';
import type { TestService } from '../support/test-service.js';

const AT_ONCE = 1000;

/** @returns their ids */
export async function announceMany(service: TestService, tenantId: string, count: number): Promise<string[]> {
  const follower = service.app.get(FeedFollower, { strict: false });
  const ids: string[] = [];
  while (ids.length < count) {
    const some = Array.from({ length: Math.min(AT_ONCE, count - ids.length) }, (): Revocation => {
      const expiresAtMs = service.clock.nowMs() + 900_000;
      return { kind: 'session_revoked', tenantId, id: newRandomId('many'), expiresAtMs };
    });
    await follower.announce(...some);
    ids.push(...some.map(({ id }) => id));
  }
  return ids;
}
