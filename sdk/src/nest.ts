/** A guard for Nest, on Express or on Fastify. It needs nothing of Nest's at run time. */
import { authenticate, RequestRefused, type RequirementOptions, type TokenVerifier } from './bearer.js';
import type { Session } from './session.js';

export { RequestRefused, type RequirementOptions, type TokenVerifier } from './bearer.js';

/** A request behind the guard. */
export interface AuthenticatedRequest {
  readonly auth: Session;
}

interface IncomingRequest {
  readonly headers: { readonly authorization?: string | undefined };
  auth?: Session | null;
}

interface OutgoingResponse {
  /** Express. */
  setHeader?(name: string, value: string): unknown;
  /** Fastify. */
  header?(name: string, value: string): unknown;
}

interface Context {
  switchToHttp(): { getRequest(): unknown; getResponse(): unknown };
}

export interface GuardOptions extends RequirementOptions {
  /**
   * Nest's own class, from `@nestjs/common`. With it the answer has the body of the service's errors, and a refusal is
   * no error in Nest's log.
   */
  readonly HttpException?: (new (body: Record<string, unknown>, status: number) => Error) | undefined;
}

/**
 * Lets a request pass whose bearer token is good, with its session as `request.auth`. Otherwise it sets the headers of
 * the answer and throws, for Nest's filter or one of yours.
 */
export class SessionGuard {
  constructor(
    private readonly verifier: TokenVerifier,
    private readonly options: GuardOptions = {},
  ) {}

  async canActivate(context: Context): Promise<boolean> {
    const http = context.switchToHttp();
    const request = http.getRequest() as IncomingRequest;
    try {
      request.auth = await authenticate(this.verifier, request.headers.authorization, this.options);
      return true;
    } catch (error) {
      if (!(error instanceof RequestRefused)) throw error;
      setHeaders(http.getResponse() as OutgoingResponse, error.headers);
      const { HttpException } = this.options;
      throw HttpException ? new HttpException({ ...error.body }, error.statusCode) : error;
    }
  }
}

function setHeaders(response: OutgoingResponse, headers: Readonly<Record<string, string>>): void {
  for (const [name, value] of Object.entries(headers)) {
    if (response.setHeader) response.setHeader(name, value);
    else response.header?.(name, value);
  }
}
