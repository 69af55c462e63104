/**
 * The log: JSON lines by pino, of fields from a closed list. What is not on the list, or is no plain value, does not
 * reach a line; so nothing secret gets there because somebody logged one object too many.
 */
import {
  destination,
  pino,
  stdTimeFunctions,
  symbols,
  type DestinationStream,
  type Logger as PinoLogger,
} from 'pino';
import type { LogLevel } from '../config.js';
import { SafeError } from './safe-error.js';
import { TerminalLines } from './terminal-lines.js';

export type Log = PinoLogger;

/** Each with a value of a closed list, a number, or an id; never a token, a key or text that somebody sent. */
export const LOG_FIELDS: ReadonlySet<string> = new Set([
  'action',
  'actor',
  'as_many_before',
  'cause',
  'code',
  'context',
  'count',
  'duration_ms',
  'entries',
  'epoch',
  'err',
  'error',
  'event',
  'first',
  'hash',
  'how',
  'key_id',
  'kid',
  'method',
  'outcome',
  'pid',
  'reason',
  'repeated',
  'request_id',
  'result',
  'route',
  'seq',
  'session_id',
  'source_address',
  'status',
  'streamed_ms',
  'tenant_id',
  'token_id',
  'waiting',
]);
const MAX_TEXT = 256;
/** Of lines that wait for a reader that is slower than we are; beyond it lines are dropped, not requests. */
const MAX_WAITING_BYTES = 16 * 1024 * 1024;

/** @param to where lines go: standard output, readable in a terminal, unless a test listens */
export function createLog(level: LogLevel, to: DestinationStream = standardOutput()): Log {
  return pino(
    {
      level,
      base: null,
      timestamp: stdTimeFunctions.isoTime,
      formatters: { level: (label) => ({ level: label }), log: onlyKnownFields },
    },
    to,
  );
}

/** So long lines wait for others: each write by itself costs as much as an answer. */
export const LINE_GATHER_MS = 10;

/**
 * @returns what writes a line of which somebody has put the members together, as JSON; levels are for them to heed.
 *   Lines wait a moment for others, and are not lost when the process ends meanwhile
 */
export function lineWriter(log: Log): (level: 'info' | 'debug', members: string) => void {
  const to = (log as unknown as Record<symbol, DestinationStream>)[symbols.streamSym];
  let waiting = '';
  const write = (): void => {
    const lines = waiting;
    waiting = '';
    unwritten.delete(write);
    to?.write(lines);
  };
  return (level, members) => {
    if (waiting === '') {
      unwritten.add(write);
      setTimeout(write, LINE_GATHER_MS);
    }
    waiting += `{"level":"${level}"${timeMember()},${members}}\n`;
  };
}

const unwritten = new Set<() => void>();
process.on('exit', () => unwritten.forEach((write) => write()));

let millisecond = Number.NaN;
let member = '';

/** As pino writes it; many lines of one millisecond have one time. */
function timeMember(): string {
  const now = Math.floor(performance.now());
  if (now !== millisecond) {
    millisecond = now;
    member = stdTimeFunctions.isoTime();
  }
  return member;
}

/** Nobody waits for a line to be written: a slow reader of the log must not slow the service down. */
function standardOutput(): DestinationStream {
  return process.stdout.isTTY
    ? new TerminalLines(process.stdout)
    : destination({ fd: process.stdout.fd, sync: false, maxLength: MAX_WAITING_BYTES });
}

/** Exported for the tests: what becomes of the fields of a line. */
export function onlyKnownFields(fields: Record<string, unknown>): Record<string, unknown> {
  const line: Record<string, unknown> = {};
  let left = 0;
  for (const name in fields) {
    const value = fields[name];
    if (!LOG_FIELDS.has(name)) left++;
    else if (typeof value === 'string')
      line[name] = value.length > MAX_TEXT ? value.slice(0, MAX_TEXT) : value;
    else if (typeof value === 'number' || typeof value === 'boolean' || value === null) line[name] = value;
    else if (value instanceof SafeError) line[name] = value;
    else if (value instanceof Error) line[name] = SafeError.of(value, { stack: true });
    else if (value !== undefined) left++;
  }
  if (left > 0) line['fields_left_out'] = left;
  return line;
}
