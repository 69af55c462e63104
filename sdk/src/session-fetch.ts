/** A fetch that sends the access token along, and refreshes it when it is needed or refused. */
import { SessionServiceError } from './errors.js';
import type { SessionTokens } from './session-tokens.js';
import { errorOf, type Fetch } from './transport.js';

export interface SessionFetchOptions {
  readonly tokens: SessionTokens;
  /**
   * Who may see the token, as `https://api.example.com`. The page's own origin by default; outside of a browser there
   * is no default. Requests to others go without it.
   */
  readonly origins?: readonly string[] | undefined;
  readonly fetch?: Fetch | undefined;
  /** Whether an answer is about the token: a 401 whose challenge says `invalid_token`, or has no challenge to read. */
  readonly isRefused?: ((answer: Response) => boolean) | undefined;
}

/**
 * @returns a function like fetch. It throws a SessionServiceError when there is no token to send: `reauthenticate`
 *   when nobody is logged in, `retry` in an outage. An answer of 401 after a refresh is given to the caller.
 */
export function createSessionFetch(options: SessionFetchOptions): Fetch {
  const { tokens, isRefused = isAboutToken } = options;
  const page = (globalThis as { location?: { origin: string; href: string } }).location;
  const origins = options.origins ?? (page ? [page.origin] : undefined);
  if (!origins) throw new TypeError('Outside of a browser, say which origins may see the token.');
  const allowed = new Set(origins.map((origin) => new URL(origin).origin));
  const send = options.fetch ?? ((...request: Parameters<Fetch>) => globalThis.fetch(...request));

  return async (input, init) => {
    const url = input instanceof Request ? input.url : new URL(input, page?.href).href;
    if (!allowed.has(new URL(url).origin)) return send(input, init);
    const sendWith = (token: string): Promise<Response> => {
      const headers = new Headers(init?.headers ?? (input instanceof Request ? input.headers : undefined));
      headers.set('authorization', `Bearer ${token}`);
      return send(input instanceof Request ? input.clone() : input, { ...init, headers });
    };
    const token = await tokens.accessToken();
    const answer = await sendWith(token);
    if (!isRefused(answer)) return answer;
    let newer: string;
    try {
      newer = await tokens.refreshed(token);
    } catch (error) {
      // The service has spoken: the caller sees the refusal that it got. An outage is told as what it is.
      if (error instanceof SessionServiceError && error.action === 'reauthenticate') return answer;
      throw error;
    }
    // A stream was read by the first attempt.
    if (isStream(init?.body)) return answer;
    await answer.body?.cancel();
    return sendWith(newer);
  };
}

function isAboutToken(answer: Response): boolean {
  if (answer.status !== 401) return false;
  const challenge = answer.headers.get('www-authenticate');
  return challenge === null || challenge.includes('invalid_token');
}

function isStream(body: unknown): boolean {
  return body instanceof ReadableStream;
}

export interface RefreshAtOptions {
  readonly fetch?: Fetch | undefined;
  /** `include` sends cookies to another origin; the page's own gets them anyway. */
  readonly credentials?: 'include' | 'same-origin' | undefined;
}

/**
 * A refresh function that asks an endpoint of your application, which holds the API key:
 * `POST {"refresh_token": ...}`, answered as the service answers a refresh, errors too.
 */
export function refreshAt(
  url: string,
  { fetch, credentials = 'same-origin' }: RefreshAtOptions = {},
): (
  refreshToken: string | undefined,
  call: { signal: AbortSignal },
) => Promise<{ accessToken: string; refreshToken?: string; expiresInSeconds: number }> {
  return async (refreshToken, { signal }) => {
    const answer = await (fetch ?? globalThis.fetch)(url, {
      method: 'POST',
      headers: { 'content-type': 'application/json', accept: 'application/json' },
      body: JSON.stringify(refreshToken === undefined ? {} : { refresh_token: refreshToken }),
      credentials,
      signal,
    });
    const text = await answer.text();
    if (!answer.ok) throw errorOf(answer, text);
    const { access_token: accessToken, refresh_token: newer, expires_in: expiresInSeconds } = parse(text);
    if (typeof accessToken !== 'string' || typeof expiresInSeconds !== 'number') {
      throw new SessionServiceError('unexpected_answer', `${url} did not answer with tokens.`, {
        action: 'fix_request',
      });
    }
    return { accessToken, expiresInSeconds, ...(typeof newer === 'string' ? { refreshToken: newer } : {}) };
  };
}

function parse(text: string): Record<string, unknown> {
  try {
    return (JSON.parse(text) ?? {}) as Record<string, unknown>;
  } catch {
    return {};
  }
}
