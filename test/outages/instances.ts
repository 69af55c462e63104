/** Several instances of the service on one Redis, with one clock. */
import type { Environment } from '../../src/config.js';
import { RedisServer } from '../support/redis-server.js';
import { TestService } from '../support/test-service.js';
import { TurnableClock } from '../support/turnable-clock.js';

export class Instances {
  private constructor(
    readonly redis: RedisServer,
    readonly clock: TurnableClock,
    readonly services: readonly TestService[],
  ) {}

  /** One for each environment. */
  static async start(environments: readonly Environment[]): Promise<Instances> {
    const redis = await RedisServer.start();
    const clock = new TurnableClock();
    const services: TestService[] = [];
    for (const env of environments) {
      services.push(await TestService.start({ STORE_URL: redis.url, ...env }, clock));
    }
    return new Instances(redis, clock, services);
  }

  at(index: number): TestService {
    const service = this.services[index];
    if (!service) throw new Error(`there is no instance ${index}`);
    return service;
  }

  async stop(): Promise<void> {
    for (const service of this.services) await service.stop();
    await this.redis.stop();
  }
}

/** Answers to `revocation` in a validation. */
export function revocationOf(answer: { body: Record<string, unknown> }): { checked: string; age_ms: number } {
  return (answer.body['revocation'] ?? {}) as { checked: string; age_ms: number };
}

/** The sum of a counter over its labels. */
export async function counter(service: TestService, name: string): Promise<number> {
  const text = await (await fetch(`${service.url}/metrics`)).text();
  const values = text.matchAll(new RegExp(`^${name}(?:\\{[^}]*\\})? (\\S+)$`, 'gm'));
  return [...values].reduce((sum, [, value]) => sum + Number(value), 0);
}
