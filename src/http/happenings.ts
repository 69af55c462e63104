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
import { portionsOf } from '../in-portions.js';
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
/** Each is a line in the log, about 10 µs. */
const TOLD_AT_ONCE = 100;

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

  /** The request is to be answered with success. @returns when the answer may leave, unless it may at once */
  answered(request: FastifyRequest): Promise<void> | undefined {
    const scope = RequestScope.current();
    if (!scope?.told) return undefined;
    const { told } = scope;
    const circumstances = this.settle(scope, this.circumstancesOf(request, 'ok'));
    if (told.length > TOLD_AT_ONCE) return this.deliverInPortions(told, circumstances);
    this.deliver(told, circumstances);
    return undefined;
  }

  /** The request was answered with this error. */
  refused(request: FastifyRequest, code: ErrorCode): void {
    const scope = RequestScope.current();
    const told = scope?.told ?? [];
    const circumstances = this.settle(scope, this.circumstancesOf(request, code));
    const tenantId = 'tenantId' in circumstances.actor ? circumstances.actor.tenantId : null;
    this.deliver([...told, { kind: 'refused', code, tenantId }], circumstances);
  }

  /** From here on the request's happenings are delivered as they are told. */
  private settle(scope: RequestScope | undefined, circumstances: Circumstances): Circumstances {
    if (scope) {
      scope.told = undefined;
      this.settled.set(scope, circumstances);
    }
    return circumstances;
  }

  private deliver(happenings: readonly Happening[], circumstances: Circumstances): void {
    for (const listener of this.listeners) listener.hear(happenings, circumstances);
  }

  /** A turn for other requests comes between. */
  private async deliverInPortions(
    happenings: readonly Happening[],
    circumstances: Circumstances,
  ): Promise<void> {
    for await (const portion of portionsOf(happenings, TOLD_AT_ONCE)) this.deliver(portion, circumstances);
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
