/**
 * The access policy of a route, declared once: what the guard enforces and what the OpenAPI document says.
 * A route without one is refused.
 */
import { applyDecorators, SetMetadata, UseInterceptors } from '@nestjs/common';
import { RouteConfig } from '@nestjs/platform-fastify';
import { ApiExtension, ApiSecurity } from '@nestjs/swagger';
import type { FastifyRequest } from 'fastify';
import { ApiErrors, ApiOAuthErrors } from './api-errors.js';
import { HappeningsInterceptor } from './happenings.interceptor.js';

export const SCOPES = [
  'sessions:create',
  'sessions:validate',
  'sessions:refresh',
  'sessions:revoke',
  'sessions:read',
  'revocations:read',
  'keys:manage',
  'api_keys:manage',
  'audit:read',
] as const;
export type Scope = (typeof SCOPES)[number];

export type AccessPolicy =
  | { readonly who: 'anyone' }
  | { readonly who: 'platform' }
  | { readonly who: 'tenant'; readonly scope: Scope }
  | { readonly who: 'platform-or-tenant'; readonly scope: Scope };

export type ShortWayOperation = 'validate' | 'create' | 'refresh';

/** What a route may need beside its policy. */
interface RouteNeeds {
  /** Bytes; where it is missing, the configured limit holds. */
  readonly bodyLimit?: number;
  /** A good request is answered before the framework's router: `sessions/short-way.ts`. */
  readonly shortWay?: ShortWayOperation;
  /** Takes forms, authenticates OAuth clients, and answers errors in the words of RFC 6749. */
  readonly oauth?: boolean;
}

/** The configuration of a fastify route that is not public. */
export interface ProtectedRoute extends RouteNeeds {
  readonly access?: AccessPolicy;
}

export const ACCESS_POLICY = 'access-policy';
export const API_KEY_SCHEME = 'api_key';
export const METRICS_TOKEN_SCHEME = 'metrics_token';
export const OAUTH_CLIENT_SCHEME = 'oauth_client';

/** The route that a request was matched to. */
export interface MatchedRoute {
  /** Its template, such as `/tenants/:id`; undefined when there is none. */
  readonly template: string | undefined;
  readonly config: ProtectedRoute;
}

declare module 'fastify' {
  interface FastifyRequest {
    matched?: MatchedRoute;
  }
}

/** Kept, because fastify puts its own answer to this together anew each time; not for what is sent on to nowhere. */
export function routeOf(request: FastifyRequest): MatchedRoute {
  if (request.matched && !request.is404) return request.matched;
  const { url: template, config } = request.routeOptions;
  return (request.matched = { template, config: (config ?? {}) as ProtectedRoute });
}

/** Whether the matched route does; false where there is none. */
export function speaksOAuth(request: FastifyRequest): boolean {
  return routeOf(request).config.oauth === true;
}

/** Open to everybody: health, metrics, public keys. */
export const Public = () => SetMetadata(ACCESS_POLICY, { who: 'anyone' } satisfies AccessPolicy);

/** For the platform key alone. */
export const ForPlatform = () => protectedBy({ who: 'platform' });

/** For an API key of the tenant with this scope. */
export const ForTenant = (scope: Scope, needs: RouteNeeds = {}) =>
  protectedBy({ who: 'tenant', scope }, needs);

/** For the platform key, or an API key of the tenant in the path with this scope. */
export const ForPlatformOrTenant = (scope: Scope) => protectedBy({ who: 'platform-or-tenant', scope });

/** For an OAuth client of the tenant in the path: an API key of it with this scope, as a client's id and secret. */
export const ForOAuthClient = (scope: Scope) => protectedBy({ who: 'tenant', scope }, { oauth: true });

function protectedBy(policy: AccessPolicy, needs: RouteNeeds = {}) {
  // A validation changes nothing, is the hot path, and an interceptor costs a tenth of it.
  const isHot = 'scope' in policy && policy.scope === 'sessions:validate';
  return applyDecorators(
    SetMetadata(ACCESS_POLICY, policy),
    RouteConfig({ access: policy, ...needs } satisfies ProtectedRoute),
    ...(isHot ? [] : [UseInterceptors(HappeningsInterceptor)]),
    ApiSecurity(API_KEY_SCHEME),
    ...(needs.oauth ? [ApiSecurity(OAUTH_CLIENT_SCHEME)] : []),
    ApiExtension('x-access', policy),
    (needs.oauth ? ApiOAuthErrors : ApiErrors)(
      'unauthorized',
      'insufficient_scope',
      'rate_limited',
      'store_unavailable',
    ),
  );
}
