/** Server-sent events out of a streamed body, as the HTML standard has them (section 9.2.6). */

export interface ServerEvent {
  readonly event: string;
  readonly data: string;
  /** The last `id` that the stream has named, of this event or an earlier one. */
  readonly lastId: string;
}

/** An event is at most about 100 KB: 1,000 revocations. */
const MAX_EVENT_CHARACTERS = 4 * 1024 * 1024;

/** @param onBytes told of every piece that arrives, also of comments that only keep the connection alive */
export async function* readEvents(
  body: AsyncIterable<Uint8Array>,
  onBytes: () => void = () => undefined,
): AsyncGenerator<ServerEvent> {
  let event = '';
  let data: string[] = [];
  let lastId = '';
  let size = 0;
  for await (const line of readLines(body, onBytes)) {
    size += line.length;
    if (size > MAX_EVENT_CHARACTERS) throw new Error('an event of the stream is too large');
    if (line === '') {
      if (data.length > 0) yield { event: event || 'message', data: data.join('\n'), lastId };
      event = '';
      data = [];
      size = 0;
      continue;
    }
    const colon = line.indexOf(':');
    if (colon === 0) continue;
    const field = colon < 0 ? line : line.slice(0, colon);
    const value = colon < 0 ? '' : line.slice(colon + 1).replace(/^ /, '');
    if (field === 'event') event = value;
    else if (field === 'data') data.push(value);
    else if (field === 'id' && !value.includes('\0')) lastId = value;
  }
}

/** Lines end with LF, CR LF or CR; what stands behind the last end is not whole and is dropped. */
async function* readLines(body: AsyncIterable<Uint8Array>, onBytes: () => void): AsyncGenerator<string> {
  const decoder = new TextDecoder();
  let rest = '';
  for await (const bytes of body) {
    onBytes();
    rest += decoder.decode(bytes, { stream: true });
    // A CR at the very end may be half of a CR LF: it waits for what follows.
    const lines = rest.split(/\r\n|\n|\r(?!$)/);
    rest = lines.pop() ?? '';
    if (rest.length > MAX_EVENT_CHARACTERS) throw new Error('a line of the stream is too long');
    yield* lines;
  }
}
