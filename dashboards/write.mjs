// Writes Grafana's dashboards into the chart: npm run dashboards [another folder]
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { overview } from './overview.mjs';
import { revocation } from './revocation.mjs';
import { store } from './store.mjs';
import { tenant } from './tenant.mjs';

const folder = process.argv[2] ?? 'helm/multi-tenant-session-service/dashboards';

for (const [name, dashboard] of Object.entries({ overview, tenant, revocation, store })) {
  writeFileSync(join(folder, `${name}.json`), `${JSON.stringify(dashboard, null, 2)}\n`);
}
