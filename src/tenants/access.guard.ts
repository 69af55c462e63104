/**
 * The global guard: recognises the caller and holds it to the matched route's policy. Fails closed: no policy,
 * no entry.
 */
import { hash, timingSafeEqual } from 'node:crypto';
import { Injectable, type CanActivate, type ExecutionContext } from '@nestjs/common';
import { Reflector } from '@nestjs/core';
import type { FastifyReply, FastifyRequest } from 'fastify';
import { Config } from '../config.js';
import { AppError } from '../errors.js';
import { ACCESS_POLICY, routeOf, speaksOAuth, type AccessPolicy } from '../http/access.js';
import { ErrorFilter } from '../http/error.filter.js';
import { requireOwnTenant, type Principal, type TenantPrincipal } from '../http/principal.js';
import { refuseUnreadInput } from '../http/unread-input.js';
import { parseApiKey, type ApiKey, type PresentedApiKey } from './api-key.js';
import { ApiKeysService } from './api-keys.service.js';
import { FailedAuthentications } from './failed-authentications.js';
import { presentedKey, requireOneWay } from './presented-key.js';
import { RateLimiter, type Admission } from './rate-limiter.js';
import type { Tenant } from './tenant.js';
import { TenantsService } from './tenants.service.js';

/** What the rate limits say of a request. */
export interface Counted {
  readonly headers: Admission['headers'];
  readonly refusal: AppError | null;
}

/** Nobody is told to wait for much longer than MAX_DEBT_SECONDS. */
const MAX_REFUSALS = 1000;

/** A key that nobody has. */
const NOBODY: PresentedApiKey = { tenantId: 'nobody', keyId: '0'.repeat(16), secret: '' };

@Injectable()
export class AccessGuard implements CanActivate {
  private readonly refusals = new Map<number, AppError>();
  private readonly principals = new WeakMap<ApiKey, TenantPrincipal>();

  constructor(
    private readonly reflector: Reflector,
    private readonly config: Config,
    private readonly apiKeys: ApiKeysService,
    private readonly tenants: TenantsService,
    private readonly limiter: RateLimiter,
    private readonly failures: FailedAuthentications,
    private readonly errors: ErrorFilter,
  ) {}

  async canActivate(context: ExecutionContext): Promise<boolean> {
    const policy = this.reflector.get<AccessPolicy | undefined>(ACCESS_POLICY, context.getHandler());
    if (policy?.who === 'anyone') return true;
    const http = context.switchToHttp();
    const request = http.getRequest<FastifyRequest>();
    requireOneWay(request);
    const principal = await this.admit(request, http.getResponse<FastifyReply>(), policy);
    authorise(policy, principal);
    if (principal.kind === 'tenant') await this.requireActive(principal, policy, request);
    refuseUnreadInput(context, request);
    return true;
  }

  /**
   * A fastify hook, before the body is read: whom this instance has in memory is recognised and counted here, and a
   * flood costs no more than that. Everybody else is left to `admit`. It asks no store and waits for nothing.
   */
  enter(request: FastifyRequest, reply: FastifyReply, done: () => void): void {
    const counted = request.isGreeted ? undefined : this.greet(request);
    if (counted?.headers) void reply.headers(counted.headers);
    // Without the way through the framework's error handling: what a flood is answered must cost little.
    if (counted?.refusal) this.errors.answer(counted.refusal, request, reply);
    else done();
  }

  /** Recognises a caller and counts the request, from memory. @returns undefined for whom memory does not know */
  greet(request: FastifyRequest): Counted | undefined {
    request.isGreeted = true;
    const principal = this.recall(request);
    const tenant = principal && this.tenants.peek(principal.tenantId);
    if (!tenant) return undefined;
    request.principal = principal;
    return this.count(principal, tenant, request, accessOf(request));
  }

  /** As `canActivate`, of a caller who was greeted. @returns undefined when that must judge, or would refuse */
  recallAdmitted(request: FastifyRequest): TenantPrincipal | undefined {
    const { principal } = request;
    if (principal?.kind !== 'tenant' || !request.isCounted) return undefined;
    if (!tenantMay(accessOf(request), principal)) return undefined;
    return this.tenants.peek(principal.tenantId)?.status === 'active' ? principal : undefined;
  }

  /**
   * Recognises the caller and counts the request, unless that was done before.
   * @throws AppError unauthorized, rate_limited
   */
  async admit(
    request: FastifyRequest,
    reply: FastifyReply,
    policy: AccessPolicy | undefined,
  ): Promise<Principal> {
    // Known from here on, also to whoever records a refusal; a handler is only reached at the end.
    const principal = (request.principal ??= await this.identify(request));
    if (principal.kind === 'platform' || request.isCounted) return principal;
    const tenant = await this.tenants.get(principal.tenantId);
    const { refusal, headers } = this.count(principal, tenant, request, policy);
    if (headers) void reply.headers(headers);
    if (refusal) throw refusal;
    return principal;
  }

  /** @throws AppError unauthorized; rate_limited when that happened too often from where the request comes from */
  private async identify(request: FastifyRequest): Promise<Principal> {
    try {
      const principal = await this.recognise(presentedKey(request));
      if (isForeignClient(principal, request)) throw new AppError('unauthorized');
      return principal;
    } catch (error) {
      if (!(error instanceof AppError) || error.code !== 'unauthorized') throw error;
      const retryAfterSeconds = this.failures.count(request.ip);
      if (retryAfterSeconds === null) throw error;
      throw new AppError('rate_limited', {
        description: 'Too many requests without a valid API key: wait as long as Retry-After says.',
        retryAfterSeconds,
      });
    }
  }

