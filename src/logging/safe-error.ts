/**
 * What a log may say of an error: a closed list of members, so that what a library hangs on its errors (the arguments
 * of a command, the headers of a request, an address with a password) has no way into a line.
 */
import { AppError, BootError } from '../errors.js';

const MAX_MESSAGE = 200;
const MAX_FRAMES = 20;
const MAX_DEPTH = 3;
/** Tokens, keys, ciphertexts and digests are long words; what a library says in words of its own is not. */
const LONG_WORD = /[A-Za-z0-9_+/=.-]{24,}/g;
const CREDENTIALS = /:\/\/[^/\s]*@/g;
/** Where a quotation may begin. The apostrophe of "isn't" begins none. */
const QUOTATION = /["`\n]|(?<!n)'|'(?!t\b)/;

export class SafeError {
  /** The error's class. */
  readonly type: string;
  readonly code?: string;
  readonly message: string;
  readonly cause?: SafeError;
  readonly stack?: readonly string[];

  private constructor(error: Error, depth: number, stack: boolean) {
    const { code } = error as { code?: unknown };
    this.type = word(error.name) ?? 'Error';
    if (word(code) !== undefined) this.code = word(code) ?? '';
    this.message = messageOf(error);
    if (error.cause instanceof Error && depth < MAX_DEPTH) {
      this.cause = new SafeError(error.cause, depth + 1, stack);
    }
    if (stack) this.stack = framesOf(error);
  }

  /** @param stack whether to say where it happened: for mistakes of ours, not for outages */
  static of(error: unknown, { stack = false } = {}): SafeError {
    return new SafeError(error instanceof Error ? error : new Error('not an error'), 1, stack);
  }
}

/** A name or a code is one short word; anything else is left out. */
function word(value: unknown): string | undefined {
  return typeof value === 'string' && /^\w{1,40}$/.test(value) ? value : undefined;
}

/**
 * Our own messages are written for everybody. Others quote what they were given (Redis its arguments, JSON.parse its
 * text), so a message ends where its first quotation begins.
 */
function messageOf(error: Error): string {
  if (error instanceof AppError || error instanceof BootError) return error.message;
  const [unquoted = ''] = error.message.split(QUOTATION, 1);
  return unquoted.replace(CREDENTIALS, '://…@').replace(LONG_WORD, '…').slice(0, MAX_MESSAGE).trim();
}

/** The frames alone: above them stands the message as it was. */
function framesOf({ stack = '' }: Error): string[] {
  return stack
    .split('\n')
    .filter((line) => /^ {4}at /.test(line))
    .slice(0, MAX_FRAMES)
    .map((line) => line.trim());
}
