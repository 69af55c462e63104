/** The 401 of validation in the OpenAPI document: a refused token is told apart from a refused API key. */
import { applyDecorators } from '@nestjs/common';
import { ApiExtraModels, ApiResponse, getSchemaPath } from '@nestjs/swagger';
import { ErrorBody, examplesOf } from '../http/api-errors.js';
import { InvalidDto } from './session-answer.dto.js';

const TOKEN_ERRORS = ['invalid_token', 'invalid_signature', 'token_expired', 'token_revoked'] as const;

/** Stands above the access policy, whose 401 it replaces. */
export function ApiRefusedToken(): MethodDecorator {
  const refusedTokens = Object.entries(examplesOf(TOKEN_ERRORS)).map(
    ([code, { value }]) => [code, { value: { valid: false, ...value } }] as const,
  );
  return applyDecorators(
    ApiExtraModels(InvalidDto, ErrorBody),
    ApiResponse({
      status: 401,
      description: 'Or the token is refused: then `valid` is false. A refused API key has no `valid`.',
      content: {
        'application/json': {
          schema: { oneOf: [{ $ref: getSchemaPath(InvalidDto) }, { $ref: getSchemaPath(ErrorBody) }] },
          examples: { ...Object.fromEntries(refusedTokens), ...examplesOf(['unauthorized']) },
        },
      },
    }),
  );
}
