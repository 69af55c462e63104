/** Forms and credentials of OAuth clients that are not as they should be, at every route that takes forms. */
import { beforeAll, describe, expect, test } from '@jest/globals';
import { ERRORS, type ErrorCode } from '../../src/errors.js';
import { toOAuthError } from '../../src/http/oauth-errors.js';
import { AppError } from '../../src/errors.js';
import { useService } from '../e2e/use-service.js';
import { STORES, type HttpAnswer, type TestTenant } from '../support/test-service.js';
import { FORM_ROUTES, type Target } from './route-bodies.js';

const FORM = 'application/x-www-form-urlencoded';

/** A row of the table in OAuth's words, and nothing else. */
function expectOAuthError({ status, headers, body }: HttpAnswer, sent: unknown): void {
  const code = body['code'] as ErrorCode;
  expect({ sent, known: Object.hasOwn(ERRORS, code) }).toEqual({ sent, known: true });
  const { status: due, answer } = toOAuthError(new AppError(code));
  expect({ sent, status, body }).toEqual({
    sent,
    status: due,
    body: {
      error: answer.error,
      // RFC 6749 section 5.2.
      error_description: expect.stringMatching(/^[\x20-\x21\x23-\x5b\x5d-\x7e]+\.$/),
      code,
      action: expect.stringMatching(/^(fix_request|reauthenticate|contact_operator)$/),
      request_id: headers.get('x-request-id'),
    },
  });
}

describe.each(STORES)('forms that are not as they should be on $name', ({ prepare }) => {
  const service = useService(prepare);
  let acme: TestTenant;
  let target: Target;

  beforeAll(async () => {
    acme = await service().tenant();
    target = { acme, session: await service().createSession(acme, { user_id: 'target' }) };
  });

  describe.each(Object.entries(FORM_ROUTES))('%s', (name, formOf) => {
    const path = () => (name.split(' ')[1] ?? '').replace(':id', acme.tenantId);
    const good = () => new URLSearchParams(formOf(target)).toString();
    const send = (body: string | Buffer, headers: Record<string, string> = {}) =>
      service().call('POST', path(), {
        apiKey: acme.apiKey,
        body,
        headers: { 'content-type': FORM, ...headers },
      });
    /** What went wrong, for a request that must be refused for its form. */
    const expectInvalid = async (body: string | Buffer) => {
      const answer = await send(body);
      expectOAuthError(answer, body);
      expect({ body, code: answer.body['code'] }).toEqual({ body, code: 'invalid_request' });
    };

    test('refuses what has more than one reading', async () => {
      const [[parameter, value] = ['', '']] = Object.entries(formOf(target));
      for (const body of [
        `${good()}&${parameter}=${value}`,
        `${good()}&${parameter}=other`,
        `${good()}&${parameter}`,
        `${parameter}=&${good()}`,
        `${good()}&%${parameter.charCodeAt(0).toString(16)}${parameter.slice(1)}=other`,
        `${good()}&foo=1&foo=2`,
        `${good()}&`,
        `&${good()}`,
        `${good()}\n`,
        ` ${good()}`,
        `${good()}&x=%ff`,
        `${good()}&x=%`,
        `${good()}&x=é`,
        `${good()}&=1`,
        Buffer.from(good(), 'utf16le'),
        Buffer.from(`\ufeff${good()}`),
        Buffer.concat([Buffer.from(`${good()}&x=`), Buffer.from([0xff])]),
        `${good()}${'&x'.repeat(40)}`,
        '&'.repeat(60_000),
        '%'.repeat(60_000),
      ]) {
        await expectInvalid(body);
      }
    });

    test('refuses what has not what is needed', async () => {
      for (const body of ['', 'foo=1', '__proto__=1', 'constructor=1', 'token[]=x', 'Token=x', 'token.x=y']) {
        await expectInvalid(body);
      }
      for (const needed of Object.keys(formOf(target)).filter((of) => of !== 'token_type_hint')) {
        const form = new URLSearchParams(formOf(target));
        form.set(needed, '');
        await expectInvalid(form.toString());
        form.delete(needed);
        await expectInvalid(form.toString());
      }
    });

    test('refuses a query: what it reads is the form', async () => {
      for (const query of ['?unread=1', '?token=x', '?grant_type=refresh_token']) {
        const answer = await service().call('POST', path() + query, {
          apiKey: acme.apiKey,
          body: good(),
          headers: { 'content-type': FORM },
        });
        expectOAuthError(answer, query);
        expect(answer.body['code']).toBe('invalid_request');
      }
    });

    test('takes no other content type, whatever is in it', async () => {
      for (const type of [
        'application/json',
        'text/plain',
        'multipart/form-data; boundary=x',
        'application/x-www-form-urlencoded, application/json',
        'application/x-www-form-urlencodedx',
        'nonsense',
      ]) {
        for (const body of [good(), JSON.stringify(formOf(target))]) {
          const answer = await send(body, { 'content-type': type });
          expectOAuthError(answer, type);
          expect({ type, code: answer.body['code'] }).toEqual({ type, code: 'unsupported_media_type' });
        }
      }
    });

    test('refuses what is too large, before anything is read into it', async () => {
      const answer = await send(`token=${'x'.repeat(70_000)}`);
      expectOAuthError(answer, 'large');
      expect(answer).toMatchObject({ status: 413, body: { error: 'invalid_request' } });
    });

    test('has no 5xx for any value of any parameter', async () => {
      for (const parameter of Object.keys(formOf(target))) {
        for (const value of [
          '\0',
          '\r\nx: y',
          '\u202e',
          'a.b.c',
          '*',
          '{}',
          'x'.repeat(20_000),
          "' OR 1",
          '..',
        ]) {
          const answer = await send(
            new URLSearchParams({ ...formOf(target), [parameter]: value }).toString(),
          );
          expect({ parameter, value: value.slice(0, 20), isFine: answer.status < 500 }).toMatchObject({
            isFine: true,
          });
          if (answer.status !== 200) expectOAuthError(answer, value);
          // Nothing that was sent comes back.
          if (value.length > 5) expect(JSON.stringify(answer.body)).not.toContain(value);
        }
      }
    });

    test('takes credentials of no query, cookie or member of another name', async () => {
      const { apiKey } = acme;
      const id = apiKey.split('_')[2] ?? '';
      for (const [query, form, headers] of [
        [`?client_id=${id}&client_secret=${apiKey}`, '', {}],
        ['', `&api_key=${apiKey}`, {}],
        ['', `&client_assertion=${apiKey}&client_id=${id}`, {}],
        ['', '', { cookie: `client_secret=${apiKey}` }],
        ['', '', { authorization: `Digest ${apiKey}` }],
        ['', '', { authorization: apiKey }],
      ] as const) {
        const answer = await service().call('POST', path() + query, {
          body: good() + form,
          headers: { 'content-type': FORM, ...headers },
        });
        expectOAuthError(answer, { query, form, headers });
        expect(answer).toMatchObject({ status: 401, body: { error: 'invalid_client' } });
      }
    });
  });
});
