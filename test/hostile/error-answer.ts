/** What every refusal looks like: a row of the table of errors, and nothing else. */
import { expect } from '@jest/globals';
import { AppError, ERRORS, type ErrorCode } from '../../src/errors.js';
import { toOAuthError } from '../../src/http/oauth-errors.js';

export interface Refusal {
  readonly status: number;
  readonly headers: { get(name: string): string | null };
  readonly body: unknown;
}

const isCode = (text: unknown): text is ErrorCode => typeof text === 'string' && Object.hasOwn(ERRORS, text);

/** A row of the table, in OAuth's words where it says `code`. @param sent goes into the message of a failure */
export function expectTableError({ status, headers, body }: Refusal, sent: unknown): void {
  const { error, code, valid, action, ...rest } = (body ?? {}) as Record<string, unknown>;
  const name = code ?? error;
  if (!isCode(name)) {
    expect({ sent, status, body }).toEqual({ sent, status, body: 'a row of the table of errors' });
    return;
  }
  const row = ERRORS[name];
  const oauth = toOAuthError(new AppError(name));
  expect({ sent, status, error, ...rest }).toEqual({
    sent,
    status: code === undefined ? row.status : oauth.status,
    error: code === undefined ? name : oauth.answer.error,
    error_description: expect.stringMatching(/^\S.*\.$/),
    request_id: headers.get('x-request-id'),
  });
  // A refresh that cannot succeed sends the user to the login.
  expect([row.action, 'reauthenticate']).toContain(action);
  expect([undefined, false]).toContain(valid);
}

/** Neither done nor a fault of ours. */
export function expectClientError(answer: Refusal, sent: unknown): void {
  const { status } = answer;
  expect({ sent, status, isClientError: status >= 400 && status < 500 }).toMatchObject({
    sent,
    isClientError: true,
  });
  expectTableError(answer, sent);
}

/** 400 and no reason but the request itself. */
export function expectInvalid(answer: Refusal, sent: unknown): void {
  expectTableError(answer, sent);
  expect({ sent, body: answer.body }).toMatchObject({
    sent,
    body: { error: 'invalid_request', action: 'fix_request' },
  });
}
