// What does a live revocation cost an instance in memory, and a look-up in time?
// npm run bench:replica-memory
import { newRandomId, userTag } from '../dist/random-id.js';
import { RevocationTable } from '../dist/revocations/revocation-table.js';

const expiresAtMs = Date.now() + 900_000;
const lines = ['  revocations   table MiB   bytes each   Set of strings, bytes each   look-up ns'];
for (const count of [1000, 10_000, 100_000, 1_000_000]) {
  const ids = Array.from({ length: count }, (_, at) => newRandomId(userTag('acme', `user-${at}`)));
  const table = new RevocationTable();
  for (const id of ids) table.add({ kind: 'session_revoked', tenantId: 'acme', id, expiresAtMs });
  globalThis.gc?.();
  const before = process.memoryUsage().heapUsed;
  const plain = new Set(ids.map((id) => Buffer.from(id).toString()));
  globalThis.gc?.();
  const setBytes = (process.memoryUsage().heapUsed - before) / plain.size;
  const startedAt = performance.now();
  const lookUps = 1_000_000;
  let found = 0;
  for (let at = 0; at < lookUps; at++) if (table.has(ids[at % count])) found++;
  const lookUpNs = ((performance.now() - startedAt) / lookUps) * 1e6;
  if (found !== lookUps) throw new Error('the table lost an entry');
  lines.push(
    [
      String(count).padStart(13),
      (table.sizeBytes / 1048576).toFixed(1).padStart(12),
      (table.sizeBytes / count).toFixed(0).padStart(13),
      setBytes.toFixed(0).padStart(29),
      lookUpNs.toFixed(0).padStart(13),
    ].join(''),
  );
}
process.stdout.write(`${lines.join('\n')}\n`);
