/**
 * What is wrong with Redis, in words: told once when it begins, once for each change of trouble, once when it is
 * over. A Redis that is away for an hour is two lines, not thousands.
 */
import { Logger } from '@nestjs/common';
import { SafeError } from '../../logging/safe-error.js';

export class RedisOutage {
  private readonly logger = new Logger('Redis');
  private beganAtMs: number | null = null;
  private lastTrouble = '';

  /** @param isTold whether it logs: of a service's several connections one speaks for all */
  constructor(private readonly isTold: boolean) {}

  /** The connection is lost or silent. */
  begins(error: unknown): void {
    const isNew = this.beganAtMs === null;
    this.beganAtMs ??= performance.now();
    this.tell(isNew ? 'redis_outage_began' : 'redis_trouble', error);
  }

  /** One node of several, or one attempt: the service may go on as if nothing was. */
  trouble(error: unknown): void {
    this.tell('redis_trouble', error);
  }

  ends(): void {
    this.lastTrouble = '';
    if (this.beganAtMs === null) return;
    const durationMs = Math.round(performance.now() - this.beganAtMs);
    this.beganAtMs = null;
    if (this.isTold) this.logger.log({ event: 'redis_outage_ended', duration_ms: durationMs });
  }

  /** Why Redis cannot be reached, in words that are fit for everybody. */
  get reason(): string {
    if (/WRONGPASS|NOAUTH|NOPERM|invalid password/i.test(this.lastTrouble)) {
      return 'redis refuses the user name or password of STORE_URL';
    }
    if (/certificate|altnames/i.test(this.lastTrouble)) return 'the certificate of redis is not trusted';
    return 'redis does not answer';
  }

  private tell(event: string, error: unknown): void {
    const cause = causeOf(error);
    const trouble = `${cause.name}: ${cause.message}`;
    if (trouble === this.lastTrouble) return;
    this.lastTrouble = trouble;
    if (this.isTold) this.logger.warn({ event, cause: SafeError.of(cause) });
  }
}

/** A cluster that cannot be reached says why only in what its last node said. */
function causeOf(error: unknown): Error {
  const { lastNodeError } = error as { lastNodeError?: Error };
  return lastNodeError ?? (error instanceof Error ? error : new Error('redis does not answer in time'));
}
