/**
 * Who guards the keys that guard the keys: wraps and unwraps tenants' data keys. The port is shaped like a KMS:
 * 32 bytes in, a text out, bound to its tenant.
 */
import { AppError } from '../errors.js';

/** The tenant's tokens may be good; only the operator can tell: an outage, never a 401. */
export class UnreadableKeyError extends AppError {
  constructor(cause: unknown) {
    super('store_unavailable', {
      description: "The tenant's keys cannot be read; the operator must check the master keys.",
      action: 'contact_operator',
      cause,
    });
  }
}

export abstract class KeyProvider {
  /** A sentence for the operator of a service whose keys do not open: it names the settings to look at. */
  abstract readonly remedy: string;
  /** @throws AppError store_unavailable when the provider does not answer */
  abstract wrap(dataKey: Buffer, tenantId: string): Promise<string>;
  /** @throws UnreadableKeyError for what it did not wrap for this tenant; AppError store_unavailable */
  abstract unwrap(wrapped: string, tenantId: string): Promise<Buffer>;
  /** Wraps again under the newest key. @returns null when it is under that already */
  abstract rewrap(wrapped: string, tenantId: string): Promise<string | null>;
  /** Which key a text is wrapped under; fit for people, holds no secret. */
  abstract keyIdOf(wrapped: string): string;
}
