/** The service under test of one suite: started before its tests, stopped after them. */
import { afterAll, beforeAll, beforeEach } from '@jest/globals';
import type { Environment } from '../../src/config.js';
import { TestService, type STORES } from '../support/test-service.js';

export type Prepare = (typeof STORES)[number]['prepare'];

/** Call it in a describe block. The getter works inside tests and hooks that come later. */
export function useService(prepare: Prepare, env: Environment = {}): () => TestService {
  let running: TestService | undefined;
  let dispose: (() => Promise<void>) | undefined;

  beforeAll(async () => {
    const store = await prepare();
    dispose = store.dispose;
    running = await TestService.start({ ...store.env, ...env });
  });

  // At a whole second, so that a boundary in seconds is a boundary of the clock.
  beforeEach(() => {
    const clock = service().clock;
    clock.advanceSeconds((1000 - (clock.nowMs() % 1000)) / 1000);
  });

  afterAll(async () => {
    await running?.stop();
    await dispose?.();
  });

  const service = (): TestService => {
    if (!running) throw new Error('the service of this suite is not running');
    return running;
  };
  return service;
}
