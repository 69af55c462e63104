/** What a developer should know and no error says. */

const LONGEST = 500;

/** A process warning of its own kind, on one line: parts of it come from whatever answered. */
export function warn(message: string): void {
  const line = message.replace(/\p{Cc}+/gu, ' ').slice(0, LONGEST);
  process.emitWarning(line, { type: 'SessionServiceWarning' });
}
