/**
 * Who did it: what features tell is collected while a request is under way, and delivered once, with the request's
 * circumstances, when it is answered or refused. What happens outside of requests is the service's own doing, and
 * delivered at once.
 */
import { Injectable } from '@nestjs/common';
import type { FastifyRequest } from 'fastify';
import { Clock } from '../clock.js';
import type { ErrorCode } from '../errors.js';
import type { Happening } from '../happening.js';
import { RequestScope } from '../request-scope.js';

export type Actor =
  | { readonly kind: 'platform' }
  | { readonly kind: 'api_key'; readonly tenantId: string; readonly keyId: string; readonly name: string }
  /** Automatic rotation, restored revocations. */
  | { readonly kind: 'service' }
  /** Nobody known: the credential was refused, or none is needed. */
  | { readonly kind: 'anonymous' };

/** How and through whom something came to happen. */
export interface Circumstances {
  readonly atMs: number;
  readonly actor: Actor;
  /** null outside of requests. */
  readonly requestId: string | null;
  readonly sourceAddress: string | null;
  /** Free text of the caller. */
  readonly comment: string | null;
  /** What the caller was answered; a change may have happened although it was an error. */
  readonly outcome: 'ok' | ErrorCode;
}

export interface HappeningsListener {
  /** Must not throw and must not wait: the request is answered after it. */
  hear(happenings: readonly Happening[], circumstances: Circumstances): void;
  /** @throws AppError when a change must not be made now, because it could not be kept in mind */
  requireRoom?(): void;
}

const MAX_COMMENT_LENGTH = 500;

@Injectable()
export class Happenings {
  private readonly listeners: HappeningsListener[] = [];
  private readonly settled = new WeakMap<RequestScope, Circumstances>();

  constructor(private readonly clock: Clock) {}

  subscribe(listener: HappeningsListener): void {
    this.listeners.push(listener);
  }

  /** To be called when it has happened: what is told is not taken back. */
  tell(...happenings: readonly Happening[]): void {
    const scope = RequestScope.current();
    const late = scope && this.settled.get(scope);
    if (!scope) this.deliver(happenings, this.ownDoing());
    else if (late) this.deliver(happenings, late);
    else (scope.told ??= []).push(...happenings);
  }

  /** Before a change. @throws AppError store_unavailable */
  requireRoom(): void {
    for (const listener of this.listeners) listener.requireRoom?.();
  }

  /** The request was answered with success. */
  answered(request: FastifyRequest): void {
    const scope = RequestScope.current();
    if (scope?.told) this.settle(scope, scope.told, this.circumstancesOf(request, 'ok'));
  }

  /** The request was answered with this error. */
  refused(request: FastifyRequest, code: ErrorCode): void {
    const scope = RequestScope.current();
    const circumstances = this.circumstancesOf(request, code);
    const tenantId = 'tenantId' in circumstances.actor ? circumstances.actor.tenantId : null;
    this.settle(scope, [...(scope?.told ?? []), { kind: 'refused', code, tenantId }], circumstances);
  }

  private settle(
    scope: RequestScope | undefined,
    happenings: readonly Happening[],
    circumstances: Circumstances,
  ): void {
    if (scope) {
      scope.told = undefined;
      this.settled.set(scope, circumstances);
    }
    this.deliver(happenings, circumstances);
  }

  private deliver(happenings: readonly Happening[], circumstances: Circumstances): void {
    for (const listener of this.listeners) listener.hear(happenings, circumstances);
  }

  private circumstancesOf(request: FastifyRequest, outcome: Circumstances['outcome']): Circumstances {
    return {
      atMs: this.clock.nowMs(),
      actor: actorOf(request),
      requestId: request.id,
      sourceAddress: request.ip,
      comment: commentOf(request.body) ?? commentOf(request.query),
      outcome,
    };
  }

  private ownDoing(): Circumstances {
    return {
      atMs: this.clock.nowMs(),
      actor: { kind: 'service' },
      requestId: null,
      sourceAddress: null,
      comment: null,
      outcome: 'ok',
    };
  }
}

function actorOf({ principal }: FastifyRequest): Actor {
  if (!principal) return { kind: 'anonymous' };
  if (principal.kind === 'platform') return { kind: 'platform' };
  const { tenantId, keyId, keyName } = principal;
  return { kind: 'api_key', tenantId, keyId, name: keyName };
}

/** As the caller sent it: a request that was refused may not have been validated. */
function commentOf(source: unknown): string | null {
  const { comment } = (source ?? {}) as { comment?: unknown };
  if (typeof comment !== 'string' || comment === '') return null;
  return comment.toWellFormed().slice(0, MAX_COMMENT_LENGTH);
}
