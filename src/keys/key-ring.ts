/**
 * A tenant's key ring: signing keys, refresh secrets and the epoch, with the rules of their lives; and the port
 * through which rings are kept. A key's state is never stored: it follows from its times and the clock.
 */
import { TOKEN_BOUNDS } from '../config.js';

interface RingKey {
  /** RFC 7515 `kid`, unique within the ring. */
  readonly kid: string;
  /** The tenant's epoch in which the key was made; once the epoch has moved on, what it signed is revoked. */
  readonly epoch: number;
  /** From when the key signs; published before that. */
  readonly activatesAtMs: number;
  /** From when it no longer signs, but still verifies; null while no successor is known. */
  readonly retiresAtMs: number | null;
  /** From when nothing it signed can be alive; null while it may still sign. */
  readonly expiresAtMs: number | null;
  /** When the key was declared compromised, or its epoch ended. */
  readonly revokedAtMs: number | null;
}

/** An RSA key pair that signs access tokens. */
export interface SigningKey extends RingKey {
  /** SubjectPublicKeyInfo, base64 of DER. */
  readonly publicKey: string;
  /** PKCS #8 in an envelope; null once the key is revoked: it can never sign again. */
  readonly sealedPrivateKey: string | null;
}

/** An HMAC key that signs refresh tokens; never published. */
export interface RefreshSecret extends RingKey {
  /** 32 bytes in an envelope. Kept after revocation, so that its tokens are told `revoked`, not `forged`. */
  readonly sealedSecret: string;
}

export interface KeyRing {
  readonly tenantId: string;
  /** Only grows, even across deletion of the tenant: an old token cannot outlive a tenant's rebirth. */
  readonly epoch: number;
  /** The data key that seals this ring's secrets, wrapped by the key provider; empty in a ring without keys. */
  readonly wrappedDataKey: string;
  readonly signingKeys: readonly SigningKey[];
  readonly refreshSecrets: readonly RefreshSecret[];
  /** Compared before a write. */
  readonly version: number;
}

export type KeyState = 'next' | 'active' | 'retired' | 'revoked' | 'gone';

/** What a ring gains when it starts or moves to a new epoch. */
export interface FreshKeys {
  /** What they are sealed under: the ring's own data key, or its first. */
  readonly wrappedDataKey: string;
  readonly signingKey: Pick<SigningKey, 'kid' | 'publicKey' | 'sealedPrivateKey'>;
  readonly refreshSecret: Pick<RefreshSecret, 'kid' | 'sealedSecret'>;
}

/** How long a copy of the JWKS may be used. */
export const JWKS_MAX_AGE_SECONDS = 300;
/** How long a key is published before it signs: until no cache can be without it, and a minute more. */
export const PUBLISH_LEAD_MS = (JWKS_MAX_AGE_SECONDS + 60) * 1000;

const REFRESH_SECRET_MIN_AGE_MS = 30 * 86_400_000;
const CLOCK_MARGIN_MS = 60_000;
const ACCESS_TOKEN_MAX_LIFE_MS = TOKEN_BOUNDS.accessTokenTtlSeconds[1] * 1000;
const REFRESH_TOKEN_MAX_LIFE_MS = TOKEN_BOUNDS.refreshTokenTtlSeconds[1] * 1000;
/** How long tokens of an ended epoch are told `token_revoked`; after that they are merely not known. */
const REVOKED_KEY_KEPT_MS = ACCESS_TOKEN_MAX_LIFE_MS + CLOCK_MARGIN_MS;
/** Automatic rotation publishes this long before the change of keys: plenty for caches, and for a pass to be late. */
const PUBLISH_AHEAD_MS = 12 * 3_600_000;
/** Bounds a ring whose keys are killed, or whose epoch is moved, again and again. */
const MAX_REVOKED_KEYS = 16;
/** A ring is one record, and its public part one answer. */
const MAX_KEYS = 100;

/** Pure function of the key's times, the ring's epoch and the clock. */
export function stateOf(key: RingKey, epoch: number, nowMs: number): KeyState {
  if (key.expiresAtMs !== null && nowMs >= key.expiresAtMs) return 'gone';
  if (key.revokedAtMs !== null || key.epoch < epoch) return 'revoked';
  if (nowMs < key.activatesAtMs) return 'next';
  if (key.retiresAtMs !== null && nowMs >= key.retiresAtMs) return 'retired';
  return 'active';
}

/** @returns the newest key in state `active`: the one that signs */
export function activeKey<K extends RingKey>(
  keys: readonly K[],
  epoch: number,
  nowMs: number,
): K | undefined {
  return keys.findLast((key) => stateOf(key, epoch, nowMs) === 'active');
}

/**
 * @returns the key to sign with: the active one, or while there is none the one that is about to be: it was made
 * by an instance whose clock is ahead of ours
 */
