/** The reader of server-sent events: the standard's rules, however the network cuts the text. */
import { describe, expect, test } from '@jest/globals';
import fc from 'fast-check';
import { readEvents, type ServerEvent } from '../../sdk/src/event-stream.js';

async function* inPieces(text: string, size: number): AsyncGenerator<Uint8Array> {
  const bytes = Buffer.from(text);
  for (let at = 0; at < bytes.length; at += size) yield bytes.subarray(at, at + size);
}

async function eventsOf(text: string, size = 1000): Promise<ServerEvent[]> {
  const events: ServerEvent[] = [];
  for await (const event of readEvents(inPieces(text, size))) events.push(event);
  return events;
}

async function* endless(piece: string): AsyncGenerator<Uint8Array> {
  for (;;) yield Buffer.from(piece);
}

describe('events', () => {
  test('have a name, data of several lines, and the last id', async () => {
    const text =
      'event: a\nid: 1\ndata: x\ndata:  y\n\n: a comment\n\ndata\n\nid: 2\nevent: b\ndata:z\nretry: 5\n\n';
    expect(await eventsOf(text)).toEqual([
      { event: 'a', data: 'x\n y', lastId: '1' },
      { event: 'message', data: '', lastId: '1' },
      { event: 'b', data: 'z', lastId: '2' },
    ]);
  });

  test('without data are none, and neither is one that is not whole', async () => {
    expect(await eventsOf('event: a\nid: 1\n\nevent: b\ndata: x\n')).toEqual([]);
  });

  test('keep no id with a NUL in it', async () => {
    expect(await eventsOf('id: 1\ndata: a\n\nid: \0\ndata: b\n\n')).toEqual([
      { event: 'message', data: 'a', lastId: '1' },
      { event: 'message', data: 'b', lastId: '1' },
    ]);
  });

  test('are the same however lines end and the text is cut', async () => {
    const text = 'event: a\nid: ü1\ndata: {"x":"\u{1f600}é"}\n\n: c\nevent: b\ndata: 1\ndata: 2\n\n';
    const wanted = await eventsOf(text);
    expect(wanted).toHaveLength(2);
    await fc.assert(
      fc.asyncProperty(
        fc.constantFrom('\n', '\r\n', '\r'),
        fc.integer({ min: 1, max: 40 }),
        async (end, size) => {
          // What comes after shows that a lone CR at the end of a piece was taken for an end too.
          const events = await eventsOf(`${text.replaceAll('\n', end)}data: last${end}${end}`, size);
          expect(events.slice(0, 2)).toEqual(wanted);
        },
      ),
    );
  });

  test('that never end are given up', async () => {
    const megabyte = 'x'.repeat(1024 * 1024);
    for (const piece of [megabyte, `data: ${megabyte}\n`]) {
      await expect(readEvents(endless(piece)).next()).rejects.toThrow(/too/);
    }
  });
});
