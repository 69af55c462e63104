/** One request to the service: time-outs, abort signals, repetition where it is safe, and errors of one kind. */
import { SessionServiceError, type ErrorAction } from './errors.js';

export type Fetch = typeof globalThis.fetch;

export interface TransportOptions {
  /** Where the service is, without a path behind it. */
  readonly url: string;
  readonly apiKey?: string | undefined;
  /** Another implementation of fetch; the runtime's own by default. */
  readonly fetch?: Fetch | undefined;
  /** For a call with all its repetitions and pauses. */
  readonly timeoutMs?: number | undefined;
  /** For one attempt of a call that may be repeated. */
  readonly attemptTimeoutMs?: number | undefined;
  /** How often a safe call is repeated, at most. */
  readonly retries?: number | undefined;
}

export interface Call {
  readonly method: 'GET' | 'POST' | 'DELETE';
  readonly path: string;
  readonly body?: unknown;
  /** Doing it twice is as good as once. */
  readonly repeatable: boolean;
  readonly signal?: AbortSignal | undefined;
  /** Told before each attempt. */
  readonly onAttempt?: () => void;
}

const MAX_ANSWER_CHARACTERS = 16 * 1024 * 1024;
const FIRST_PAUSE_MS = 50;
const ACTIONS = new Set(['retry', 'refresh', 'reauthenticate', 'fix_request', 'contact_operator']);

export class Transport {
  readonly url: string;
  private readonly apiKey: string | undefined;
  private readonly fetch: Fetch;
  private readonly timeoutMs: number;
  private readonly attemptTimeoutMs: number;
  private readonly retries: number;

  constructor({ url, apiKey, fetch, timeoutMs, attemptTimeoutMs, retries }: TransportOptions) {
    this.url = addressOf(url);
    this.apiKey = apiKey;
    // Looked up at each call: tests and instrumentation replace the global one.
    this.fetch = fetch ?? ((...request) => globalThis.fetch(...request));
    this.timeoutMs = timeoutMs ?? 5000;
    this.attemptTimeoutMs = attemptTimeoutMs ?? 2000;
    this.retries = retries ?? 2;
  }

  /** @returns the answer's body. @throws SessionServiceError, or the signal's own reason when it was aborted */
  async call(call: Call): Promise<unknown> {
    const deadlineMs = performance.now() + this.timeoutMs;
    for (let attempt = 0; ; attempt++) {
      call.signal?.throwIfAborted();
      const leftMs = deadlineMs - performance.now();
      try {
        const timeoutMs = call.repeatable ? Math.min(this.attemptTimeoutMs, leftMs) : leftMs;
        call.onAttempt?.();
        return await this.attempt(call, timeoutMs);
      } catch (error) {
        call.signal?.throwIfAborted();
        const pauseMs = pauseAfter(error, attempt);
        const isWorthIt = call.repeatable && attempt < this.retries && pauseMs !== null;
        if (!isWorthIt || performance.now() + pauseMs >= deadlineMs) throw error;
        await pause(pauseMs, call.signal);
      }
    }
  }

  /** The answer itself, for those who read it piece by piece. @param signal ends it, the body too */
  async open(path: string, headers: Record<string, string>, signal: AbortSignal): Promise<Response> {
    try {
      const sent = { ...this.headers(), ...headers };
      return await this.fetch(this.url + path, { headers: sent, redirect: 'error', signal });
    } catch (error) {
      throw unanswered(error, false);
    }
  }

  private async attempt(call: Call, timeoutMs: number): Promise<unknown> {
    const overdue = AbortSignal.timeout(Math.max(1, Math.ceil(timeoutMs)));
    const signal = call.signal ? AbortSignal.any([overdue, call.signal]) : overdue;
    const { method, path, body } = call;
    try {
      const answer = await this.fetch(this.url + path, {
        method,
        headers: { ...this.headers(), ...(body === undefined ? {} : { 'content-type': 'application/json' }) },
        ...(body === undefined ? {} : { body: JSON.stringify(body) }),
        redirect: 'error',
        signal,
      });
      const text = await answer.text();
      if (answer.ok) return text === '' ? undefined : parseAnswer(text, answer);
      throw errorOf(answer, text);
    } catch (error) {
      throw error instanceof SessionServiceError ? error : unanswered(error, overdue.aborted);
    }
  }

