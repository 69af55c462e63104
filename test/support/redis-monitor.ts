/**
 * Counts what a Redis is asked. Not ioredis' own: it fails when a command is reported in the same packet as the OK that
 * begins the reporting.
 */
import { connect, type Socket } from 'node:net';
import { eventually } from './eventually.js';
import type { RedisServer } from './redis-server.js';

export class RedisMonitor {
  private text = '';

  private constructor(
    private readonly socket: Socket,
    private readonly redis: RedisServer,
  ) {
    socket.setEncoding('utf8').on('data', (more: string) => (this.text += more));
  }

  static async of(redis: RedisServer): Promise<RedisMonitor> {
    const monitor = new RedisMonitor(connect(redis.port, '127.0.0.1'), redis);
    monitor.socket.write('MONITOR\r\n');
    await eventually(() => monitor.text.startsWith('+OK\r\n'));
    return monitor;
  }

  /** Everything that was asked before has been reported. */
  async end(): Promise<this> {
    const client = this.redis.client();
    await client.echo('the end of the report');
    client.disconnect();
    await eventually(() => this.text.includes('"the end of the report"'));
    this.socket.destroy();
    return this;
  }

  count(command: string, key: string): number {
    return this.text.split(`"${command}" "${key}"`).length - 1;
  }
}
