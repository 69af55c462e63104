/**
 * The numbers of live sessions in Redis. What changes them is collected for a moment and sent together, by nobody's
 * request: so a session costs no round trip more, and what an instance had not sent when it was killed, or what was
 * under way when Redis went away, is not counted. Such an error lasts until the sessions concerned would have expired.
 */
import type { Clock } from '../../clock.js';
import { countedUntilMs, type Counted } from '../../sessions/live-count.js';
import type { RedisConnection } from './redis-connection.js';
import { liveSessionsKey } from './redis-keys.js';

const SEND_INTERVAL_MS = 2000;
const SENT_AT_ONCE = 100;
/** Beyond it, numbers of what is over are removed. */
const KEPT_NUMBERS = 512;

/** By the end of their time, how many sessions were added and taken away. */
type Changes = Map<number, number>;

export class RedisLiveSessions {
  private pending = new Map<string, Changes>();
  private readonly timer: NodeJS.Timeout;

  constructor(
    private readonly redis: RedisConnection,
    private readonly clock: Clock,
  ) {
    this.timer = setInterval(() => void this.send(), SEND_INTERVAL_MS).unref();
  }

  began(tenantId: string, session: Counted): void {
    this.change(tenantId, session, 1);
  }

  ended(tenantId: string, session: Counted): void {
    this.change(tenantId, session, -1);
  }

  /** With what this instance has not sent yet; others' last moment may be missing. */
  async count(tenantId: string, epoch: number, nowMs: number): Promise<number> {
    const key = liveSessionsKey(tenantId, epoch);
    const own = this.pending.get(key);
    if (own) await this.sendOne(key, own);
    const numbers = await this.redis.run('read-live-sessions', (client) => client.hgetall(key));
    let live = 0;
    for (const [until, number] of Object.entries(numbers)) {
      // Below zero: ended here, but begun where it was not counted.
      if (Number(until) > nowMs) live += Math.max(0, Number(number));
    }
    return live;
  }

  /** Sends what is left. */
  async close(): Promise<void> {
    clearInterval(this.timer);
    await this.send();
  }

  private change(tenantId: string, session: Counted, by: 1 | -1): void {
    const key = liveSessionsKey(tenantId, session.epoch);
    let changes = this.pending.get(key);
    if (!changes) this.pending.set(key, (changes = new Map()));
    const until = countedUntilMs(session);
    changes.set(until, (changes.get(until) ?? 0) + by);
  }

  private async send(): Promise<void> {
    const waiting = [...this.pending];
    for (let at = 0; at < waiting.length; at += SENT_AT_ONCE) {
      const some = waiting.slice(at, at + SENT_AT_ONCE);
      await Promise.all(some.map(([key, changes]) => this.sendOne(key, changes).catch(() => undefined)));
    }
  }

  /** Once: Redis may have done what it did not answer, and a number must not be changed twice. */
  private async sendOne(key: string, changes: Changes): Promise<void> {
    if (this.pending.get(key) !== changes) return; // somebody has sent them meanwhile
    this.pending.delete(key);
    const changed = [...changes].filter(([, by]) => by !== 0);
    if (changed.length === 0) return;
    await this.redis.script('count-sessions', [key], [this.clock.nowMs(), KEPT_NUMBERS, ...changed.flat()]);
  }
}
