/** Makes new keys, off the event loop and one at a time, tenants taking turns, and seals them before anybody else sees them. */
import { generateKeyPair, randomBytes, randomUUID } from 'node:crypto';
import { promisify } from 'node:util';
import { Injectable } from '@nestjs/common';
import type { DataKey } from './envelope.js';
import { FairTurns } from './fair-turns.js';
import type { FreshKeys } from './key-ring.js';

const generateKeyPairOffLoop = promisify(generateKeyPair);
const REFRESH_SECRET_BYTES = 32;

@Injectable()
export class KeyFactory {
  /** One pair at a time: several would take the cores from the event loop and the threads from everybody. */
  private readonly turns = new FairTurns();

  /**
   * @param modulusBits of the RSA key: 2048, 3072 or 4096
   * @param who wants them: waits for one key of each other, and for all of its own
   */
  async make(dataKey: DataKey, modulusBits: number, who: string): Promise<FreshKeys> {
    const { publicKey, privateKey } = await this.turns.take(who, () =>
      generateKeyPairOffLoop('rsa', {
        modulusLength: modulusBits,
        publicKeyEncoding: { type: 'spki', format: 'der' },
        privateKeyEncoding: { type: 'pkcs8', format: 'der' },
      }),
    );
    const signingKid = randomUUID();
    const refreshKid = randomUUID();
    const refreshSecret = randomBytes(REFRESH_SECRET_BYTES);
    const fresh: FreshKeys = {
      wrappedDataKey: dataKey.wrapped,
      signingKey: {
        kid: signingKid,
        publicKey: publicKey.toString('base64'),
        sealedPrivateKey: dataKey.seal(privateKey, { kid: signingKid, purpose: 'signing-key' }),
      },
      refreshSecret: {
        kid: refreshKid,
        sealedSecret: dataKey.seal(refreshSecret, { kid: refreshKid, purpose: 'refresh-secret' }),
      },
    };
    privateKey.fill(0);
    refreshSecret.fill(0);
    return fresh;
  }
}
