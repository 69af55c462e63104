/** What a validation is answered with. */
import type { FastifyRequest } from 'fastify';
import { toValidationDto, type InvalidDto, type ValidDto } from './session-answer.dto.js';
import type { RevocationCheck, Validation } from './validation.js';

export interface ValidationAnswer {
  readonly status: 200 | 401;
  readonly body: ValidDto | InvalidDto;
}

export function answerValidation(
  validation: Validation,
  check: RevocationCheck,
  request: FastifyRequest,
): ValidationAnswer {
  const status = noteValidation(validation, check, request);
  return { status, body: toValidationDto(validation, request.id) };
}

/** Notes for metrics and log what was found. @returns the status that says it */
export function noteValidation(
  validation: Validation,
  check: RevocationCheck,
  request: FastifyRequest,
): ValidationAnswer['status'] {
  request.validated = validation.valid
    ? { check: validation.revocation.checked, result: 'valid' }
    : { check, result: validation.error };
  return validation.valid ? 200 : 401;
}
