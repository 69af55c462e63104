// The service in a process that makes tenants quickly: all of them share a few RSA key pairs, each sealed for its own
// tenant as usual. Making ten thousand pairs would take a quarter of an hour and change nothing about their size.
import { generateKeyPairSync } from 'node:crypto';
import { createApp } from '../../dist/app.setup.js';
import { parseConfig } from '../../dist/config.js';
import { KeyFactory } from '../../dist/keys/key-factory.js';

const pairs = Array.from({ length: 8 }, () =>
  generateKeyPairSync('rsa', {
    modulusLength: 2048,
    publicKeyEncoding: { type: 'spki', format: 'der' },
    privateKeyEncoding: { type: 'pkcs8', format: 'der' },
  }),
);
let made = 0;
KeyFactory.prototype.inTurn = async () => {
  const { publicKey, privateKey } = pairs[made++ % pairs.length];
  return { publicKey, privateKey: Buffer.from(privateKey) }; // a copy: it is wiped after sealing
};

const app = await createApp(parseConfig(process.env), { log: false });
await app.listen(0, '127.0.0.1');
process.stdout.write(`${JSON.stringify({ port: app.getHttpServer().address().port })}\n`);
