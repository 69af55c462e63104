/** Redis' protocol, as far as a proxy must know it: where a command or a reply ends. */

/** A command as Redis gets it: name and arguments. */
export type Command = readonly string[];

const LINE_END = '\r\n';

/** @returns the first command and how many bytes it takes; null while it is not whole */
export function readCommand(bytes: Buffer): { command: string[]; length: number } | null {
  let at = 0;
  const line = (): string | null => {
    const end = bytes.indexOf(LINE_END, at);
    if (end < 0) return null;
    const text = bytes.toString('latin1', at, end);
    at = end + LINE_END.length;
    return text;
  };
  const head = line();
  if (head === null) return null;
  const command: string[] = [];
  for (let left = Number(head.slice(1)); left > 0; left--) {
    const size = line();
    if (size === null || at + Number(size.slice(1)) + LINE_END.length > bytes.length) return null;
    const end = at + Number(size.slice(1));
    command.push(bytes.toString('utf8', at, end));
    at = end + LINE_END.length;
  }
  return { command, length: at };
}

/** @returns where the value that begins at `from` ends; null while it is not whole */
export function endOfReply(bytes: Buffer, from = 0): number | null {
  const lineEnd = bytes.indexOf(LINE_END, from);
  if (lineEnd < 0) return null;
  const type = String.fromCharCode(bytes[from] ?? 0);
  const size = Number(bytes.toString('latin1', from + 1, lineEnd));
  const next = lineEnd + LINE_END.length;
  if ('$!='.includes(type)) {
    const end = size < 0 ? next : next + size + LINE_END.length;
    return end <= bytes.length ? end : null;
  }
  let end: number | null = next;
  if ('*~>%|'.includes(type)) {
    // A map has two values for each entry; attributes come before the value that they speak of.
    const values = '%|'.includes(type) ? 2 * size + (type === '|' ? 1 : 0) : size;
    for (let left = values; left > 0 && end !== null; left--) end = endOfReply(bytes, end);
  }
  return end;
}
