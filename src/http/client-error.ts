/** The answers to what never becomes a request of fastify's, in the shape of every other error. */
import { randomUUID } from 'node:crypto';
import { STATUS_CODES, type IncomingMessage, type ServerResponse } from 'node:http';
import { Socket } from 'node:net';
import type { Duplex } from 'node:stream';
import { AppError } from '../errors.js';

const DESCRIPTIONS: Readonly<Record<string, string>> = {
  HPE_HEADER_OVERFLOW: "The request's headers are too large.",
  ERR_HTTP_REQUEST_TIMEOUT: 'The request did not arrive in time.',
};

/** What protects an answer that no hook sees: helmet's place is behind the router. */
const BARE_ANSWER_HEADERS = {
  'cache-control': 'no-store',
  'content-security-policy': "default-src 'none'",
  'x-content-type-options': 'nosniff',
} as const;

/** Fastify's `clientErrorHandler`: bytes that are not HTTP. */
export function answerClientError(error: Error & { code?: string }, socket: Duplex): void {
  if (error.code === 'ECONNRESET' || !socket.writable || wasAnswered(error, socket)) {
    socket.destroy();
    return;
  }
  const description = DESCRIPTIONS[error.code ?? ''] ?? 'The request is not well-formed HTTP/1.1.';
  const { status, headers, body } = refusal(description);
  const head = [`HTTP/1.1 ${status} ${STATUS_CODES[status]}`, ...Object.entries(headers).map(toLine)];
  socket.end(`${head.join('\r\n')}\r\n\r\n${body}`);
}

/**
 * A request may be answered before all of its body is there. When the rest then takes too long, a second answer would
 * be taken for that to the next request.
 */
function wasAnswered({ code }: Error & { code?: string }, socket: Duplex): boolean {
  return code === 'ERR_HTTP_REQUEST_TIMEOUT' && socket instanceof Socket && socket.bytesWritten > 0;
}

/** Node's `checkExpectation`: an `Expect` other than `100-continue`, which Node would answer with an empty 417. */
export function answerExpectation(_request: IncomingMessage, response: ServerResponse): void {
  const { status, headers, body } = refusal('The Expect header asks for something that is not supported.');
  response.writeHead(status, headers).end(body);
}

function refusal(description: string): { status: number; headers: Record<string, string>; body: string } {
  const { status, answer } = new AppError('invalid_request', { description });
  const requestId = randomUUID();
  const body = JSON.stringify({ ...answer, request_id: requestId });
  const headers = {
    'content-type': 'application/json; charset=utf-8',
    'content-length': String(Buffer.byteLength(body)),
    'x-request-id': requestId,
    ...BARE_ANSWER_HEADERS,
    connection: 'close',
  };
  return { status, headers, body };
}

const toLine = ([name, value]: [string, string]): string => `${name}: ${value}`;
