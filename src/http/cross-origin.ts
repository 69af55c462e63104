/**
 * What web pages of other origins may read: tenants' public keys and where they are found, and only for the origins
 * that are configured.
 * Everything else needs an API key, which has no place in a browser.
 */
import cors, { type FastifyCorsOptions } from '@fastify/cors';
import type { FastifyInstance, FastifyRequest } from 'fastify';

const OF_TENANTS =
  /^\/tenants\/[^/?]+\/(?:jwks|\.well-known\/(?:jwks\.json|openid-configuration|oauth-authorization-server))(?:\?|$)/;
const INSERTED = /^\/\.well-known\/oauth-authorization-server\/tenants\/[^/?]+(?:\?|$)/;
const isPublic = (url: string): boolean => OF_TENANTS.test(url) || INSERTED.test(url);

const PREFLIGHT_LIFE_SECONDS = 3600;

/** Closed when there are no origins. */
export async function allowOrigins(server: FastifyInstance, origins: readonly string[]): Promise<void> {
  if (origins.length === 0) return;
  const open: FastifyCorsOptions = {
    origin: [...origins],
    methods: ['GET', 'HEAD'],
    allowedHeaders: ['If-None-Match'],
    exposedHeaders: ['ETag'],
    maxAge: PREFLIGHT_LIFE_SECONDS,
  };
  await server.register(cors, {
    delegator: (request: FastifyRequest, done: (error: Error | null, options?: FastifyCorsOptions) => void) =>
      done(null, isPublic(request.url) ? open : { origin: false }),
  });
}
