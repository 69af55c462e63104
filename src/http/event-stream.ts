/**
 * Server-sent events to one reader, for as long as it stays: https://html.spec.whatwg.org/multipage/server-sent-events.html.
 * Written to the connection itself, because how much of it the reader has not taken yet must be known.
 */
import type { FastifyReply, FastifyRequest } from 'fastify';
import { addGeneralHeaders } from './general-headers.js';

export const EVENT_STREAM = 'text/event-stream';

/** For a reader that does not take its end either. */
const CLOSED_WITHIN_MS = 1000;

/** One event as bytes, made once for all who get it. @param id where a reader may go on later */
export function eventOf(name: string, data: object, id?: string): Buffer {
  const head = id === undefined ? '' : `id: ${id}\n`;
  return Buffer.from(`${head}event: ${name}\ndata: ${JSON.stringify(data)}\n\n`);
}

/** @returns whether the client asks for events, by name: what takes anything gets the ordinary answer */
export function wantsEvents(accept: string | undefined): boolean {
  return (accept ?? '').split(',').some((range) => {
    const [type = '', ...parameters] = range.split(';').map((part) => part.trim().toLowerCase());
    return type === EVENT_STREAM && !parameters.some((part) => /^q=0(\.0*)?$/.test(part));
  });
}

export class EventStream {
  private isOver = false;

  /** The head is sent at once: from here on there is no other answer. */
  constructor(
    request: FastifyRequest,
    private readonly reply: FastifyReply,
  ) {
    addGeneralHeaders(request, reply);
    void reply.headers({
      'content-type': EVENT_STREAM,
      'x-accel-buffering': 'no',
      // Whoever comes back does it on a new connection, which a load balancer may give to another instance.
      connection: 'close',
    });
    reply.hijack();
    const { raw } = reply;
    // What is written while the connection breaks is lost, and that is all.
    raw.on('error', () => undefined);
    for (const [name, value] of Object.entries(reply.getHeaders())) {
      if (value !== undefined) raw.setHeader(name, value);
    }
    raw.flushHeaders();
    request.streamsSinceMs = performance.now();
  }

  get isOpen(): boolean {
    return !this.isOver && !this.reply.raw.destroyed;
  }

  /** Bytes that are kept for the reader, because the network has not taken them. */
  get waitingBytes(): number {
    return this.reply.raw.writableLength;
  }

  send(event: Buffer): void {
    if (this.isOpen) this.reply.raw.write(event);
  }

  /** Until the reader has taken what was sent, or is gone. */
  async drained(): Promise<void> {
    const { raw } = this.reply;
    if (!this.isOpen || !raw.writableNeedDrain) return;
    await new Promise<void>((resolve) => {
      const done = (): void => {
        raw.off('drain', done).off('close', done);
        resolve();
      };
      raw.on('drain', done).on('close', done);
    });
  }

  /** In good order, but not for ever. */
  end(): void {
    if (!this.isOpen) return;
    this.isOver = true;
    this.reply.raw.end();
    setTimeout(() => this.cut(), CLOSED_WITHIN_MS).unref();
  }

  /** At once. */
  cut(): void {
    this.isOver = true;
    this.reply.raw.destroy();
  }
}
