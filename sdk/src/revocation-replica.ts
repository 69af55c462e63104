/**
 * What a verifier remembers of a tenant's revocations. Exact: the whole id is kept, so no token is refused by
 * accident. It knows no network and no clock; what it is told comes from the feed.
 */

export interface Revocation {
  /** A session's or an access token's. */
  readonly id: string;
  /** Unix seconds from which on it may be forgotten. */
  readonly expiresAtSeconds: number;
}

const BUCKET_SECONDS = 60;
/** A clock that runs ahead or is set back must not bring a token to life: entries stay a little longer. */
const KEPT_LONGER_SECONDS = 60;

/** Ids in buckets by when they may be forgotten: no timer and no object for each entry. */
export class RevocationReplica {
  /** To the bucket that forgets it: of two revocations of one id the longer-lived one counts. */
  private readonly ids = new Map<string, number>();
  private readonly buckets = new Map<number, string[]>();
  private overflowed = false;

  /** @param maxEntries bounds its memory; beyond it, what is not in here may be revoked all the same */
  constructor(private readonly maxEntries: number) {}

  get size(): number {
    return this.ids.size;
  }

  /** Whether everything that it was told had room. */
  get isWhole(): boolean {
    return !this.overflowed;
  }

  add({ id, expiresAtSeconds }: Revocation): void {
    const bucket = Math.floor((expiresAtSeconds + KEPT_LONGER_SECONDS) / BUCKET_SECONDS);
    const known = this.ids.get(id);
    if (known !== undefined && known >= bucket) return;
    if (known === undefined && this.ids.size >= this.maxEntries) {
      this.overflowed = true;
      return;
    }
    this.ids.set(id, bucket);
    const held = this.buckets.get(bucket);
    if (held) held.push(id);
    else this.buckets.set(bucket, [id]);
  }

  has(id: string): boolean {
    return this.ids.has(id);
  }

  /** Buckets are few (one for each minute that a token can live), so all of them are looked at. */
  forgetExpired(nowSeconds: number): void {
    for (const [bucket, ids] of this.buckets) {
      if ((bucket + 1) * BUCKET_SECONDS > nowSeconds) continue;
      for (const id of ids) if (this.ids.get(id) === bucket) this.ids.delete(id);
      this.buckets.delete(bucket);
    }
  }
}