  private count(
    principal: TenantPrincipal,
    tenant: Tenant,
    request: FastifyRequest,
    policy: AccessPolicy | undefined,
  ): Counted {
    request.isCounted = true;
    // Who is flooded, or floods, can still log people out.
    const urgent = policy !== undefined && 'scope' in policy && policy.scope === 'sessions:revoke';
    const { retryAfterSeconds, headers } = this.limiter.admit(principal, tenant, { urgent });
    return { headers, refusal: retryAfterSeconds === null ? null : this.refusalFor(retryAfterSeconds) };
  }

  /** One for each time to wait: making an error costs as much as all else of a refusal. */
  private refusalFor(retryAfterSeconds: number): AppError {
    let refusal = this.refusals.get(retryAfterSeconds);
    if (!refusal) {
      refusal = new AppError('rate_limited', { retryAfterSeconds });
      if (this.refusals.size < MAX_REFUSALS) this.refusals.set(retryAfterSeconds, refusal);
    }
    return refusal;
  }

  /** As `recognise`, from memory alone. */
  private recall(request: FastifyRequest): TenantPrincipal | undefined {
    const text = presentedKey(request);
    const presented = text === undefined ? null : parseApiKey(text);
    const apiKey = presented && this.apiKeys.recall(presented);
    const principal = apiKey ? this.principalOf(presented, apiKey) : undefined;
    return principal && isForeignClient(principal, request) ? undefined : principal;
  }

  /** One for each key that is in memory: whoever looks something up by its tenant does so by the same string. */
  private principalOf(presented: PresentedApiKey, apiKey: ApiKey): TenantPrincipal {
    let principal = this.principals.get(apiKey);
    if (!principal) this.principals.set(apiKey, (principal = toPrincipal(presented, apiKey)));
    return principal;
  }

  /** Every credential that is not good is refused alike. @throws AppError unauthorized */
  private async recognise(text: string | undefined): Promise<Principal> {
    if (text === undefined) throw new AppError('unauthorized');
    const presented = parseApiKey(text);
    if (presented) {
      const apiKey = await this.apiKeys.authenticate(presented);
      if (apiKey) return toPrincipal(presented, apiKey);
    }
    const digest = hash('sha256', text, 'buffer');
    if (timingSafeEqual(digest, this.config.adminApiKeyDigest)) return { kind: 'platform' };
    // As much work as for a key that has the right form.
    if (!presented) await this.apiKeys.authenticate(NOBODY);
    throw new AppError('unauthorized');
  }

  private async requireActive(
    principal: TenantPrincipal,
    policy: AccessPolicy | undefined,
    request: FastifyRequest,
  ): Promise<void> {
    if (policy?.who === 'platform-or-tenant') requireOwnTenant(principal, tenantInPath(request));
    const tenant = await this.tenants.get(principal.tenantId);
    if (tenant.status === 'suspended') throw new AppError('tenant_suspended');
  }
}

function toPrincipal(presented: PresentedApiKey, apiKey: ApiKey): TenantPrincipal {
  const { keyId, name, scopes, rateLimitPerSecond } = apiKey;
  // A copy: a part of the header's text would keep all of it in memory, and the secret with it.
  const tenantId = Buffer.from(presented.tenantId).toString();
  return { kind: 'tenant', tenantId, keyId, keyName: name, scopes, rateLimitPerSecond };
}

function accessOf(request: FastifyRequest): AccessPolicy | undefined {
  return routeOf(request).config.access;
}

/** Each tenant is an authorization server of its own: clients of another are unknown to it. */
function isForeignClient(principal: Principal, request: FastifyRequest): boolean {
  return principal.kind === 'tenant' && speaksOAuth(request) && principal.tenantId !== tenantInPath(request);
}

/** Routes for the platform or a tenant, and those for OAuth clients, name the tenant in their path. */
function tenantInPath(request: FastifyRequest): string {
  return (request.params as { id?: string }).id ?? '';
}

function authorise(policy: AccessPolicy | undefined, principal: Principal): void {
  const allowed = principal.kind === 'platform' ? platformMay(policy) : tenantMay(policy, principal);
  if (!allowed) throw new AppError('insufficient_scope', { description: remedyFor(policy) });
}

function platformMay(policy: AccessPolicy | undefined): boolean {
  return policy?.who === 'platform' || policy?.who === 'platform-or-tenant';
}

function tenantMay(policy: AccessPolicy | undefined, { scopes }: TenantPrincipal): boolean {
  return (policy?.who === 'tenant' || policy?.who === 'platform-or-tenant') && scopes.includes(policy.scope);
}

function remedyFor(policy: AccessPolicy | undefined): string {
  switch (policy?.who) {
    case 'platform':
      return 'This call needs the platform key.';
    case 'tenant':
      return `This call needs an API key of the tenant with the scope ${policy.scope}.`;
    case 'platform-or-tenant':
      return `This call needs the platform key, or an API key of the tenant with the scope ${policy.scope}.`;
    default:
      return 'This call is not open to anybody.';
  }
}