  private headers(): Record<string, string> {
    return { accept: 'application/json', ...(this.apiKey === undefined ? {} : { 'x-api-key': this.apiKey }) };
  }
}

/** @throws TypeError before a wrong address is waited for */
function addressOf(url: string): string {
  const address = URL.canParse(url) ? new URL(url) : null;
  if (address?.protocol !== 'http:' && address?.protocol !== 'https:') {
    throw new TypeError("Give url as the service's address with its scheme, such as http://localhost:3000.");
  }
  if (address.username !== '' || address.password !== '') {
    throw new TypeError('Give url without credentials; the credential of a caller is its apiKey.');
  }
  return url.replace(/\/+$/, '');
}

function parseAnswer(text: string, answer: Response): unknown {
  try {
    if (text.length <= MAX_ANSWER_CHARACTERS) return JSON.parse(text);
  } catch {
    // Told below.
  }
  throw unexpected(answer);
}

/** The service's own words; or, when something else answered, what its status says. */
export function errorOf(answer: Response, text: string): SessionServiceError {
  let body: Record<string, unknown>;
  try {
    body = JSON.parse(text) as Record<string, unknown>;
  } catch {
    return unexpected(answer);
  }
  const { error, error_description: message, action, request_id: requestId } = body ?? {};
  if (typeof error !== 'string' || typeof action !== 'string' || !ACTIONS.has(action)) {
    return unexpected(answer);
  }
  return new SessionServiceError(error, typeof message === 'string' ? message : error, {
    action: action as ErrorAction,
    status: answer.status,
    requestId: typeof requestId === 'string' ? requestId : undefined,
    retryAfterSeconds: retryAfterOf(answer),
  });
}

/** Never an action that could log somebody out: nobody who knows the session has spoken. */
function unexpected(answer: Response): SessionServiceError {
  const passes = answer.status === 429 || answer.status >= 500;
  return new SessionServiceError(
    'unexpected_answer',
    `Something other than the session service answered, with status ${answer.status}.`,
    {
      action: passes ? 'retry' : 'fix_request',
      status: answer.status,
      retryAfterSeconds: retryAfterOf(answer),
    },
  );
}

/** Seconds or a date (RFC 9110 section 10.2.3). */
export function retryAfterOf({ headers }: Response): number | undefined {
  const value = headers.get('retry-after');
  if (value === null) return undefined;
  if (/^\d{1,6}$/.test(value)) return Number(value);
  const seconds = Math.ceil((Date.parse(value) - Date.now()) / 1000);
  return Number.isFinite(seconds) ? Math.max(0, seconds) : undefined;
}

function unanswered(cause: unknown, overdue: boolean): SessionServiceError {
  return overdue
    ? new SessionServiceError('timed_out', 'The session service did not answer in time.', {
        action: 'retry',
        cause,
      })
    : new SessionServiceError('unreachable', 'The session service could not be reached.', {
        action: 'retry',
        cause,
      });
}

/** @returns null when it is no use to repeat. Jitter, so that many callers do not come back at the same moment. */
function pauseAfter(error: unknown, attempt: number): number | null {
  if (!(error instanceof SessionServiceError) || error.action !== 'retry') return null;
  const backoffMs = FIRST_PAUSE_MS * 2 ** attempt * (0.5 + Math.random());
  return Math.max(backoffMs, (error.retryAfterSeconds ?? 0) * 1000);
}

function pause(ms: number, signal: AbortSignal | undefined): Promise<void> {
  return new Promise((resolve, reject) => {
    const stop = (): void => {
      clearTimeout(timer);
      reject(signal?.reason as Error);
    };
    const timer = setTimeout(() => {
      signal?.removeEventListener('abort', stop);
      resolve();
    }, ms);
    signal?.addEventListener('abort', stop, { once: true });
  });
}
