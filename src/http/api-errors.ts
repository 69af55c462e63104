/** Error answers in the OpenAPI document: one response per status, an example per code of the table. */
import { applyDecorators } from '@nestjs/common';
import { ApiExtraModels, ApiProperty, ApiResponse, getSchemaPath, PickType } from '@nestjs/swagger';
import { AppError, ERRORS, type ErrorAction, type ErrorAnswer, type ErrorCode } from '../errors.js';
import { OAUTH_ERRORS, toOAuthError, type OAuthError, type OAuthErrorAnswer } from './oauth-errors.js';

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

/** The body of every error answer of a route that speaks OAuth 2. */
export class OAuthErrorBody extends PickType(ErrorBody, ['error_description', 'action', 'request_id']) {
  /** RFC 6749 section 5.2. */
  @ApiProperty({ enum: OAUTH_ERRORS })
  error!: OAuthError;

  /** The row of the table of errors: more exact than `error`. */
  @ApiProperty({ enum: Object.keys(ERRORS) })
  code!: ErrorCode;
}

/** In which words a route answers errors. */
interface Words {
  readonly body: typeof ErrorBody | typeof OAuthErrorBody;
  readonly statusOf: (code: ErrorCode) => number;
  readonly answerOf: (code: ErrorCode) => ErrorAnswer | OAuthErrorAnswer;
}

const TABLE: Words = {
  body: ErrorBody,
  statusOf: (code) => ERRORS[code].status,
  answerOf: (code) => new AppError(code).answer,
};

const OAUTH: Words = {
  body: OAuthErrorBody,
  statusOf: (code) => toOAuthError(new AppError(code)).status,
  answerOf: (code) => toOAuthError(new AppError(code)).answer,
};

const CODES = 'api-error-codes';

/** Adds these codes to what the route's document already lists. */
export const ApiErrors = (...codes: ErrorCode[]) => documented(codes, TABLE);

/** The same for routes that speak OAuth 2. */
export const ApiOAuthErrors = (...codes: ErrorCode[]) => documented(codes, OAUTH);

function documented(codes: readonly ErrorCode[], words: Words): MethodDecorator {
  return (target, key, descriptor) => {
    const handler = descriptor.value as object;
    const known = (Reflect.getMetadata(CODES, handler) ?? []) as ErrorCode[];
    const added = codes.filter((code) => !known.includes(code));
    Reflect.defineMetadata(CODES, [...known, ...added], handler);
    applyDecorators(ApiExtraModels(words.body), ...responsesOf(added, known, words))(target, key, descriptor);
  };
}

/** Where a route already has a response of that status, descriptions are joined and examples replaced. */
function responsesOf(
  added: readonly ErrorCode[],
  known: readonly ErrorCode[],
  words: Words,
): MethodDecorator[] {
  const { body, statusOf, answerOf } = words;
  const byStatus = Map.groupBy(added, statusOf);
  return [...byStatus].map(([status, group]) =>
    ApiResponse({
      status,
      description: group.map((code) => `\`${code}\`: ${answerOf(code).error_description}`).join(' '),
      content: {
        'application/json': {
          schema: { $ref: getSchemaPath(body) },
          examples: examplesOf([...known.filter((code) => statusOf(code) === status), ...group], words),
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
  { answerOf }: Pick<Words, 'answerOf'> = TABLE,
): Record<string, { value: object }> {
  return Object.fromEntries(
    codes.map((code) => [code, { value: { ...answerOf(code), request_id: REQUEST_ID } }]),
  );
}
