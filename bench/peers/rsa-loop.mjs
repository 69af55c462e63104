// What one core can sign and verify: RS256, 2048 bits, keys parsed once, nothing else.
// Prints { verifyPerSecond, signPerSecond } and ends.
import { generateKeyPairSync, sign, verify } from 'node:crypto';

const seconds = Number(process.argv[2] ?? 0.5);
const { privateKey, publicKey } = generateKeyPairSync('rsa', { modulusLength: 2048 });
const text = Buffer.alloc(600, 'x');
const signature = sign('sha256', text, privateKey);

function perSecond(work) {
  for (let at = 0; at < 500; at++) work();
  const startedAt = performance.now();
  let done = 0;
  do {
    for (let at = 0; at < 100; at++) work();
    done += 100;
  } while (performance.now() - startedAt < seconds * 1000);
  return done / ((performance.now() - startedAt) / 1000);
}

const verifyPerSecond = perSecond(() => verify('sha256', text, publicKey, signature));
const signPerSecond = perSecond(() => sign('sha256', text, privateKey));
process.stdout.write(`${JSON.stringify({ verifyPerSecond, signPerSecond })}\n`);
