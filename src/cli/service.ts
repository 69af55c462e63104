/** The service as the commands see it: HTTP, one call at a time, with an end to every wait. Knows no route. */
import type { ReadableStream } from 'node:stream/web';
import { CommandError, EXIT, isErrorBody, Refusal, UsageError } from './failure.js';

const TIMEOUT_MS = 30_000;
/** No answer that a command reads is larger. */
const MAX_ANSWER_BYTES = 64 * 1024 * 1024;

export type Json = Readonly<Record<string, unknown>>;
export type Method = 'GET' | 'POST' | 'PATCH' | 'DELETE';

export interface Credential {
  readonly key: string;
  /** Where it was found, in words: the key itself is never printed. */
  readonly source: string;
}

interface CallOptions {
  /** What is undefined is left out. */
  readonly query?: Readonly<Record<string, string | number | undefined>>;
  readonly body?: Json;
}

export interface Answer {
  readonly status: number;
  readonly headers: Headers;
  /** undefined for what is no JSON. */
  readonly body: unknown;
}

export interface Download {
  readonly content: ReadableStream;
  readonly sizeBytes: number;
}

export class Service {
  constructor(
    /** Without a trailing slash. */
    readonly url: string,
    private readonly credential: Credential | null,
  ) {}

  /** @throws CommandError when nobody answers; every answer is one, also a refusal */
  async ask(method: Method, path: string, { query = {}, body }: CallOptions = {}): Promise<Answer> {
    const request = {
      method,
      headers: body ? { 'content-type': 'application/json' } : {},
      ...(body ? { body: JSON.stringify(body) } : {}),
      signal: AbortSignal.timeout(TIMEOUT_MS),
    };
    return this.answering(path + queryText(query), request, async (answer) => ({
      status: answer.status,
      headers: answer.headers,
      body: parsed(await textOf(answer)),
    }));
  }

  /** @throws CommandError also when the answer is a refusal, or not of this service */
  async call<T = Json>(method: Method, path: string, options: CallOptions = {}): Promise<T> {
    const answer = await this.ask(method, path, options);
    const { status, body } = answer;
    if (status === 204) return {} as T;
    if (status >= 200 && status < 300 && typeof body === 'object' && body !== null) return body as T;
    throw this.refusalOf(answer);
  }

  /** What is too large to be held: it may take its time, but not stand still. @throws CommandError as `call` */
  async download(path: string): Promise<Download> {
    const { answer, body } = await this.answering(path, {}, async (answer) => ({
      answer,
      body: answer.ok ? undefined : parsed(await textOf(answer)),
    }));
    const { ok, status, headers, body: content } = answer;
    if (!ok || !content) throw this.refusalOf({ status, headers, body });
    return { content, sizeBytes: Number(headers.get('content-length')) };
  }

  private async answering<T>(
    path: string,
    request: RequestInit,
    read: (answer: Response) => Promise<T>,
  ): Promise<T> {
    try {
      const key = this.credential ? { 'x-api-key': this.credential.key } : {};
      const headers = { ...(request.headers as Record<string, string> | undefined), ...key };
      // Whoever can redirect could have the key sent elsewhere.
      return await read(await fetch(this.url + path, { ...request, headers, redirect: 'error' }));
    } catch (error) {
      throw new CommandError(
        `The service does not answer at ${this.url} (${causeOf(error)}): check that it runs, and --url.`,
        EXIT.unreachable,
      );
    }
  }

  private refusalOf({ status, headers, body }: Answer): CommandError {
    if (!isErrorBody(body)) {
      throw new CommandError(
        `What answers at ${this.url} is not this service: check --url.`,
        EXIT.unreachable,
      );
    }
    if (body.error === 'unauthorized' && this.credential) {
      throw new CommandError(
        `The service at ${this.url} does not know the API key from ${this.credential.source}.`,
      );
    }
    throw new Refusal(this.url, status, body, Number(headers.get('retry-after') ?? 1));
  }

  /** All pages of a list, one after the other, or those after a cursor. */
  async *pages<T>(path: string, member: string, query: CallOptions['query'] = {}): AsyncGenerator<T[]> {
    let cursor = query['cursor'];
    do {
      const page = await this.call('GET', path, { query: { ...query, cursor } });
      yield (page[member] ?? []) as T[];
      cursor = typeof page['next_cursor'] === 'string' ? page['next_cursor'] : undefined;
    } while (cursor !== undefined);
  }
}

/** Every part of a path that comes from outside goes through here. */
export function segment(text: string): string {
  // Of a path, these would be taken away together with what stands before them.
  if (/^\.{0,2}$/.test(text)) throw new UsageError('An id cannot be empty, "." or "..".');
  return encodeURIComponent(text);
}

function queryText(query: NonNullable<CallOptions['query']>): string {
  const given = new URLSearchParams();
  for (const [name, value] of Object.entries(query)) if (value !== undefined) given.set(name, String(value));
  const text = given.toString();
  return text === '' ? '' : `?${text}`;
}

async function textOf(answer: Response): Promise<string> {
  const parts: Uint8Array[] = [];
  let size = 0;
  for await (const part of answer.body ?? []) {
    size += part.length;
    if (size > MAX_ANSWER_BYTES) throw new Error('the answer is too large');
    parts.push(part);
  }
  return Buffer.concat(parts).toString('utf8');
}

function parsed(text: string): unknown {
  try {
    return JSON.parse(text) as unknown;
  } catch {
    return undefined;
  }
}

/** `ECONNREFUSED` says more than "fetch failed". */
function causeOf(error: unknown): string {
  const { name, message, cause } = error as Error & { cause?: { code?: string; message?: string } };
  if (name === 'TimeoutError') return `not within ${TIMEOUT_MS / 1000} s`;
  return cause?.code ?? cause?.message ?? message;
}
