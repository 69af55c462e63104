/**
 * As much of HashiCorp Vault's Transit engine as its documentation says of encrypting and decrypting with a key of
 * type aes256-gcm96: POST /v1/transit/encrypt|decrypt/<key> with X-Vault-Token.
 */
import { createCipheriv, createDecipheriv, randomBytes } from 'node:crypto';
import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http';
import { freePort } from '../support/redis-server.js';

const IV_BYTES = 12;
const TAG_BYTES = 16;

export interface TransitCall {
  readonly method: string;
  readonly path: string;
  readonly token: string | undefined;
  readonly body: Readonly<Record<string, string>>;
}

class Refusal extends Error {
  constructor(
    readonly status: number,
    message: string,
  ) {
    super(message);
  }
}

export class TransitServer {
  readonly calls: TransitCall[] = [];
  token = 'hvs.CAESIJ-token-of-the-tests';
  /** How long each answer takes. */
  delayMs = 0;
  isSealed = false;
  minDecryptionVersion = 1;
  /** Sent in place of what would be right. */
  override: { status: number; headers?: Record<string, string>; text: string } | undefined;
  private readonly versions = [randomBytes(32)];
  private server: Server | undefined;

  private constructor(
    private readonly port: number,
    private readonly key: string,
  ) {}

  static async start(key = 'sessions'): Promise<TransitServer> {
    const server = new TransitServer(await freePort(), key);
    await server.up();
    return server;
  }

  get url(): string {
    return `http://127.0.0.1:${this.port}`;
  }

  get environment(): Record<string, string> {
    return {
      KEY_PROVIDER: 'vault',
      VAULT_ADDR: this.url,
      VAULT_TOKEN: this.token,
      VAULT_TRANSIT_KEY: this.key,
    };
  }

  /** POST /v1/transit/keys/<key>/rotate */
  rotate(): void {
    this.versions.push(randomBytes(32));
  }

  async up(): Promise<void> {
    const server = createServer((request, response) => void this.serve(request, response));
    await new Promise<void>((resolve) => server.listen(this.port, '127.0.0.1', resolve));
    this.server = server;
  }

  /** Nobody listens any more. */
  async down(): Promise<void> {
    const { server } = this;
    this.server = undefined;
    server?.closeAllConnections();
    await new Promise<void>((resolve) => (server ? server.close(() => resolve()) : resolve()));
  }

  private async serve(request: IncomingMessage, response: ServerResponse): Promise<void> {
    const chunks: Buffer[] = [];
    for await (const chunk of request) chunks.push(chunk as Buffer);
    if (this.delayMs > 0) await new Promise((resolve) => setTimeout(resolve, this.delayMs));
    const { override } = this;
    if (override) return void response.writeHead(override.status, override.headers).end(override.text);
    let status = 200;
    let answer: unknown;
    try {
      answer = this.answer(request, Buffer.concat(chunks).toString());
    } catch (error) {
      status = error instanceof Refusal ? error.status : 500;
      answer = { errors: [(error as Error).message] };
    }
    response.writeHead(status, { 'content-type': 'application/json' }).end(JSON.stringify(answer));
  }

  private answer({ method = '', url = '', headers }: IncomingMessage, text: string): unknown {
    const token = headers['x-vault-token'];
    const body = JSON.parse(text) as Record<string, string>;
    this.calls.push({ method, path: url, token: typeof token === 'string' ? token : undefined, body });
    if (this.isSealed) throw new Refusal(503, 'Vault is sealed');
    if (token !== this.token) throw new Refusal(403, 'permission denied');
    const [, verb, key] = /^\/v1\/transit\/(encrypt|decrypt)\/([^/?]+)$/.exec(url) ?? [];
    if (method !== 'POST' || !verb) throw new Refusal(404, 'no handler for route');
    if (key !== this.key) throw new Refusal(400, 'encryption key not found');
    return {
      request_id: 'a6d9b0b8-6a3e-4c53-9f5b-0d3a1b1e8a11',
      lease_id: '',
      renewable: false,
      lease_duration: 0,
      data: verb === 'encrypt' ? this.encrypt(body) : this.decrypt(body),
      wrap_info: null,
      warnings: null,
      auth: null,
    };
  }

  private encrypt({ plaintext = '', associated_data = '' }: Record<string, string>): unknown {
    const version = this.versions.length;
    const iv = randomBytes(IV_BYTES);
    const cipher = createCipheriv('aes-256-gcm', this.versions[version - 1] ?? '', iv);
    cipher.setAAD(fromBase64(associated_data));
    const sealed = [iv, cipher.update(fromBase64(plaintext)), cipher.final(), cipher.getAuthTag()];
    return {
      ciphertext: `vault:v${version}:${Buffer.concat(sealed).toString('base64')}`,
      key_version: version,
    };
  }

  private decrypt({ ciphertext = '', associated_data = '' }: Record<string, string>): unknown {
    const [, version = '', text = ''] = /^vault:v(\d+):(.+)$/.exec(ciphertext) ?? [];
    if (!version) throw new Refusal(400, 'invalid ciphertext: no prefix');
    const key = this.versions[Number(version) - 1];
    if (!key) throw new Refusal(400, 'invalid ciphertext: version is too new');
    if (Number(version) < this.minDecryptionVersion) {
      throw new Refusal(400, 'ciphertext or signature version is disallowed by policy (too old)');
    }
    const bytes = fromBase64(text);
    try {
      const decipher = createDecipheriv('aes-256-gcm', key, bytes.subarray(0, IV_BYTES));
      decipher.setAAD(fromBase64(associated_data)).setAuthTag(bytes.subarray(-TAG_BYTES));
      const plain = [decipher.update(bytes.subarray(IV_BYTES, -TAG_BYTES)), decipher.final()];
      return { plaintext: Buffer.concat(plain).toString('base64') };
    } catch {
      throw new Refusal(400, 'cipher: message authentication failed');
    }
  }
}

/** Standard base64 with padding, and nothing else. */
function fromBase64(text: string): Buffer {
  const bytes = Buffer.from(text, 'base64');
  if (bytes.toString('base64') !== text) throw new Refusal(400, 'failed to base64-decode');
  return bytes;
}
