/** Rings of keys that are only names: for the rules, which look at times and never into a key. */
import { emptyRing, nextEpoch, type FreshKeys, type KeyRing } from '../../src/keys/key-ring.js';

/** At a whole second: tokens count in seconds. */
export const T0 = 1_800_000_000_000;
export const SECOND = 1000;
export const MINUTE = 60 * SECOND;
export const HOUR = 60 * MINUTE;
export const DAY = 24 * HOUR;

/** The longest life of an access token, and the minute by which clocks may differ. */
export const ACCESS_KEPT = DAY + MINUTE;
export const REFRESH_KEPT = 365 * DAY + MINUTE;

export const named = (name: string): FreshKeys => ({
  wrappedDataKey: 'wrapped',
  signingKey: { kid: `s-${name}`, publicKey: `public-${name}`, sealedPrivateKey: `sealed-${name}` },
  refreshSecret: { kid: `r-${name}`, sealedSecret: `secret-${name}` },
});

export const firstRing = (): KeyRing => nextEpoch(emptyRing('acme'), named('1'), T0);
