/** Middleware for Express 4 and 5, and for whatever else has its shape. */
import { authenticate, RequestRefused, type RequirementOptions, type TokenVerifier } from './bearer.js';
import type { Session } from './session.js';

export { RequestRefused, type RequirementOptions, type TokenVerifier } from './bearer.js';

declare global {
  namespace Express {
    interface Request {
      /** The session of the bearer token, behind `requireSession`. */
      auth?: Session;
    }
  }
}

interface IncomingRequest {
  readonly headers: { readonly authorization?: string | undefined };
  auth?: Session;
}

interface OutgoingResponse {
  setHeader(name: string, value: string): unknown;
  statusCode: number;
  end(body: string): unknown;
}

type Middleware = (
  request: IncomingRequest,
  response: OutgoingResponse,
  next: (error?: unknown) => void,
) => void;

/**
 * Lets a request pass whose bearer token is good, with its session as `request.auth`. Anything else it answers itself:
 * 401 or 403 with a challenge, or 503 when nothing can be said about the token now.
 */
export function requireSession(verifier: TokenVerifier, options: RequirementOptions = {}): Middleware {
  const check = async (
    request: IncomingRequest,
    response: OutgoingResponse,
    next: (error?: unknown) => void,
  ): Promise<void> => {
    try {
      request.auth = await authenticate(verifier, request.headers.authorization, options);
    } catch (error) {
      if (error instanceof RequestRefused) return answer(response, error);
      return next(error);
    }
    return next();
  };
  return (request, response, next) => void check(request, response, next);
}

function answer(response: OutgoingResponse, { statusCode, headers, body }: RequestRefused): void {
  response.statusCode = statusCode;
  for (const [name, value] of Object.entries(headers)) response.setHeader(name, value);
  response.setHeader('content-type', 'application/json; charset=utf-8');
  response.end(JSON.stringify(body));
}
