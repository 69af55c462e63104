// How each cost grows: bytes a session in each store, memory of an instance against tenants and revocations.
//   npm run bench:growth             a million sessions; writes bench/results/growth.json
//   npm run bench:growth -- --quick  a hundred thousand; writes bench/results/growth-quick.json
import { mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { describeMachine } from '../machine.mjs';
import { INSTANCE_REVOCATIONS, INSTANCE_TENANTS, STORES } from '../report/growth-columns.mjs';
import { toText } from '../report/table.mjs';
import { Servers } from '../servers.mjs';
import { measureRevocations, measureTenants } from './instance.mjs';
import { measureStores } from './stores.mjs';

const FULL = {
  sessions: [10_000, 100_000, 1_000_000],
  storeRevocations: 100_000,
  tenants: [10, 1000, 10_000],
  revocations: [0, 100_000, 1_000_000],
};
const QUICK = {
  sessions: [1000, 10_000, 100_000],
  storeRevocations: 10_000,
  tenants: [10, 100, 1000],
  revocations: [0, 10_000, 100_000],
};

const startedAt = performance.now();
const say = (text) =>
  process.stderr.write(`${((performance.now() - startedAt) / 1000).toFixed(0).padStart(4)} s  ${text}\n`);

const quick = process.argv.includes('--quick');
const plan = quick ? QUICK : FULL;
const servers = new Servers();
try {
  const result = {
    date: new Date().toISOString().slice(0, 10),
    machine: describeMachine(),
    stores: await measureStores(servers, plan, say),
    tenants: await measureTenants(servers, plan.tenants, say),
    revocations: await measureRevocations(servers, plan.revocations, say),
  };
  process.stdout.write(
    `\nStores\n${toText(STORES, result.stores)}` +
      `\nAn instance and its tenants\n${toText(INSTANCE_TENANTS, result.tenants)}` +
      `\nAn instance and the revocations that it knows\n${toText(INSTANCE_REVOCATIONS, result.revocations)}`,
  );
  const folder = join(import.meta.dirname, '..', 'results');
  mkdirSync(folder, { recursive: true });
  const file = join(folder, quick ? 'growth-quick.json' : 'growth.json');
  writeFileSync(file, `${JSON.stringify(result, null, 2)}\n`);
} finally {
  await servers.stopAll();
}
