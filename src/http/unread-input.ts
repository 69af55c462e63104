/**
 * What a route does not read is refused, not dropped: a reason in the body of a DELETE, or a check in the query of a
 * POST, was meant to count. What a route reads is what its handler's decorators name.
 */
import { SetMetadata, type ExecutionContext } from '@nestjs/common';
import { ROUTE_ARGS_METADATA } from '@nestjs/common/constants.js';
import { RouteParamtypes } from '@nestjs/common/enums/route-paramtypes.enum.js';
import type { FastifyRequest } from 'fastify';
import { AppError } from '../errors.js';

interface Reads {
  readonly query: boolean;
  readonly body: boolean;
}

const PASSED_ON = 'passed-on';

/** For a route to which gateways pass on what others sent: that is not for this service to read. */
export const PassedOn = () => SetMetadata(PASSED_ON, true);

const known = new WeakMap<Function, Reads>();

/** @throws AppError invalid_request */
export function refuseUnreadInput(context: ExecutionContext, request: FastifyRequest): void {
  const handler = context.getHandler();
  let reads = known.get(handler);
  if (!reads) known.set(handler, (reads = readsOf(context.getClass(), handler)));
  if (!reads.query && hasMembers(request.query)) {
    throw new AppError('invalid_request', { description: 'This call takes no query.' });
  }
  if (!reads.body && hasMembers(request.body)) {
    throw new AppError('invalid_request', { description: 'This call takes no body.' });
  }
}

/** Nest keeps the decorated arguments of a handler under names such as `3:0`: what it is, and in which place. */
function readsOf(controller: Function, handler: Function): Reads {
  if (Reflect.getMetadata(PASSED_ON, handler) === true) return { query: true, body: true };
  const args = Reflect.getMetadata(ROUTE_ARGS_METADATA, controller, handler.name) as object | undefined;
  const kinds = new Set(Object.keys(args ?? {}).map((name) => Number(name.split(':')[0])));
  return { query: kinds.has(RouteParamtypes.QUERY), body: kinds.has(RouteParamtypes.BODY) };
}

function hasMembers(value: unknown): boolean {
  for (const _ in value as object | undefined) return true;
  return false;
}
