/** Writes docs/openapi.json: the document that the service itself serves at /docs/openapi.json. */
import { randomBytes } from 'node:crypto';
import { mkdirSync, writeFileSync } from 'node:fs';
import { createApp } from './app.setup.js';
import { parseConfig } from './config.js';
import { buildDocument } from './http/openapi.js';

const TARGET = new URL('../docs/openapi.json', import.meta.url);

const app = await createApp(
  parseConfig({
    STORE_URL: 'sqlite::memory:',
    ADMIN_API_KEY: randomBytes(32).toString('hex'),
    MASTER_KEYS: `m1:${randomBytes(32).toString('base64')}`,
  }),
  { log: false },
);
mkdirSync(new URL('.', TARGET), { recursive: true });
writeFileSync(TARGET, `${JSON.stringify(buildDocument(app), null, 2)}\n`);
await app.close();
