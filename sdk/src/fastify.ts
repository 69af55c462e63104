/** A plugin and a hook for Fastify 4 and 5. Of Fastify it takes types alone. */
import type { FastifyInstance, FastifyReply, FastifyRequest } from 'fastify';
import { authenticate, RequestRefused, type RequirementOptions, type TokenVerifier } from './bearer.js';
import type { Session } from './session.js';

export { RequestRefused, type RequirementOptions, type TokenVerifier } from './bearer.js';

declare module 'fastify' {
  interface FastifyRequest {
    /** The session of the bearer token, behind `requireSession`; null before. */
    auth: Session | null;
  }
  interface FastifyInstance {
    /** A hook for `onRequest` or `preHandler`. */
    requireSession(options?: RequirementOptions): SessionHook;
  }
}

export type SessionHook = (request: FastifyRequest, reply: FastifyReply) => Promise<void>;

/**
 * A hook (`onRequest` or `preHandler`) that lets a request pass whose bearer token is good, with its session as
 * `request.auth`. Anything else it answers itself.
 */
export function requireSession(verifier: TokenVerifier, options: RequirementOptions = {}): SessionHook {
  return async (request, reply) => {
    try {
      request.auth = await authenticate(verifier, request.headers.authorization, options);
    } catch (error) {
      if (!(error instanceof RequestRefused)) throw error;
      await reply.code(error.statusCode).headers(error.headers).send(error.body);
    }
  };
}

/** Decorates requests with `auth`, and the instance with `requireSession`. */
export function sessions(
  instance: FastifyInstance,
  { verifier }: { readonly verifier: TokenVerifier },
  done: (error?: Error) => void,
): void {
  instance.decorateRequest('auth', null);
  instance.decorate('requireSession', (options?: RequirementOptions) => requireSession(verifier, options));
  done();
}

/** For the instance that registers it, not for a child of it alone: what the package fastify-plugin would do. */
Object.assign(sessions, {
  [Symbol.for('skip-override')]: true,
  [Symbol.for('fastify.display-name')]: 'session-service-sdk',
});
