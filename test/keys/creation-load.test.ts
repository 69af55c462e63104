/** Tenants made many at once, keys and all: the event loop, which validations need, must not make the keys. */
import { generateKeyPairSync } from 'node:crypto';
import { afterAll, beforeAll, expect, test } from '@jest/globals';
import { TestService } from '../support/test-service.js';

const TENANTS = 30;
const KEYS = 20;

let service: TestService;

beforeAll(async () => {
  service = await TestService.start();
});

afterAll(() => service.stop());

/** ms of processor time that this thread alone has used: other work of the machine does not count. */
function threadMs(): number {
  const { user, system } = process.threadCpuUsage();
  return (user + system) / 1000;
}

const create = (count: number) => Promise.all(Array.from({ length: count }, () => service.tenant()));

test('tenants created at once leave the event loop to validations', async () => {
  await create(10); // warm
  const before = threadMs();
  await create(TENANTS);
  const perTenantMs = (threadMs() - before) / TENANTS;

  const beforeKeys = threadMs();
  for (let n = 0; n < KEYS; n++) generateKeyPairSync('rsa', { modulusLength: 2048 });
  const perKeyMs = (threadMs() - beforeKeys) / KEYS;

  console.log(
    `${perTenantMs.toFixed(1)} ms of the event loop a tenant; a key takes ${perKeyMs.toFixed(1)} ms`,
  );
  expect(perTenantMs).toBeLessThan(perKeyMs / 2);
});