export function signer<K extends RingKey>(keys: readonly K[], epoch: number, nowMs: number): K | undefined {
  const isClose = (key: K): boolean => key.activatesAtMs <= nowMs + CLOCK_MARGIN_MS;
  return (
    activeKey(keys, epoch, nowMs) ??
    keys.findLast((key) => stateOf(key, epoch, nowMs) === 'next' && isClose(key))
  );
}

/** @returns whether so many keys still verify that no more may be published */
export function isFull(ring: KeyRing, nowMs: number): boolean {
  return current(ring.signingKeys, nowMs).length >= MAX_KEYS;
}

/** A ring without keys: what a tenant that does not exist (any more) has. */
export function emptyRing(tenantId: string): KeyRing {
  return { tenantId, epoch: 0, wrappedDataKey: '', signingKeys: [], refreshSecrets: [], version: 0 };
}

/**
 * Moves the ring to the next epoch: everything signed before is revoked, and `fresh` signs from now on.
 * Without `fresh` (a tenant being deleted) nothing signs and no key is kept.
 */
export function nextEpoch(ring: KeyRing, fresh: FreshKeys | null, nowMs: number): KeyRing {
  const epoch = ring.epoch + 1;
  const start = { epoch, activatesAtMs: nowMs, retiresAtMs: null, expiresAtMs: null, revokedAtMs: null };
  return {
    tenantId: ring.tenantId,
    epoch,
    wrappedDataKey: fresh?.wrappedDataKey ?? '',
    signingKeys: fresh
      ? [...revoke(ring.signingKeys, nowMs).map(withoutPrivateKey), { ...fresh.signingKey, ...start }]
      : [],
    refreshSecrets: fresh
      ? [...revoke(ring.refreshSecrets, nowMs), { ...fresh.refreshSecret, ...start }]
      : [],
    version: ring.version + 1,
  };
}

/** @returns the key that is published and will sign */
export function nextKey<K extends RingKey>(keys: readonly K[], epoch: number, nowMs: number): K | undefined {
  return keys.find((key) => stateOf(key, epoch, nowMs) === 'next');
}

/**
 * Publishes successors that sign from `activatesAtMs` on; the present keys sign until then and verify until the
 * last token they signed has expired.
 */
export function publishNext(
  ring: KeyRing,
  fresh: FreshKeys,
  { activatesAtMs, nowMs }: { activatesAtMs: number; nowMs: number },
): KeyRing {
  const start = { epoch: ring.epoch, activatesAtMs, retiresAtMs: null, expiresAtMs: null, revokedAtMs: null };
  const retire = <K extends RingKey>(keys: readonly K[], tokenLifeMs: number): K[] =>
    current(keys, nowMs).map((key) =>
      stateOf(key, ring.epoch, nowMs) === 'active' ? retireAt(key, activatesAtMs, tokenLifeMs) : key,
    );
  return {
    ...ring,
    signingKeys: [...retire(ring.signingKeys, ACCESS_TOKEN_MAX_LIFE_MS), { ...fresh.signingKey, ...start }],
    refreshSecrets: needsRefreshSecret(ring, nowMs)
      ? [...retire(ring.refreshSecrets, REFRESH_TOKEN_MAX_LIFE_MS), { ...fresh.refreshSecret, ...start }]
      : current(ring.refreshSecrets, nowMs),
    version: ring.version + 1,
  };
}

/** Refresh secrets are remembered for a year: frequent rotation of signing keys must not pile them up. */
function needsRefreshSecret({ refreshSecrets, epoch }: KeyRing, nowMs: number): boolean {
  if (nextKey(refreshSecrets, epoch, nowMs)) return false; // its signing key was killed before it signed
  const secret = activeKey(refreshSecrets, epoch, nowMs);
  return !secret || nowMs - secret.activatesAtMs >= REFRESH_SECRET_MIN_AGE_MS;
}

/** What was to sign later signs from now on. @returns null when nothing is published as next */
export function activateNext(ring: KeyRing, nowMs: number): KeyRing | null {
  if (!nextKey(ring.signingKeys, ring.epoch, nowMs)) return null;
  const bringForward = <K extends RingKey>(keys: readonly K[], tokenLifeMs: number): K[] =>
    current(keys, nowMs).map((key) => {
      const state = stateOf(key, ring.epoch, nowMs);
      if (state === 'next') return { ...key, activatesAtMs: nowMs };
      // Only what was to retire anyway.
      return state === 'active' && key.retiresAtMs !== null ? retireAt(key, nowMs, tokenLifeMs) : key;
    });
  return {
    ...ring,
    signingKeys: bringForward(ring.signingKeys, ACCESS_TOKEN_MAX_LIFE_MS),
    refreshSecrets: bringForward(ring.refreshSecrets, REFRESH_TOKEN_MAX_LIFE_MS),
    version: ring.version + 1,
  };
}

/** @returns whether nothing would be left to sign with, now or later, without this key */
export function needsSuccessor(ring: KeyRing, kid: string, nowMs: number): boolean {
  return !ring.signingKeys.some(
    (key) => key.kid !== kid && ['active', 'next'].includes(stateOf(key, ring.epoch, nowMs)),
  );
}

