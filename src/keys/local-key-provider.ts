/** Data keys wrapped under MASTER_KEYS: the first wraps, all unwrap, each text names its key. */
import type { MasterKey } from '../config.js';
import { KeyProvider, UnreadableKeyError } from './key-provider.js';
import { openBox, sealBox } from './sealed-box.js';

const PREFIX = 'local.v1';

export class LocalKeyProvider extends KeyProvider {
  readonly remedy =
    'MASTER_KEYS does not open the keys in this store: add the master key that sealed them to the list.';
  private readonly first: MasterKey;
  private readonly byId: ReadonlyMap<string, MasterKey>;

  constructor(masterKeys: readonly MasterKey[]) {
    super();
    const [first] = masterKeys;
    if (!first) throw new Error('MASTER_KEYS is empty'); // the configuration does not let it be
    this.first = first;
    this.byId = new Map(masterKeys.map((key) => [key.id, key]));
  }

  async wrap(dataKey: Buffer, tenantId: string): Promise<string> {
    return `${PREFIX}.${this.first.id}.${sealBox(this.first.secret, dataKey, associatedData(tenantId))}`;
  }

  async unwrap(wrapped: string, tenantId: string): Promise<Buffer> {
    const masterKey = this.byId.get(this.keyIdOf(wrapped));
    if (!masterKey) {
      throw new UnreadableKeyError(new Error('wrapped under a master key that MASTER_KEYS does not name'));
    }
    const box = wrapped.slice(`${PREFIX}.${masterKey.id}.`.length);
    try {
      return openBox(masterKey.secret, box, associatedData(tenantId));
    } catch (cause) {
      throw new UnreadableKeyError(cause);
    }
  }

  async rewrap(wrapped: string, tenantId: string): Promise<string | null> {
    if (this.keyIdOf(wrapped) === this.first.id) return null;
    const dataKey = await this.unwrap(wrapped, tenantId);
    const again = await this.wrap(dataKey, tenantId);
    dataKey.fill(0);
    return again;
  }

  keyIdOf(wrapped: string): string {
    return wrapped.startsWith(`${PREFIX}.`) ? (wrapped.split('.')[2] ?? '') : '';
  }
}

function associatedData(tenantId: string): Buffer {
  return Buffer.from(`data-key\0${tenantId}`);
}
