/** Master keys that nobody else has. */
import { createSecretKey, randomBytes } from 'node:crypto';
import type { MasterKey } from '../../src/config.js';

export function randomMasterKey(id: string): MasterKey {
  return { id, secret: createSecretKey(randomBytes(32)) };
}
