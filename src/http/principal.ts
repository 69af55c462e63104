/** Who is calling: what the access guard found out, and what the rest may know of it. */
import { createParamDecorator, type ExecutionContext } from '@nestjs/common';
import type { FastifyRequest } from 'fastify';
import { AppError } from '../errors.js';
import type { Scope } from './access.js';

/** The platform's operator (all tenants) or one API key of one tenant. */
export type Principal =
  | { readonly kind: 'platform' }
  | {
      readonly kind: 'tenant';
      readonly tenantId: string;
      readonly keyId: string;
      /** For people: which service holds the key. */
      readonly keyName: string;
      readonly scopes: readonly Scope[];
      /** Of this API key alone, where it has one. */
      readonly rateLimitPerSecond?: number | undefined;
    };

export type TenantPrincipal = Extract<Principal, { kind: 'tenant' }>;

declare module 'fastify' {
  interface FastifyRequest {
    /** Set by the access guard on every route that is not public, as soon as the caller is known. */
    principal?: Principal;
    /** Whether memory was asked for the caller: once is enough. */
    isGreeted?: boolean;
    /** Whether the caller's rate limits were asked for this request. */
    isCounted?: boolean;
  }
}

/** The caller of a route; on routes with a tenant's policy it is that tenant's API key. */
export const Caller = createParamDecorator((_: unknown, context: ExecutionContext): Principal => {
  const principal = context.switchToHttp().getRequest<FastifyRequest>().principal;
  if (!principal) throw new AppError('unauthorized');
  return principal;
});

/**
 * Refuses a caller who names a tenant that is not its own, in the words used for a tenant that does not exist.
 * @throws AppError tenant_not_found
 */
export function requireOwnTenant(caller: Principal, tenantId: string): void {
  if (caller.kind === 'tenant' && caller.tenantId !== tenantId) throw new AppError('tenant_not_found');
}
