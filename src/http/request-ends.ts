/**
 * Where every request ends exactly once: answered by whomever, refused by the guard, without a route, too large,
 * broken, or left by its client. Interceptors see only some of these, so what must count each request listens here.
 */
import { Injectable } from '@nestjs/common';
import type { FastifyReply, FastifyRequest } from 'fastify';
import type { ErrorCode, TokenErrorCode } from '../errors.js';
import { routeOf } from './access.js';

declare module 'fastify' {
  interface FastifyRequest {
    /** The error that it was answered with, if any: noted by the error filter. */
    refusedWith?: ErrorCode;
    /** What a validation found, which is an answer also where the status is 401. */
    validated?: ValidationNote;
    /** When its answer began, if that goes on for as long as the client stays; of performance.now(). */
    streamsSinceMs?: number;
  }
}

export interface ValidationNote {
  /** What an acceptance went by; for a refusal, what the caller asked for. */
  readonly check: 'replica' | 'store' | 'skip' | 'stale';
  readonly result: 'valid' | TokenErrorCode | 'insufficient_scope';
}

/** The answer to a client that did not wait for one; the number that proxies use in their logs. */
const LEFT_BY_ITS_CLIENT = 499;

export interface EndedRequest {
  readonly request: FastifyRequest;
  /** The template of the matched route, such as `/tenants/:id`, or `unmatched`: never what the client sent. */
  readonly route: string;
  /** `OTHER` for those that no route of ours has. */
  readonly method: string;
  readonly status: number;
  /** From the head's arrival to the end of the answer; of a stream, to its beginning. */
  readonly seconds: number;
  /** How long a stream lasted. */
  readonly streamedSeconds?: number;
}

export type RequestListener = (ended: EndedRequest) => void;

const METHODS = new Set(['GET', 'POST', 'PUT', 'PATCH', 'DELETE', 'HEAD', 'OPTIONS']);

@Injectable()
export class RequestEnds {
  private readonly listeners: RequestListener[] = [];

  listen(listener: RequestListener): void {
    this.listeners.push(listener);
  }

  /** Call it once for each request, as early as it is known. */
  watch(request: FastifyRequest, reply: FastifyReply): void {
    const beganAtMs = performance.now();
    // Not fastify's onResponse: that one hears nothing of clients that leave.
    reply.raw.once('close', () => this.end(request, reply, beganAtMs));
  }

  private end(request: FastifyRequest, reply: FastifyReply, beganAtMs: number): void {
    const { method, streamsSinceMs } = request;
    const nowMs = performance.now();
    // Who leaves a stream has had its answer.
    const isAnswered = reply.raw.writableFinished || streamsSinceMs !== undefined;
    const ended: EndedRequest = {
      request,
      route: routeOf(request).template ?? 'unmatched',
      method: METHODS.has(method) ? method : 'OTHER',
      status: isAnswered ? reply.raw.statusCode : LEFT_BY_ITS_CLIENT,
      seconds: ((streamsSinceMs ?? nowMs) - beganAtMs) / 1000,
      ...(streamsSinceMs === undefined ? {} : { streamedSeconds: (nowMs - streamsSinceMs) / 1000 }),
    };
    for (const listener of this.listeners) listener(ended);
  }
}