/**
 * Declares a signing key compromised: it is no longer published, signs nothing, and what it signed is revoked.
 * An active key's place is taken in the same step, by the next one or else by `fresh`.
 * @param fresh needed where `needsSuccessor` says so
 * @returns null when the ring has no such key, or it is revoked already
 */
export function killKey(
  ring: KeyRing,
  kid: string,
  fresh: Pick<FreshKeys, 'signingKey'> | null,
  nowMs: number,
): KeyRing | null {
  const state = stateIn(ring, kid, nowMs);
  if (state === 'gone' || state === 'revoked') return null;
  const left = current(ring.signingKeys, nowMs).map((key) => {
    if (key.kid === kid) return withoutPrivateKey(revoked(key, nowMs));
    const other = stateOf(key, ring.epoch, nowMs);
    if (state === 'active' && other === 'next') return { ...key, activatesAtMs: nowMs };
    // Nothing will follow the active key after all.
    const stays = state === 'next' && other === 'active';
    return stays ? { ...key, retiresAtMs: null, expiresAtMs: null } : key;
  });
  const start = { activatesAtMs: nowMs, retiresAtMs: null, expiresAtMs: null, revokedAtMs: null };
  if (needsSuccessor(ring, kid, nowMs)) {
    if (!fresh) throw new Error('a ring is never left without a key to sign with');
    left.push({ ...fresh.signingKey, ...start, epoch: ring.epoch });
  }
  return { ...ring, signingKeys: withoutOldRevoked(left, ring.epoch, nowMs), version: ring.version + 1 };
}

/** @returns the state of the ring's signing key of that kid; `gone` too when there is none */
export function stateIn(ring: KeyRing, kid: string, nowMs: number): KeyState {
  const key = ring.signingKeys.find((candidate) => candidate.kid === kid);
  return key ? stateOf(key, ring.epoch, nowMs) : 'gone';
}

/** What was signed by those that go is refused all the same, as signed by a key that is not known. */
function withoutOldRevoked(keys: readonly SigningKey[], epoch: number, nowMs: number): SigningKey[] {
  const oldestFirst = keys
    .filter((key) => stateOf(key, epoch, nowMs) === 'revoked')
    .toSorted((a, b) => (a.revokedAtMs ?? 0) - (b.revokedAtMs ?? 0));
  const surplus = new Set(oldestFirst.slice(0, -MAX_REVOKED_KEYS));
  return keys.filter((key) => !surplus.has(key));
}

function retireAt<K extends RingKey>(key: K, retiresAtMs: number, tokenLifeMs: number): K {
  return { ...key, retiresAtMs, expiresAtMs: retiresAtMs + tokenLifeMs + CLOCK_MARGIN_MS };
}

/** Without the keys that nothing alive was signed by. */
function current<K extends RingKey>(keys: readonly K[], nowMs: number): K[] {
  return keys.filter((key) => key.expiresAtMs === null || nowMs < key.expiresAtMs);
}

/**
 * When the next key must be published so that it can sign when the present one has served `rotationMs`.
 * @returns null when that is not due yet, or has been done
 */
export function rotationDue(
  ring: KeyRing,
  { rotationMs, nowMs }: { rotationMs: number; nowMs: number },
): { activatesAtMs: number } | null {
  const active = activeKey(ring.signingKeys, ring.epoch, nowMs);
  if (!active || nextKey(ring.signingKeys, ring.epoch, nowMs)) return null;
  const activatesAtMs = active.activatesAtMs + rotationMs;
  if (nowMs < activatesAtMs - PUBLISH_AHEAD_MS) return null;
  return { activatesAtMs: Math.max(activatesAtMs, nowMs + PUBLISH_LEAD_MS) };
}

function revoke<K extends RingKey>(keys: readonly K[], nowMs: number): K[] {
  return current(keys, nowMs)
    .slice(-MAX_REVOKED_KEYS)
    .map((key) => revoked(key, nowMs));
}

function revoked<K extends RingKey>(key: K, nowMs: number): K {
  return {
    ...key,
    revokedAtMs: key.revokedAtMs ?? nowMs,
    expiresAtMs: key.expiresAtMs ?? nowMs + REVOKED_KEY_KEPT_MS,
  };
}

function withoutPrivateKey(key: SigningKey): SigningKey {
  return { ...key, sealedPrivateKey: null };
}

/** Where rings are kept. Throws AppError store_unavailable. */
export abstract class KeyRingStore {
  /**
   * @returns the ring, always as this tenant's own: the place says whose it is, and not what is written there. One
   * that was moved here from another tenant does not open.
   */
  abstract find(tenantId: string): Promise<KeyRing | null>;
  /** Keeps the ring if the kept one is at version `ring.version - 1` (absent counts as version 0). */
  abstract replace(ring: KeyRing): Promise<'replaced' | 'conflict'>;
}
