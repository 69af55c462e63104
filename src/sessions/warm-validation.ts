/**
 * The short way through a validation: what memory can answer at once is answered before the framework's router, whose
 * promises cost more than all of the work. It answers what guard, DTO and controller would, by their own rules; whatever
 * it does not take goes to them, untouched. Measured in docs/performance.md.
 */
import { Injectable } from '@nestjs/common';
import type { FastifyReply, FastifyRequest } from 'fastify';
import { certainlyObeys } from '../http/compiled-dto.js';
import { AccessGuard } from '../tenants/access.guard.js';
import { toValidationDto, type InvalidDto, type ValidDto } from './session-answer.dto.js';
import { ValidateDto } from './session.dto.js';
import { SessionsService, type RevocationCheck, type Validation } from './sessions.service.js';

const JSON_TEXT = 'application/json; charset=utf-8';

@Injectable()
export class WarmValidation {
  constructor(
    private readonly guard: AccessGuard,
    private readonly sessions: SessionsService,
  ) {}

  /** A fastify hook behind the body's arrival. */
  enter(request: FastifyRequest, reply: FastifyReply, done: () => void): void {
    if (!this.answer(request, reply)) done();
  }

  /** @returns whether it did */
  private answer(request: FastifyRequest, reply: FastifyReply): boolean {
    const caller = this.guard.recallAdmitted(request);
    const { body } = request;
    if (!caller || request.url.includes('?') || !certainlyObeys(ValidateDto, body)) return false;
    const { access_token: token, revocation_check: wanted } = body as ValidateDto;
    const check = wanted ?? 'replica'; // null too
    const validation = this.sessions.validateHere(caller, token, check);
    if (!validation) return false;
    const answer = answerValidation(validation, check, { request, reply });
    void reply.header('content-type', JSON_TEXT).send(JSON.stringify(answer));
    return true;
  }
}

/** Sets the status, and notes for metrics and log what was found. @returns the body */
export function answerValidation(
  validation: Validation,
  check: RevocationCheck,
  { request, reply }: { request: FastifyRequest; reply: FastifyReply },
): ValidDto | InvalidDto {
  if (!validation.valid) void reply.status(401);
  request.validated = validation.valid
    ? { check: validation.revocation.checked, result: 'valid' }
    : { check, result: validation.error };
  return toValidationDto(validation, request.id);
}
