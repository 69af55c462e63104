/** A key ring as this instance uses it: keys parsed once into KeyObjects, looked up by kid. */
import { createHash, createPrivateKey, createPublicKey, createSecretKey, type KeyObject } from 'node:crypto';
import type { DataKey } from './envelope.js';
import {
  signer,
  stateOf,
  type KeyRing,
  type KeyState,
  type RefreshSecret,
  type SigningKey,
} from './key-ring.js';

export interface VerificationKey {
  readonly key: KeyObject;
  readonly state: Exclude<KeyState, 'gone'>;
}

/** RFC 7517 section 5, public members only. */
export interface JwkSet {
  readonly keys: readonly {
    readonly kty: string;
    readonly use: 'sig';
    readonly alg: 'RS256';
    readonly kid: string;
    readonly n: string;
    readonly e: string;
  }[];
}

export class OpenKeyRing {
  private readonly keyObjects = new Map<string, KeyObject>();

  constructor(
    readonly ring: KeyRing,
    readonly dataKey: DataKey,
  ) {}

  get epoch(): number {
    return this.ring.epoch;
  }

  /** @returns the key that signs access tokens now */
  signingKey(nowMs: number): { kid: string; key: KeyObject } | null {
    const active = signer(this.ring.signingKeys, this.epoch, nowMs);
    if (!active?.sealedPrivateKey) return null;
    const sealed = active.sealedPrivateKey;
    const key = this.once(`private:${active.kid}`, () =>
      createPrivateKey({ key: this.unseal(sealed, active.kid, 'signing-key'), format: 'der', type: 'pkcs8' }),
    );
    return { kid: active.kid, key };
  }

  /**
   * The public half of a private key that was sealed here: whoever can only write to the store can put no other in
   * its place. @returns null when there is no such private key (any more)
   */
  provenPublicKey(kid: string): KeyObject | null {
    const sealed = this.ring.signingKeys.find((key) => key.kid === kid)?.sealedPrivateKey;
    if (!sealed) return null;
    const der = () => this.unseal(sealed, kid, 'signing-key');
    return this.once(`proven:${kid}`, () =>
      createPublicKey(createPrivateKey({ key: der(), format: 'der', type: 'pkcs8' })),
    );
  }

  /** @returns the kid of the secret that signs new refresh tokens now */
  refreshKid(nowMs: number): string | null {
    return signer(this.ring.refreshSecrets, this.epoch, nowMs)?.kid ?? null;
  }

  /** @returns the public key of that kid, unless nothing it signed can be alive */
  verificationKey(kid: string, nowMs: number): VerificationKey | null {
    return this.find(this.ring.signingKeys, kid, nowMs, (found) => this.publicKey(found));
  }

  /** @returns the refresh secret of that kid, unless nothing it signed can be alive */
  refreshKey(kid: string, nowMs: number): VerificationKey | null {
    return this.find(this.ring.refreshSecrets, kid, nowMs, (found) => this.secret(found));
  }

  /** @throws UnreadableKeyError when the keys that sign now cannot be opened */
  tryKeys(nowMs: number): void {
    this.signingKey(nowMs);
    const kid = this.refreshKid(nowMs);
    if (kid !== null) this.refreshKey(kid, nowMs);
  }

  /** What resource servers may verify with now, and the strong ETag of its bytes. */
  jwks(nowMs: number): { body: string; etag: string } {
    const set: JwkSet = { keys: this.published(nowMs).map((key) => this.jwk(key)) };
    const body = JSON.stringify(set);
    return { body, etag: `"${createHash('sha256').update(body).digest('base64url')}"` };
  }

  /** The kids of the JWKS: a token under any other is not accepted. */
  publishedKids(nowMs: number): string[] {
    return this.published(nowMs).map(({ kid }) => kid);
  }

  private published(nowMs: number): SigningKey[] {
    return this.ring.signingKeys.filter((key) =>
      ['next', 'active', 'retired'].includes(stateOf(key, this.epoch, nowMs)),
    );
  }

  private jwk({ kid, ...key }: SigningKey): JwkSet['keys'][number] {
    const { kty = '', n = '', e = '' } = this.publicKey({ kid, ...key }).export({ format: 'jwk' });
    return { kty, use: 'sig', alg: 'RS256', kid, n, e };
  }

  private find<K extends SigningKey | RefreshSecret>(
    keys: readonly K[],
    kid: string,
    nowMs: number,
    toKeyObject: (key: K) => KeyObject,
  ): VerificationKey | null {
    const found = keys.find((key) => key.kid === kid);
    const state = found ? stateOf(found, this.epoch, nowMs) : 'gone';
    return found && state !== 'gone' ? { key: toKeyObject(found), state } : null;
  }

  private publicKey({ kid, publicKey }: SigningKey): KeyObject {
    return this.once(`public:${kid}`, () =>
      createPublicKey({ key: Buffer.from(publicKey, 'base64'), format: 'der', type: 'spki' }),
    );
  }

  private secret({ kid, sealedSecret }: RefreshSecret): KeyObject {
    return this.once(`secret:${kid}`, () =>
      createSecretKey(this.unseal(sealedSecret, kid, 'refresh-secret')),
    );
  }

  private unseal(sealed: string, kid: string, purpose: 'signing-key' | 'refresh-secret'): Buffer {
    return this.dataKey.open(sealed, { kid, purpose });
  }

  private once(name: string, make: () => KeyObject): KeyObject {
    const known = this.keyObjects.get(name);
    if (known) return known;
    const made = make();
    this.keyObjects.set(name, made);
    return made;
  }
}
