/** Error answers in the OpenAPI document: one response per status, an example per code of the table. */
import { applyDecorators } from '@nestjs/common';
import { ApiExtraModels, ApiProperty, ApiResponse, getSchemaPath } from '@nestjs/swagger';
import { ERRORS, type ErrorAction, type ErrorAnswer, type ErrorCode } from '../errors.js';

const REQUEST_ID = '5f0c2a4e-6d0b-4d0e-9c55-0f6f3f1f8a11';

/** The body of every error answer. */
export class ErrorBody {
  @ApiProperty({ enum: Object.keys(ERRORS) })
  error!: ErrorCode;

  /** A sentence for the developer who reads it; its wording may change. */
  @ApiProperty({ type: String, example: ERRORS.invalid_request.description })
  error_description!: string;

  /** What the client should do next. */
  @ApiProperty({ enum: ['retry', 'refresh', 'reauthenticate', 'fix_request', 'contact_operator'] })
  action!: ErrorAction;

  /** Also in the X-Request-Id header and in the log. */
  @ApiProperty({ type: String, example: REQUEST_ID })
  request_id!: string;
}

const CODES = 'api-error-codes';

/** Adds these codes to what the route's document already lists. */
export function ApiErrors(...codes: ErrorCode[]): MethodDecorator {
  return (target, key, descriptor) => {
    const handler = descriptor.value as object;
    const known = (Reflect.getMetadata(CODES, handler) ?? []) as ErrorCode[];
    const added = codes.filter((code) => !known.includes(code));
    Reflect.defineMetadata(CODES, [...known, ...added], handler);
    applyDecorators(ApiExtraModels(ErrorBody), ...responsesOf(added, known))(target, key, descriptor);
  };
}

/** Where a route already has a response of that status, descriptions are joined and examples replaced. */
function responsesOf(added: readonly ErrorCode[], known: readonly ErrorCode[]): MethodDecorator[] {
  const byStatus = Map.groupBy(added, (code) => ERRORS[code].status);
  return [...byStatus].map(([status, group]) =>
    ApiResponse({
      status,
      description: group.map((code) => `\`${code}\`: ${ERRORS[code].description}`).join(' '),
      content: {
        'application/json': {
          schema: { $ref: getSchemaPath(ErrorBody) },
          examples: examplesOf([...known.filter((code) => ERRORS[code].status === status), ...group]),
        },
      },
      ...(status === 503 || status === 429
        ? { headers: { 'Retry-After': { description: 'Seconds to wait.', schema: { type: 'integer' } } } }
        : {}),
    }),
  );
}

/** For an operation's `examples`, by code. */
export function examplesOf(
  codes: readonly ErrorCode[],
): Record<string, { value: ErrorAnswer & { readonly request_id: string } }> {
  return Object.fromEntries(codes.map((code) => [code, { value: exampleOf(code) }]));
}

function exampleOf(code: ErrorCode): ErrorAnswer & { readonly request_id: string } {
  const { description, action } = ERRORS[code];
  return {
    error: code,
    error_description: description,
    action,
    request_id: REQUEST_ID,
  };
}
