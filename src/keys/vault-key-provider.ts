/**
 * Data keys wrapped by HashiCorp Vault's Transit engine: the master key never leaves Vault. Speaks its HTTP API:
 * POST /v1/<mount>/encrypt|decrypt/<key> with X-Vault-Token. The key must be of an AEAD type, such as the default
 * aes256-gcm96, and Vault at least 1.13: earlier ones pass over associated_data.
 */
import { AppError } from '../errors.js';
import type { VaultConfig } from '../config.js';
import { KeyProvider, UnreadableKeyError } from './key-provider.js';

const TIMEOUT_MS = 2000;

/** What trying again does not change: the token, its policy, the mount, the key or the key's type. */
const REFUSALS = new Set([400, 403, 404]);

interface TransitAnswer {
  readonly data?: { readonly ciphertext?: string; readonly plaintext?: string };
}

export class VaultKeyProvider extends KeyProvider {
  readonly remedy =
    'Vault does not open the keys in this store: check VAULT_ADDR, VAULT_TRANSIT_MOUNT and VAULT_TRANSIT_KEY, ' +
    "and the key's min_decryption_version.";

  constructor(private readonly config: VaultConfig) {
    super();
  }

  async wrap(dataKey: Buffer, tenantId: string): Promise<string> {
    const body = { plaintext: dataKey.toString('base64'), associated_data: associatedData(tenantId) };
    return required((await this.post('encrypt', body)).data?.ciphertext);
  }

  async unwrap(wrapped: string, tenantId: string): Promise<Buffer> {
    const body = { ciphertext: wrapped, associated_data: associatedData(tenantId) };
    return Buffer.from(required((await this.post('decrypt', body)).data?.plaintext), 'base64');
  }

  /** Vault's own rewrap takes no associated_data (hashicorp/vault#29532): what it binds does not open there. */
  async rewrap(wrapped: string, tenantId: string): Promise<string | null> {
    const dataKey = await this.unwrap(wrapped, tenantId);
    const again = await this.wrap(dataKey, tenantId);
    dataKey.fill(0);
    return this.keyIdOf(again) === this.keyIdOf(wrapped) ? null : again;
  }

  /** `vault:v3:...` is wrapped under version 3 of the Transit key. */
  keyIdOf(wrapped: string): string {
    return /^vault:v\d+/.exec(wrapped)?.[0] ?? '';
  }

  private async post(verb: 'encrypt' | 'decrypt', body: object): Promise<TransitAnswer> {
    const { address, token, mount, key } = this.config;
    const url = `${address}/v1/${mount}/${verb}/${encodeURIComponent(key)}`;
    let answer: Response;
    try {
      answer = await fetch(url, {
        method: 'POST',
        headers: { 'content-type': 'application/json', 'x-vault-token': token.reveal() },
        body: JSON.stringify(body),
        redirect: 'error',
        signal: AbortSignal.timeout(TIMEOUT_MS),
      });
      if (answer.ok) return (await answer.json()) as TransitAnswer;
    } catch (cause) {
      throw unavailable(cause);
    }
    // 400: the ciphertext or its associated data are not right.
    const cause = new Error(`vault answered ${answer.status} to ${verb}`);
    if (answer.status === 400 && verb === 'decrypt') throw new UnreadableKeyError(cause);
    throw REFUSALS.has(answer.status) ? refused(cause) : unavailable(cause);
  }
}

function associatedData(tenantId: string): string {
  return Buffer.from(`data-key\0${tenantId}`).toString('base64');
}

function required(value: string | undefined): string {
  if (value === undefined) throw unavailable(new Error('vault answered without a result'));
  return value;
}

function refused(cause: unknown): AppError {
  return new AppError('store_unavailable', {
    description: 'The key provider refuses the service; the operator must check its settings.',
    action: 'contact_operator',
    cause,
  });
}

function unavailable(cause: unknown): AppError {
  return new AppError('store_unavailable', {
    description: 'The key provider does not answer; try again.',
    cause,
  });
}
