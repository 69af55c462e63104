/** For races: many rounds, contenders that start some turns of the event loop apart, and what became of them. */
import { setImmediate as turn } from 'node:timers/promises';
import { AppError, type ErrorCode } from '../../src/errors.js';
import { SCOPES } from '../../src/http/access.js';
import type { TenantPrincipal } from '../../src/http/principal.js';
import type { IssuedTokens } from '../../src/sessions/session-tokens.js';
import type { SessionsService } from '../../src/sessions/sessions.service.js';
import type { TestTenant } from './test-service.js';

const ROUNDS_AT_ONCE = 10;

/** A race that has had one outcome only in so many times the rounds is no race. */
const PATIENCE = 10;

/** Runs `round` this many times, some of them at once, and then more often until `isEnough`. */
export async function rounds(
  count: number,
  round: (number: number) => Promise<void>,
  isEnough: () => boolean = () => true,
): Promise<void> {
  for (let first = 0; first < count || (!isEnough() && first < PATIENCE * count); first += ROUNDS_AT_ONCE) {
    const numbers = Array.from(
      { length: first < count ? Math.min(ROUNDS_AT_ONCE, count - first) : ROUNDS_AT_ONCE },
      (_, at) => first + at,
    );
    await Promise.all(numbers.map((number) => round(number)));
  }
}

/** Starts `work` that many turns of the event loop from now. */
export async function after<T>(turns: number, work: () => Promise<T>): Promise<T> {
  for (let left = turns; left > 0; left--) await turn();
  return work();
}

/** A whole number below `limit`; nothing depends on which. */
export const anyBelow = (limit: number): number => Math.floor(Math.random() * limit);

export const times = <T>(count: number, make: (at: number) => T): T[] =>
  Array.from({ length: count }, (_, at) => make(at));

/** A caller with every scope, as the guard would have recognised it. */
export function callerOf({ tenantId }: TestTenant): TenantPrincipal {
  return { kind: 'tenant', tenantId, keyId: 'test', keyName: 'test', scopes: SCOPES };
}

/** @returns the tokens, or the code of the refusal; anything else that is thrown is thrown on */
export async function refreshOrCode(
  sessions: SessionsService,
  caller: TenantPrincipal,
  token: string,
): Promise<IssuedTokens | ErrorCode> {
  try {
    return await sessions.refresh(caller, token);
  } catch (error) {
    if (error instanceof AppError) return error.code;
    throw error;
  }
}

/** What can still be done with a session: each of these is true or false of it as a whole. */
export async function lifeOf(
  sessions: SessionsService,
  caller: TenantPrincipal,
  userId: string,
  tokens: IssuedTokens,
): Promise<{ listed: boolean; validates: boolean; refreshes: boolean }> {
  const list = await sessions.list(caller, { tenantId: caller.tenantId, userId });
  const { valid } = await sessions.validate(caller, tokens.accessToken, 'store');
  const refreshed = await refreshOrCode(sessions, caller, tokens.refreshToken);
  return {
    listed: list.some(({ sessionId }) => sessionId === tokens.sessionId),
    validates: valid,
    refreshes: typeof refreshed !== 'string',
  };
}

export const ALIVE = { listed: true, validates: true, refreshes: true };
export const DEAD = { listed: false, validates: false, refreshes: false };
