/**
 * What web pages of other origins may read: tenants' public keys, and only for the origins that are configured.
 * Everything else needs an API key, which has no place in a browser.
 */
import cors, { type FastifyCorsOptions } from '@fastify/cors';
import type { FastifyInstance, FastifyRequest } from 'fastify';

const PUBLIC_KEYS = /^\/tenants\/[^/?]+\/(?:jwks|\.well-known\/jwks\.json)(?:\?|$)/;
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
      done(null, PUBLIC_KEYS.test(request.url) ? open : { origin: false }),
  });
}
