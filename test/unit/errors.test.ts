import { HttpException, NotFoundException } from '@nestjs/common';
import { describe, expect, test } from '@jest/globals';
import { AppError, ERRORS, type ErrorCode } from '../../src/errors.js';
import { toAppError } from '../../src/http/error.filter.js';

const isCode = (text: string): text is ErrorCode => text in ERRORS;
const ROWS = Object.keys(ERRORS)
  .filter(isCode)
  .map((code) => ({ code, ...ERRORS[code] }));

const fastifyError = (statusCode: number): Error => Object.assign(new Error('secret'), { statusCode });

describe('the table of errors', () => {
  test('has the documented codes and statuses', () => {
    expect(Object.fromEntries(ROWS.map(({ code, status }) => [code, status]))).toEqual({
      invalid_request: 400,
      unsupported_grant_type: 400,
      unauthorized: 401,
      insufficient_scope: 403,
      tenant_suspended: 403,
      not_found: 404,
      tenant_not_found: 404,
      session_not_found: 404,
      tenant_exists: 409,
      invalid_token: 401,
      invalid_signature: 401,
      token_expired: 401,
      token_revoked: 401,
      refresh_token_not_found: 401,
      refresh_token_reused: 401,
      payload_too_large: 413,
      unsupported_media_type: 415,
      rate_limited: 429,
      internal_error: 500,
      store_unavailable: 503,
    });
  });

  test.each(ROWS)('$code says what it is in a sentence', ({ description }) => {
    expect(description).toMatch(/^[A-Z].*\.$/);
  });

  test.each(ROWS.filter(({ status }) => status >= 500))('$code never logs anybody out', ({ action }) => {
    expect(['retry', 'contact_operator']).toContain(action);
  });

  test.each(ROWS.filter(({ code }) => code.includes('token') || code === 'invalid_signature'))(
    '$code tells the client how to get a good token',
    ({ status, action }) => {
      expect(status).toBe(401);
      expect(['refresh', 'reauthenticate']).toContain(action);
    },
  );
});

describe('an error of the table', () => {
  test.each(ROWS)('$code answers with its row', ({ code, status, action, description }) => {
    const error = new AppError(code);
    expect(error).toMatchObject({ code, status, message: description });
    expect(error.answer).toEqual({ error: code, error_description: description, action });
  });

  test('may say it in other words and ask for another action', () => {
    const error = new AppError('token_expired', { description: 'Too old.', action: 'reauthenticate' });
    expect(error.answer).toEqual({
      error: 'token_expired',
      error_description: 'Too old.',
      action: 'reauthenticate',
    });
    expect(error.status).toBe(401);
  });

  test('keeps its cause to itself', () => {
    const cause = new Error('connect ECONNREFUSED 10.0.0.7:6379');
    const error = new AppError('store_unavailable', { cause });
    expect(error.cause).toBe(cause);
    expect(JSON.stringify(error.answer)).not.toContain('10.0.0.7');
    expect(error.message).not.toContain('10.0.0.7');
  });
});

describe('a failure of any other kind', () => {
  test.each<[string, unknown, ErrorCode]>([
    ['an error of the table', new AppError('tenant_exists'), 'tenant_exists'],
    ['an unknown address', new NotFoundException(), 'not_found'],
    ['a method that is not allowed', fastifyError(405), 'not_found'],
    ['a body that is too large', fastifyError(413), 'payload_too_large'],
    ['a content type that is not known', fastifyError(415), 'unsupported_media_type'],
    ['too many requests', new HttpException('secret', 429), 'rate_limited'],
    ['a broken body', fastifyError(400), 'invalid_request'],
    ['any other 4xx', fastifyError(431), 'invalid_request'],
    ['a 5xx of the framework', new HttpException('secret', 502), 'internal_error'],
    ['an error of ours', new TypeError('secret'), 'internal_error'],
    ['a status that is no number', { statusCode: '404' }, 'internal_error'],
    ['a text', 'secret', 'internal_error'],
    ['nothing', undefined, 'internal_error'],
    ['null', null, 'internal_error'],
  ])('%s becomes a row of the table, without its words', (_, exception, code) => {
    const error = toAppError(exception);
    expect(error.code).toBe(code);
    expect(JSON.stringify(error.answer)).not.toContain('secret');
  });

  test('keeps the original as the cause of an internal error', () => {
    const original = new TypeError('x is not a function');
    expect(toAppError(original).cause).toBe(original);
  });
});
