/** The form that a client sent, for handlers: parameters that are not known are ignored (RFC 6749 section 3.2). */
import { createParamDecorator, type ExecutionContext } from '@nestjs/common';
import type { FastifyRequest } from 'fastify';
import { AppError } from '../errors.js';
import { FormBody } from '../http/strict-form.js';

const EMPTY = new FormBody(new Map());

/** An empty one where nothing was sent. */
export const Form = createParamDecorator((_: unknown, context: ExecutionContext): FormBody => {
  const { body } = context.switchToHttp().getRequest<FastifyRequest>();
  return body instanceof FormBody ? body : EMPTY;
});

/** @throws AppError invalid_request */
export function required(form: FormBody, name: string): string {
  const value = form.get(name);
  if (value === undefined) throw new AppError('invalid_request', { description: `${name} is required.` });
  return value;
}
