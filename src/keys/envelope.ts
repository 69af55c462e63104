/**
 * Secrets at rest: each ring's secrets are sealed under a data key of its own, which a key provider wraps. The
 * associated data binds a sealed value to its tenant, kid and purpose: moved elsewhere, it does not open.
 */
import { createSecretKey, randomBytes, type KeyObject } from 'node:crypto';
import { Injectable } from '@nestjs/common';
import { KeyProvider, UnreadableKeyError } from './key-provider.js';
import { openBox, sealBox } from './sealed-box.js';

/** What a sealed value is, and where it belongs. */
export interface SealContext {
  readonly kid: string;
  readonly purpose: 'signing-key' | 'refresh-secret';
}

const DATA_KEY_BYTES = 32;

/** A tenant's data key, opened. */
export class DataKey {
  constructor(
    /** As it is kept. */
    readonly wrapped: string,
    private readonly tenantId: string,
    private readonly secret: KeyObject,
  ) {}

  seal(plaintext: Buffer, context: SealContext): string {
    return sealBox(this.secret, plaintext, this.associatedData(context));
  }

  /** @throws UnreadableKeyError */
  open(sealed: string, context: SealContext): Buffer {
    try {
      return openBox(this.secret, sealed, this.associatedData(context));
    } catch (cause) {
      throw new UnreadableKeyError(cause);
    }
  }

  private associatedData({ kid, purpose }: SealContext): Buffer {
    return Buffer.from([purpose, this.tenantId, kid].join('\0'));
  }
}

@Injectable()
export class Envelope {
  constructor(private readonly provider: KeyProvider) {}

  /** A sentence for the operator whose keys do not open. */
  get remedy(): string {
    return this.provider.remedy;
  }

  async newDataKey(tenantId: string): Promise<DataKey> {
    const bytes = randomBytes(DATA_KEY_BYTES);
    const wrapped = await this.provider.wrap(bytes, tenantId);
    return this.toDataKey(wrapped, tenantId, bytes);
  }

  /** @throws UnreadableKeyError; AppError store_unavailable when the provider does not answer */
  async openDataKey(wrapped: string, tenantId: string): Promise<DataKey> {
    const bytes = await this.provider.unwrap(wrapped, tenantId);
    if (bytes.length !== DATA_KEY_BYTES) throw new UnreadableKeyError(new Error('a data key is cut short'));
    return this.toDataKey(wrapped, tenantId, bytes);
  }

  private toDataKey(wrapped: string, tenantId: string, bytes: Buffer): DataKey {
    const secret = createSecretKey(bytes);
    bytes.fill(0);
    return new DataKey(wrapped, tenantId, secret);
  }
}
