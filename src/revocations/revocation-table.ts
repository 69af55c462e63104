/**
 * What an instance remembers of revocations: a hash table in typed arrays, exact (the whole id is kept, so no
 * token is ever refused by accident), without an object or a timer per entry.
 *
 * An entry is 7 words of 32 bits: the id's 128 random bits, its tag with the kind, the tenant's number, and when
 * it may be forgotten. 256 shards grow one at a time, and forget one at a time.
 */
import { RANDOM_ID_BYTES, RANDOM_ID_LENGTH } from '../random-id.js';
import type { Revocation } from './change-feed.js';

const WORDS = 7;
const TAG_AND_KIND = 4;
const TENANT = 5;
const EXPIRY = 6;
const SHARDS = 256;
const FIRST_CAPACITY = 8;
const MAX_LOAD = 0.75;
const SESSION = 0;
const TOKEN = 1;
/** What one tenant's part is looked for in a row: about a tenth of a millisecond, and half a one where all are its. */
const PLACES_IN_A_ROW = 16_384;
const ENTRIES_IN_A_ROW = 500;

class Shard {
  words = new Uint32Array(FIRST_CAPACITY * WORDS);
  size = 0;

  get capacity(): number {
    return this.words.length / WORDS;
  }
}

export class RevocationTable {
  private readonly shards = Array.from({ length: SHARDS }, () => new Shard());
  private readonly tenants: string[] = [];
  private readonly tenantNumbers = new Map<string, number>();
  private readonly bytes = Buffer.alloc(RANDOM_ID_BYTES + 1);
  private readonly probe = new Uint32Array(WORDS);
  private nextShard = 0;
  private entries = 0;

  /** Live entries, and those that wait to be forgotten. */
  get size(): number {
    return this.entries;
  }

  /** Memory of the table itself, without the ids of tenants. */
  get sizeBytes(): number {
    return this.shards.reduce((sum, { words }) => sum + words.byteLength, 0);
  }

  /** Remembers; of two revocations of one id the longer-lived one counts. */
  add({ kind, tenantId, id, expiresAtMs }: Revocation): void {
    this.load(id);
    const shard = this.shardOf();
    const at = find(shard.words, this.probe);
    const expiry = Math.ceil(expiresAtMs / 1000);
    if (shard.words[at + EXPIRY] !== 0) {
      shard.words[at + EXPIRY] = Math.max(shard.words[at + EXPIRY] ?? 0, expiry);
      return;
    }
    this.probe[TAG_AND_KIND] = (this.probe[TAG_AND_KIND] ?? 0) | (kind === 'token_revoked' ? TOKEN : SESSION);
    this.probe[TENANT] = this.numberOf(tenantId);
    this.probe[EXPIRY] = expiry;
    shard.words.set(this.probe, at);
    shard.size++;
    this.entries++;
    if (shard.size > shard.capacity * MAX_LOAD) rebuild(shard, 0);
  }

  /** @param id of a session or an access token, from a verified token */
  has(id: string): boolean {
    if (id.length !== RANDOM_ID_LENGTH) return false;
    this.load(id);
    const { words } = this.shardOf();
    return words[find(words, this.probe) + EXPIRY] !== 0;
  }

  /** Forgets what has expired in the next few shards; called again and again it visits all of them. */
  forgetExpired(nowMs: number, shardCount: number): void {
    for (let visited = 0; visited < shardCount; visited++) {
      const shard = this.shards[this.nextShard];
      this.nextShard = (this.nextShard + 1) % SHARDS;
      if (!shard || shard.size === 0) continue;
      const before = shard.size;
      rebuild(shard, Math.floor(nowMs / 1000));
      this.entries -= before - shard.size;
    }
  }

  *[Symbol.iterator](): Generator<Revocation> {
    for (const { words } of this.shards) {
      for (let at = 0; at < words.length; at += WORDS) {
        if (words[at + EXPIRY] !== 0) yield this.entryAt(words, at);
      }
    }
  }

  /**
   * A tenant's revocations, some at a time, so that others can have their turn between: whatever was there when it
   * began. What is added meanwhile may be among them or not.
   */
  *of(tenantId: string): Generator<Revocation[]> {
    const tenant = this.tenantNumbers.get(tenantId);
    if (tenant === undefined) return;
    let found: Revocation[] = [];
    let places = 0;
    // When a shard is rebuilt meanwhile, these are still its words of before.
    for (const { words } of this.shards) {
      for (let at = 0; at < words.length; at += WORDS) {
        if (words[at + TENANT] === tenant && words[at + EXPIRY] !== 0) found.push(this.entryAt(words, at));
        if (++places < PLACES_IN_A_ROW && found.length < ENTRIES_IN_A_ROW) continue;
        yield found;
        [found, places] = [[], 0];
      }
    }
    yield found;
  }

