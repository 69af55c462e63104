/** Log lines for a person at a terminal: one line each, the same fields, easier to read. */
import type { DestinationStream } from 'pino';

export class TerminalLines implements DestinationStream {
  constructor(private readonly terminal: { write(text: string): unknown }) {}

  /** @param lines one or more, each ended */
  write(lines: string): void {
    for (const line of lines.split('\n')) {
      if (line !== '') this.terminal.write(`${readable(line)}\n`);
    }
  }
}

/** `21:20:54 INFO  Main: listening on port 3000` */
function readable(line: string): string {
  const { time, level, context, event, msg, ...fields } = JSON.parse(line) as Record<string, unknown>;
  const clock = String(time).slice('2026-01-01T'.length, '2026-01-01T00:00:00'.length);
  const rest = Object.entries(fields).map(([name, value]) => `${name}=${text(value)}`);
  const who = context === undefined ? [] : [`${text(context)}:`];
  const what = [event, msg].filter((part) => part !== undefined).map(text);
  return [clock, text(level).toUpperCase().padEnd(5), ...who, ...what, ...rest].join(' ');
}

/** Control characters stay escaped: a line can neither move the cursor nor pass for two. */
function text(value: unknown): string {
  return typeof value === 'string' ? JSON.stringify(value).slice(1, -1) : JSON.stringify(value);
}
