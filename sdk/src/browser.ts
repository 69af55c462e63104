/** What web pages use. It needs no Node, holds no API key and verifies no token. */
import type { HeldTokens, TokenStore } from './session-tokens.js';

export { SessionServiceError, type ErrorAction, type SessionErrorCode } from './errors.js';
export {
  createSessionFetch,
  refreshAt,
  type RefreshAtOptions,
  type SessionFetchOptions,
} from './session-fetch.js';
export {
  memoryStore,
  SessionTokens,
  type HeldTokens,
  type NewTokens,
  type SessionTokensOptions,
  type TokenStore,
} from './session-tokens.js';

export interface BrowserStoreOptions {
  /** Tells applications on one origin apart. */
  readonly name?: string | undefined;
}

/** What a page offers; types of the DOM would force them upon whoever compiles on a server. */
interface Page {
  readonly localStorage: {
    getItem(key: string): string | null;
    setItem(key: string, value: string): void;
    removeItem(key: string): void;
  };
  readonly navigator: {
    readonly locks?: { request<T>(name: string, work: () => Promise<T>): Promise<T> };
  };
  addEventListener(type: 'storage', listener: (event: { readonly key: string | null }) => void): void;
  removeEventListener(type: 'storage', listener: (event: { readonly key: string | null }) => void): void;
}

/**
 * Tokens in localStorage, shared by all tabs. A Web Lock lets one tab at a time refresh, and the browser tells the others of
 * each change. Where a browser has no Web Locks (outside of https), tabs may refresh at once, which the service answers
 * with one and the same successor. Any script of the page can read localStorage: where that is too much, keep the
 * refresh token in a cookie that scripts cannot read, and use `memoryStore`.
 */
export function browserStore({ name = 'session' }: BrowserStoreOptions = {}): TokenStore {
  const page = globalThis as unknown as Page;
  const { localStorage, navigator } = page;
  const key = `session-service:${name}`;
  return {
    get: () => parseHeld(localStorage.getItem(key)),
    set: (tokens) => {
      if (tokens) localStorage.setItem(key, JSON.stringify(tokens));
      else localStorage.removeItem(key);
    },
    exclusively: async (work) => (navigator.locks ? navigator.locks.request(key, work) : work()),
    onChange: (listener) => {
      // Null: everything was removed.
      const hear = (event: { readonly key: string | null }): void => {
        if (event.key === key || event.key === null) listener();
      };
      page.addEventListener('storage', hear);
      return () => page.removeEventListener('storage', hear);
    },
  };
}

function parseHeld(text: string | null): HeldTokens | null {
  try {
    const value = JSON.parse(text ?? 'null') as HeldTokens | null;
    return typeof value?.accessToken === 'string' && typeof value.expiresAtMs === 'number' ? value : null;
  } catch {
    return null;
  }
}
