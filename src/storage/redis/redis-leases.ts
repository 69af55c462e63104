import type { Leases } from '../../keys/leases.js';
import type { RedisConnection } from './redis-connection.js';
import { leaseKey } from './redis-keys.js';

export class RedisLeases implements Leases {
  constructor(private readonly redis: RedisConnection) {}

  async acquire(name: string, holdMs: number): Promise<boolean> {
    const reply = await this.redis.run('acquire-lease', (client) =>
      client.set(leaseKey(name), '1', 'PX', holdMs, 'NX'),
    );
    return reply === 'OK';
  }
}
