/** AES-256-GCM with associated data, as text: `<iv>.<ciphertext and tag>`, base64url. */
import { createCipheriv, createDecipheriv, randomBytes, type KeyObject } from 'node:crypto';

const ALGORITHM = 'aes-256-gcm';
const IV_BYTES = 12; // NIST SP 800-38D, 5.2.1.1
const TAG_BYTES = 16;

export function sealBox(key: KeyObject, plaintext: Buffer, associatedData: Buffer): string {
  const iv = randomBytes(IV_BYTES);
  const cipher = createCipheriv(ALGORITHM, key, iv).setAAD(associatedData);
  const sealed = Buffer.concat([cipher.update(plaintext), cipher.final(), cipher.getAuthTag()]);
  return `${iv.toString('base64url')}.${sealed.toString('base64url')}`;
}

/** @throws Error when key, text or associated data are not those of the sealing */
export function openBox(key: KeyObject, text: string, associatedData: Buffer): Buffer {
  const [iv = '', body = ''] = text.split('.');
  const sealed = Buffer.from(body, 'base64url');
  const decipher = createDecipheriv(ALGORITHM, key, Buffer.from(iv, 'base64url'), {
    authTagLength: TAG_BYTES, // without it a tag of 4 bytes is good enough
  })
    .setAAD(associatedData)
    .setAuthTag(sealed.subarray(-TAG_BYTES));
  return Buffer.concat([decipher.update(sealed.subarray(0, -TAG_BYTES)), decipher.final()]);
}
