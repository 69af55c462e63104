/** The 401 of validation in the OpenAPI document: a refused token is told apart from a refused API key. */
import { applyDecorators } from '@nestjs/common';
import { ApiExtraModels, ApiResponse, getSchemaPath, type ApiResponseOptions } from '@nestjs/swagger';
import { ErrorBody, examplesOf } from '../http/api-errors.js';
import { InvalidDto } from './session-answer.dto.js';

const TOKEN_ERRORS = ['invalid_token', 'invalid_signature', 'token_expired', 'token_revoked'] as const;

type Headers = NonNullable<ApiResponseOptions['headers']>;

const header = (description: string, example: string): Headers[string] => ({
  description,
  schema: { type: 'string', example },
});

/** Of a refusal to a gateway. */
export const BEARER_CHALLENGE: Headers = {
  'WWW-Authenticate': header(
    'RFC 6750. Without `error` when no token was sent; missing when the API key was refused.',
    'Bearer realm="acme", error="invalid_token", error_description="The token has expired."',
  ),
  'X-Session-Error': header('The `error` of the body, for gateways that drop bodies.', 'token_expired'),
};

/** Of an acceptance to a gateway. */
export const IDENTITY_HEADERS: Headers = {
  'X-Session-User': header('The user, percent-encoded UTF-8.', 'user-42'),
  'X-Session-Tenant': header('The tenant.', 'acme'),
  'X-Session-Id': header('The session.', 'Zk3fq8J0pX2vT5sYb1cWnA0mRe'),
  'X-Session-Scope': header('Words separated by single spaces; may be empty.', 'read write'),
  'X-Session-Checked': header(
    'What was gone by: `replica`, `store`, `skip` or `stale`, as `checked` of a validation.',
    'replica',
  ),
};

/** Stands above the access policy, whose 401 it replaces. */
export function ApiRefusedToken({ headers = {} }: { headers?: Headers } = {}): MethodDecorator {
  const refusedTokens = Object.entries(examplesOf(TOKEN_ERRORS)).map(
    ([code, { value }]) => [code, { value: { valid: false, ...value } }] as const,
  );
  return applyDecorators(
    ApiExtraModels(InvalidDto, ErrorBody),
    ApiResponse({
      status: 401,
      description: 'Or the token is refused: then `valid` is false. A refused API key has no `valid`.',
      ...(Object.keys(headers).length > 0 ? { headers } : {}),
      content: {
        'application/json': {
          schema: { oneOf: [{ $ref: getSchemaPath(InvalidDto) }, { $ref: getSchemaPath(ErrorBody) }] },
          examples: { ...Object.fromEntries(refusedTokens), ...examplesOf(['unauthorized']) },
        },
      },
    }),
  );
}
