import { setTimeout } from 'node:timers/promises';
import { describe, expect, test } from '@jest/globals';
import { AppError } from '../../src/errors.js';
import { createLog, onlyKnownFields, LINE_GATHER_MS, lineWriter } from '../../src/logging/log.js';
import { SafeError } from '../../src/logging/safe-error.js';
import { TerminalLines } from '../../src/logging/terminal-lines.js';
import { ListenedLog } from '../logs/listened-log.js';

describe('a log line', () => {
  test('has the fields of the list, and says how many were left out', () => {
    const line = onlyKnownFields({
      event: 'x',
      status: 200,
      password: 'secret',
      headers: { cookie: 'secret' },
    });
    expect(line).toEqual({ event: 'x', status: 200, fields_left_out: 2 });
  });

  test('has plain values: an object under a known name is left out, a long text cut', () => {
    const line = onlyKnownFields({ reason: { deep: 'secret' }, actor: ['secret'], route: 'x'.repeat(1000) });
    expect(line).toEqual({ route: 'x'.repeat(256), fields_left_out: 2 });
  });

  test('has what is safe of an error, however it gets there', () => {
    const listened = new ListenedLog('info');
    const error = Object.assign(new Error('it broke: "secret"'), { code: 'E_BROKE', args: ['secret'] });
    listened.log.error({ event: 'x', cause: error });
    listened.log.error(error);
    listened.log.error({ err: error });
    expect(listened.text).not.toContain('secret"');
    expect(listened.text).not.toContain('args');
    const [first] = listened.lines();
    expect(first?.['cause']).toMatchObject({ type: 'Error', code: 'E_BROKE', message: 'it broke:' });
  });
});

describe('what is safe of an error', () => {
  test.each([
    ['what it quotes', `Unexpected token 'e', "eyJhbGciOi" is not valid JSON`, 'Unexpected token'],
    ['credentials in an address', 'cannot reach redis://user:pa55@db:6379', 'cannot reach redis://…@db:6379'],
    ['a token', `bad ${'eyJhbGciOiJSUzI1NiJ9'.repeat(3)}.x.y here`, 'bad … here'],
    ['a key', 'bad sk_acme_0011223344556677_abcdefabcdef here', 'bad … here'],
    ['what comes after the first line', 'first\nsecret', 'first'],
    ['what is too long', 'word '.repeat(100), 'word '.repeat(40).trim()],
  ])('is its message without %s', (_, message, safe) => {
    expect(SafeError.of(new Error(message))).toMatchObject({ message: safe });
  });

  test.each([
    ["Stream isn't writeable", "Stream isn't writeable"],
    ["can't read 'secret'", "can't read"],
    ["it didn'twas", 'it didn'],
    ["don't 'secret' n't", "don't"],
  ])('has apostrophes that begin no quotation: %s', (message, safe) => {
    expect(SafeError.of(new Error(message)).message).toBe(safe);
  });

  test('is the whole message where it is ours', () => {
    expect(SafeError.of(new AppError('store_unavailable')).message).toBe(
      'The session store does not answer; try again.',
    );
  });

  test('is its frames without the message above them', () => {
    const { stack } = SafeError.of(new Error('a secret'), { stack: true });
    expect(stack?.[0]).toMatch(/^at /);
    expect(stack?.join('\n')).not.toContain('a secret');
  });

  test('is the same of its causes, some levels deep', () => {
    const chain = [1, 2, 3, 4, 5].reduce<Error | undefined>(
      (cause, n) => new Error(`level ${n} "secret"`, { cause }),
      undefined,
    );
    const text = JSON.stringify(SafeError.of(chain));
    expect(text).toContain('level 3');
    expect(text).not.toMatch(/secret|level 2/);
  });

  test('is nothing of what is no error', () => {
    expect(SafeError.of('secret')).toMatchObject({ type: 'Error', message: 'not an error' });
  });

  test('has no name or code that is more than a word', () => {
    const error = Object.assign(new Error('x'), { name: 'a secret name', code: 'a secret code' });
    expect(JSON.stringify(SafeError.of(error))).not.toContain('secret');
  });
});

describe('a line at a terminal', () => {
  test('has the same fields, in words', () => {
    let written = '';
    const log = createLog('info', new TerminalLines({ write: (text) => void (written += text) }));
    log.info({ event: 'request', route: '/sessions', status: 201 });
    log.child({ context: 'Main' }).warn('listening on port 1');
    expect(written.split('\n')).toEqual([
      expect.stringMatching(/^\d\d:\d\d:\d\d INFO {2}request route=\/sessions status=201$/),
      expect.stringMatching(/^\d\d:\d\d:\d\d WARN {2}Main: listening on port 1$/),
      '',
    ]);
  });

  test('is one of several that were written together', async () => {
    let written = '';
    const log = createLog('info', new TerminalLines({ write: (text) => void (written += text) }));
    const write = lineWriter(log);
    write('info', '"event":"request","status":200');
    write('debug', '"event":"request","status":404');
    await setTimeout(10 * LINE_GATHER_MS);
    expect(written.split('\n')).toEqual([
      expect.stringMatching(/INFO {2}request status=200$/),
      expect.stringMatching(/DEBUG request status=404$/),
      '',
    ]);
  });

  test('cannot be broken by what is in it', () => {
    let written = '';
    const log = createLog('info', new TerminalLines({ write: (text) => void (written += text) }));
    log.info({ event: 'x', reason: 'a\nb\u001b[2J' });
    expect(written).toMatch(/reason=a\\nb\\u001b\[2J\n$/);
  });
});
