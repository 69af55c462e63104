/**
 * The port of tracing: the house says here what is worth a span, and knows nothing of OpenTelemetry. Without
 * tracing everything is handed back as it came, so that it costs nothing.
 */
import type { FastifyInstance, FastifyRequest } from 'fastify';

export type SpanAttributes = Readonly<Record<string, string>>;

/** Who knows when a request is over. */
export interface EndingRequests {
  listen(listener: (ended: { readonly request: FastifyRequest; readonly status: number }) => void): void;
}

export abstract class Tracing {
  /** Makes each request of the server a span. Called before what is to be part of it adds its hooks. */
  abstract watch(server: FastifyInstance, requests: EndingRequests): void;

  /**
   * @param group the first half of the spans' names: `sessions` makes `sessions.rotate`
   * @returns an object whose methods are spans when they are called for a request, or the same one
   */
  abstract around<T extends object>(group: string, watched: T, attributes?: SpanAttributes): T;

  /** Sends what was not sent yet, in bounded time. Never throws. */
  abstract end(): Promise<void>;
}

/** The default: nobody looks. */
export class NoTracing extends Tracing {
  override watch(): void {}

  override around<T extends object>(_group: string, watched: T): T {
    return watched;
  }

  override async end(): Promise<void> {}
}
