/** Makes each request a server span, as a child of what the caller's `traceparent` names. */
import {
  createContextKey,
  defaultTextMapGetter,
  ROOT_CONTEXT,
  SpanKind,
  SpanStatusCode,
  trace,
  type Context,
  type ContextManager,
  type Span,
  type Tracer,
} from '@opentelemetry/api';
import { W3CTraceContextPropagator } from '@opentelemetry/core';
import type { FastifyInstance, FastifyRequest } from 'fastify';
import '../http/principal.js';
import '../http/request-ends.js';
import type { EndingRequests } from '../tracing.js';

/** Asked every few seconds by machines, about nothing that a trace explains. */
const NOT_TRACED = /^\/(health|metrics|docs)(\/|$)/;
const REQUEST = createContextKey('request');

export class RequestSpans {
  private readonly propagator = new W3CTraceContextPropagator();
  private readonly contexts = new WeakMap<FastifyRequest, Context>();

  constructor(
    private readonly tracer: Tracer,
    private readonly context: ContextManager,
  ) {}

  watch(server: FastifyInstance, requests: EndingRequests): void {
    server.addHook('onRequest', (request, _reply, done) => this.begin(request, done));
    // Again, because the body arrives in the connection's context, not in the request's.
    server.addHook('preHandler', (request, _reply, done) => this.enter(request, done));
    requests.listen(({ request, status }) => this.end(request, status));
  }

  private begin(request: FastifyRequest, done: () => void): void {
    const route = routeOf(request);
    if (NOT_TRACED.test(route)) return done();
    const parent = this.propagator.extract(ROOT_CONTEXT, request.headers, defaultTextMapGetter);
    const span = this.tracer.startSpan(
      `${request.method} ${route}`,
      {
        kind: SpanKind.SERVER,
        attributes: {
          'http.request.method': request.method,
          'http.route': route,
          request_id: request.id,
        },
      },
      parent,
    );
    // What is not kept needs no context: nothing beneath it is to be a span.
    if (!span.isRecording()) return done();
    this.contexts.set(request, trace.setSpan(parent, span).setValue(REQUEST, request));
    this.enter(request, done);
  }

  private enter(request: FastifyRequest, done: () => void): void {
    const context = this.contexts.get(request);
    if (!context) return done();
    this.context.with(context, done);
  }

  private end(request: FastifyRequest, status: number): void {
    const span = spanOf(this.contexts.get(request));
    if (!span) return;
    const tenantId = tenantOf(request);
    if (tenantId !== undefined) span.setAttribute('tenant_id', tenantId);
    span.setAttribute('http.response.status_code', status);
    span.setAttribute('outcome', outcomeOf(request));
    if (status >= 500) span.setStatus({ code: SpanStatusCode.ERROR });
    span.end();
  }
}

function spanOf(context: Context | undefined): Span | undefined {
  return context && trace.getSpan(context);
}

/** The request that is served in this context. */
export function requestOf(context: Context): FastifyRequest | undefined {
  return context.getValue(REQUEST) as FastifyRequest | undefined;
}

/** The caller's tenant, or the one that the platform's call is about; none before the guard knew the caller. */
export function tenantOf(request: FastifyRequest | undefined): string | undefined {
  if (!request?.principal) return undefined;
  const { principal, params } = request;
  return principal.kind === 'tenant' ? principal.tenantId : (params as { id?: string }).id;
}

/** `ok`, or the code of the error that it was answered with. */
function outcomeOf({ refusedWith, validated }: FastifyRequest): string {
  if (refusedWith !== undefined) return refusedWith;
  return validated === undefined || validated.result === 'valid' ? 'ok' : validated.result;
}

/** The matched template, never the address as it was sent: that names sessions. */
function routeOf(request: FastifyRequest): string {
  return request.routeOptions.url ?? 'unmatched';
}