  private entryAt(words: Uint32Array, at: number): Revocation {
    const tagAndKind = words[at + TAG_AND_KIND] ?? 0;
    this.bytes.writeUIntBE(tagAndKind >>> 8, 0, 3);
    for (let word = 0; word < 4; word++) this.bytes.writeUInt32BE(words[at + word] ?? 0, 3 + 4 * word);
    return {
      kind: (tagAndKind & 0xff) === TOKEN ? 'token_revoked' : 'session_revoked',
      tenantId: this.tenants[words[at + TENANT] ?? 0] ?? '',
      id: this.bytes.toString('base64url', 0, RANDOM_ID_BYTES),
      expiresAtMs: (words[at + EXPIRY] ?? 0) * 1000,
    };
  }

  /** Spreads an id over the first words of `probe`. */
  private load(id: string): void {
    const { probe } = this;
    const [second, third, fifth] = [bitsAt(id, 8), bitsAt(id, 12), bitsAt(id, 20)];
    const fourth = bitsAt(id, 16);
    probe[0] = (bitsAt(id, 4) << 8) | (second >>> 16);
    probe[1] = (second << 16) | (third >>> 8);
    probe[2] = (third << 24) | fourth;
    probe[3] = (fifth << 8) | (digitAt(id, 24) << 2) | (digitAt(id, 25) >>> 4);
    probe[TAG_AND_KIND] = bitsAt(id, 0) << 8;
  }

  private shardOf(): Shard {
    return this.shards[(this.probe[0] ?? 0) & (SHARDS - 1)] as Shard;
  }

  private numberOf(tenantId: string): number {
    const known = this.tenantNumbers.get(tenantId);
    if (known !== undefined) return known;
    this.tenantNumbers.set(tenantId, this.tenants.length);
    return this.tenants.push(tenantId) - 1;
  }
}

/** The values of base64url's characters; of all others 0. */
const DIGITS = new Uint8Array(128);
for (const [value, char] of [
  ...'ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_',
].entries()) {
  DIGITS[char.charCodeAt(0)] = value;
}

function digitAt(id: string, at: number): number {
  return DIGITS[id.charCodeAt(at)] ?? 0;
}

/** 24 bits: four characters. Node's decoder would be asked in native code, which costs more than all of this. */
function bitsAt(id: string, at: number): number {
  return (
    (digitAt(id, at) << 18) | (digitAt(id, at + 1) << 12) | (digitAt(id, at + 2) << 6) | digitAt(id, at + 3)
  );
}

/** @returns where the entry with these 128 bits is, or the free place where it would be */
function find(words: Uint32Array, wanted: Uint32Array): number {
  const capacity = words.length / WORDS;
  let slot = (wanted[1] ?? 0) & (capacity - 1);
  for (;;) {
    const at = slot * WORDS;
    if (words[at + EXPIRY] === 0) return at;
    if (
      words[at] === wanted[0] &&
      words[at + 1] === wanted[1] &&
      words[at + 2] === wanted[2] &&
      words[at + 3] === wanted[3]
    ) {
      return at;
    }
    slot = (slot + 1) & (capacity - 1);
  }
}

/** Keeps what expires after `nowSeconds`, in as much room as that needs. */
function rebuild(shard: Shard, nowSeconds: number): void {
  const old = shard.words;
  const kept: number[] = [];
  for (let at = 0; at < old.length; at += WORDS) {
    const expiry = old[at + EXPIRY] ?? 0;
    if (expiry !== 0 && expiry > nowSeconds) kept.push(at);
  }
  const capacity = capacityFor(kept.length);
  if (kept.length === shard.size && capacity === shard.capacity) return;
  const words = new Uint32Array(capacity * WORDS);
  for (const at of kept) {
    const entry = old.subarray(at, at + WORDS);
    words.set(entry, find(words, entry));
  }
  shard.words = words;
  shard.size = kept.length;
}

function capacityFor(size: number): number {
  let capacity = FIRST_CAPACITY;
  while (size > capacity * MAX_LOAD) capacity *= 2;
  return capacity;
}
