// Sessions as they are in use: opaque ids of 36 characters, three members of metadata, refreshed once.
import { randomUUID } from 'node:crypto';
import { newRandomId, userTag } from '../../dist/random-id.js';

const DAY_MS = 86_400_000;

export function aSession(tenantId, nowMs) {
  const userId = randomUUID();
  const lineage = randomUUID();
  return {
    sessionId: newRandomId(userTag(tenantId, userId)),
    tenantId,
    userId,
    scope: 'read write',
    metadata: { device: 'iPhone 17', app: '5.2.1', ip: '203.0.113.7' },
    epoch: 1,
    createdAtMs: nowMs,
    lastUsedAtMs: nowMs,
    idleExpiresAtMs: nowMs + 30 * DAY_MS,
    absoluteExpiresAtMs: nowMs + 90 * DAY_MS,
    accessExpiresAtMs: nowMs + 900_000,
    rotation: {
      currentId: `${lineage}_1`,
      previousId: `${lineage}_0`,
      kid: randomUUID(),
      rotatedAtMs: nowMs,
      graceFromMs: nowMs,
      confirmed: true,
    },
  };
}
