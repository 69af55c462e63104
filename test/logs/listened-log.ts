/** A log that a test reads. */
import { setTimeout } from 'node:timers/promises';
import { createLog, LINE_GATHER_MS, type Log } from '../../src/logging/log.js';
import type { LogLevel } from '../../src/config.js';

export class ListenedLog {
  text = '';
  readonly log: Log;

  constructor(level: LogLevel) {
    this.log = createLog(level, { write: (line: string) => void (this.text += line) });
  }

  /** Lines of requests are written some at a time: until those of what was answered by now are there. */
  async settled(): Promise<void> {
    await setTimeout(10 * LINE_GATHER_MS);
  }

  /** The lines of this event, or all. */
  lines(event?: string): Record<string, unknown>[] {
    return this.text
      .split('\n')
      .filter((line) => line !== '')
      .map((line) => JSON.parse(line) as Record<string, unknown>)
      .filter((line) => event === undefined || line['event'] === event);
  }
}
