/**
 * How live sessions are counted without looking for them: those that expire at about the same time are counted
 * together, so a session that nobody ends leaves the count by itself when its time is over. Stores keep a number for
 * each tenant, epoch and end; a session that is refreshed moves from one number to another.
 */
import type { Session } from './session.js';

const MINUTE_MS = 60_000;
const HOUR_MS = 60 * MINUTE_MS;
const DAY_MS = 24 * HOUR_MS;
/** Few, so that a tenant has a few hundred numbers at most, whatever its settings are or were. */
const WIDTHS_MS = [7 * DAY_MS, DAY_MS, 12 * HOUR_MS, 2 * HOUR_MS, HOUR_MS / 2, 5 * MINUTE_MS, MINUTE_MS];
/** A session is counted for at most this part of its idle life too long (or for a minute). */
const PRECISION = 1 / 40;

/** What of a session says where it is counted. */
export interface Counted {
  readonly epoch: number;
  readonly idleExpiresAtMs: number;
  readonly rotatedAtMs: number;
}

export function countedOf({ epoch, idleExpiresAtMs, rotation: { rotatedAtMs } }: Session): Counted {
  return { epoch, idleExpiresAtMs, rotatedAtMs };
}

/** When the session leaves the count unless it is refreshed or ended: a little after it has expired, never before. */
export function countedUntilMs({ idleExpiresAtMs, rotatedAtMs }: Counted): number {
  const wantedMs = (idleExpiresAtMs - rotatedAtMs) * PRECISION;
  const widthMs = WIDTHS_MS.find((width) => width <= wantedMs) ?? MINUTE_MS;
  return Math.ceil(idleExpiresAtMs / widthMs) * widthMs;
}
