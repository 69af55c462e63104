import type { KeyRing, KeyRingStore } from '../../keys/key-ring.js';
import type { Durability } from './durability.js';
import type { RedisConnection } from './redis-connection.js';
import { tenantKeys } from './redis-keys.js';

export class RedisKeyRingStore implements KeyRingStore {
  constructor(
    private readonly redis: RedisConnection,
    private readonly durability: Durability,
  ) {}

  async find(tenantId: string): Promise<KeyRing | null> {
    const text = await this.redis.run('find-key-ring', (client) =>
      client.hget(tenantKeys(tenantId).keyRing, 'document'),
    );
    return text ? { ...(JSON.parse(text) as KeyRing), tenantId } : null;
  }

  async replace(ring: KeyRing): Promise<'replaced' | 'conflict'> {
    const { keyRing } = tenantKeys(ring.tenantId);
    const reply = await this.redis.script(
      'replace-document',
      [keyRing],
      [ring.version, JSON.stringify(ring), 'create'],
    );
    if (reply !== 'replaced') return 'conflict';
    await this.durability.barrier(keyRing);
    return 'replaced';
  }
}
