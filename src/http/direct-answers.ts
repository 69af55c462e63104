/**
 * Bodies and answers without the framework's steps for them: for routes where those cost more than the work. What goes
 * out has the same headers as every other answer.
 */
import { Injectable } from '@nestjs/common';
import type { FastifyReply, FastifyRequest } from 'fastify';
import { Config } from '../config.js';
import { Drain } from './drain.js';
import { SecurityHeaders } from './security-headers.js';

const JSON_TEXT = 'application/json; charset=utf-8';
/** Other ways to say it are for the framework to read. */
const SAYS_JSON = new Set(['application/json', JSON_TEXT, 'application/json;charset=utf-8']);

export interface DirectAnswer {
  readonly status: number;
  /** JSON. */
  readonly text: string;
  /** Of it in UTF-8, where that is known already. */
  readonly bytes?: number;
}

/** An answer, or the work that gives it later. */
export type Outcome = DirectAnswer | (() => Promise<DirectAnswer>);

@Injectable()
export class DirectAnswers {
  /** Of every answer, also of refusals that the error filter puts into words. */
  readonly headers: Readonly<Record<string, string>>;
  private readonly fields: readonly string[];

  constructor(
    headers: SecurityHeaders,
    { corsOrigins }: Config,
    private readonly drain: Drain,
  ) {
    this.headers = {
      ...headers.ofData,
      ...(corsOrigins.length > 0 ? { vary: 'Origin' } : {}), // as @fastify/cors says of every answer
    };
    const always = { ...this.headers, 'cache-control': 'no-store', 'content-type': JSON_TEXT };
    this.fields = Object.entries(always).flat();
  }

  /** @param headers beside those that every answer has */
  send(
    request: FastifyRequest,
    reply: FastifyReply,
    { status, text, bytes = Buffer.byteLength(text) }: DirectAnswer,
    headers: Readonly<Record<string, string>> | null,
  ): void {
    const fields = [...this.fields, 'x-request-id', request.id, 'content-length', String(bytes)];
    if (headers) for (const name in headers) fields.push(name, headers[name] ?? '');
    // A connection kept alive would keep a process alive that wants to leave.
    if (this.drain.draining) fields.push('connection', 'close');
    reply.raw.writeHead(status, fields);
    reply.hijack(); // not before it: what throws is still answered
    reply.raw.end(text);
  }
}

/** @returns whether the body is plain JSON of a known length, from 1 byte to `limit` */
export function hasPlainJson({ headers }: FastifyRequest, limit: number): boolean {
  if (headers['transfer-encoding'] !== undefined || headers['content-encoding'] !== undefined) return false;
  const length = Number(headers['content-length'] ?? 0);
  return length > 0 && length <= limit && SAYS_JSON.has(headers['content-type'] ?? '');
}

/** Calls back once, when all of the body is there; never, when the client leaves before that. */
export function readBody({ raw }: FastifyRequest, use: (bytes: Buffer) => void): void {
  let first: Buffer | undefined;
  let more: Buffer[] | undefined;
  raw.on('data', (chunk: Buffer) => {
    if (!first) first = chunk;
    else (more ??= [first]).push(chunk);
  });
  raw.on('end', () => use(more ? Buffer.concat(more) : (first ?? Buffer.alloc(0))));
}
