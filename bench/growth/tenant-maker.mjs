// The service in a process that makes tenants quickly: all of them share a few RSA key pairs, each sealed for its own
// tenant as usual. Making ten thousand pairs would take a quarter of an hour and change nothing about their size.
import { generateKeyPairSync } from 'node:crypto';
import { createApp } from '../../dist/app.setup.js';
import { parseConfig } from '../../dist/config.js';
import { FairTurns } from '../../dist/keys/fair-turns.js';

const pairs = Array.from({ length: 8 }, () =>
  generateKeyPairSync('rsa', {
    modulusLength: 2048,
    publicKeyEncoding: { type: 'spki', format: 'der' },
    privateKeyEncoding: { type: 'pkcs8', format: 'der' },
  }),
);
let made = 0;
// In whose turns keys are made, and nothing else.
if (!FairTurns.prototype.take) throw new Error('keys are no longer made in turns: nothing would be shared');
FairTurns.prototype.take = async () => {
  const { publicKey, privateKey } = pairs[made++ % pairs.length];
  return { publicKey, privateKey: Buffer.from(privateKey) }; // a copy: it is wiped after sealing
};

const app = await createApp(parseConfig(process.env), { log: false });
await app.listen(0, '127.0.0.1');
process.stdout.write(`${JSON.stringify({ port: app.getHttpServer().address().port })}\n`);
