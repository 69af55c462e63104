/**
 * Tracing by OpenTelemetry: spans of requests, of what they ask of the store and of the tokens they sign and
 * verify, sent in batches over OTLP/HTTP. Loaded by main, and only when an endpoint is set. No span says more of a
 * person than a metric may: a tenant and an outcome, never an argument or a result.
 */
import { Logger } from '@nestjs/common';
import { SpanKind, SpanStatusCode, trace, type Context, type Span } from '@opentelemetry/api';
import { AsyncLocalStorageContextManager } from '@opentelemetry/context-async-hooks';
import { setGlobalErrorHandler } from '@opentelemetry/core';
import { OTLPTraceExporter } from '@opentelemetry/exporter-trace-otlp-http';
import { defaultResource, resourceFromAttributes } from '@opentelemetry/resources';
import { BatchSpanProcessor, TracerProvider } from '@opentelemetry/sdk-trace';
import type { FastifyInstance } from 'fastify';
import type { TraceConfig } from '../config.js';
import { AppError } from '../errors.js';
import { SafeError } from '../logging/safe-error.js';
import { parseOtlpHeaders } from '../trace-settings.js';
import { Tracing, type EndingRequests, type SpanAttributes } from '../tracing.js';
import { RequestSpans, tenantOf, requestOf } from './request-spans.js';
import { samplerOf } from './sampler.js';

/** A batch is sent when it is full or this old. Spans that do not fit the queue are dropped, requests never wait. */
const BATCH_DELAY_MS = 2000;
const MAX_QUEUED_SPANS = 2048;
const MAX_BATCH_SPANS = 512;
const EXPORT_TIMEOUT_MS = 5000;
/** How long the last batch may take at shutdown: a receiver that is away must not keep the process. */
const FLUSH_TIMEOUT_MS = 3000;
const FAILURE_LOG_INTERVAL_MS = 60_000;

export class OtelTracing extends Tracing {
  private readonly context = new AsyncLocalStorageContextManager().enable();
  private readonly provider: TracerProvider;
  private readonly tracer;

  constructor(config: TraceConfig, { batchDelayMs = BATCH_DELAY_MS } = {}) {
    super();
    logFailures();
    const exporter = new OTLPTraceExporter({
      url: `${config.endpoint}/v1/traces`,
      headers: parseOtlpHeaders(config.headers.reveal()),
      timeoutMillis: EXPORT_TIMEOUT_MS,
    });
    this.provider = new TracerProvider({
      resource: defaultResource().merge(resourceFromAttributes({ 'service.name': config.serviceName })),
      sampler: samplerOf(config),
      spanProcessors: [
        new BatchSpanProcessor({
          exporter,
          maxQueueSize: MAX_QUEUED_SPANS,
          maxExportBatchSize: MAX_BATCH_SPANS,
          scheduledDelayMillis: batchDelayMs,
          exportTimeoutMillis: EXPORT_TIMEOUT_MS,
        }),
      ],
    });
    this.tracer = this.provider.getTracer('session-service');
  }

  override watch(server: FastifyInstance, requests: EndingRequests): void {
    new RequestSpans(this.tracer, this.context).watch(server, requests);
  }

  override around<T extends object>(group: string, watched: T, attributes: SpanAttributes = {}): T {
    const wrapped = new Map<PropertyKey, unknown>();
    return new Proxy(watched, {
      get: (target, name) => {
        const known = wrapped.get(name);
        if (known) return known;
        const member: unknown = Reflect.get(target, name, target);
        if (typeof member !== 'function') return member;
        const span = `${group}.${String(name)}`;
        const method = (...args: unknown[]): unknown =>
          this.inSpan(span, attributes, () => Reflect.apply(member, target, args) as unknown);
        wrapped.set(name, method);
        return method;
      },
    });
  }

  override async end(): Promise<void> {
    let timer: NodeJS.Timeout | undefined;
    const late = new Promise<void>((resolve) => (timer = setTimeout(resolve, FLUSH_TIMEOUT_MS)));
    await Promise.race([this.provider.shutdown().catch(() => undefined), late]);
    clearTimeout(timer);
  }

  /** Outside of requests, and of requests that are not sampled, the work is all there is. */
  private inSpan(name: string, attributes: SpanAttributes, work: () => unknown): unknown {
    const parent = this.context.active();
    if (!trace.getSpan(parent)) return work();
    const kind = 'db.system.name' in attributes ? SpanKind.CLIENT : SpanKind.INTERNAL;
    const span = this.tracer.startSpan(name, { kind, attributes }, parent);
    try {
      const result = this.context.with(trace.setSpan(parent, span), work);
      if (!(result instanceof Promise)) return succeeded(span, parent, result);
      return result.then(
        (value: unknown) => succeeded(span, parent, value),
        (error: unknown) => failed(span, parent, error),
      );
    } catch (error) {
      return failed(span, parent, error);
    }
  }
}

function succeeded<T>(span: Span, context: Context, result: T): T {
  finish(span, context, outcomeOf(result));
  return result;
}

function failed(span: Span, context: Context, error: unknown): never {
  const code = error instanceof AppError ? error.code : 'internal_error';
  if (!(error instanceof AppError) || error.status >= 500) span.setStatus({ code: SpanStatusCode.ERROR });
  finish(span, context, code);
  throw error;
}

function finish(span: Span, context: Context, outcome: string): void {
  const tenantId = tenantOf(requestOf(context));
  if (tenantId !== undefined) span.setAttribute('tenant_id', tenantId);
  span.setAttribute('outcome', outcome);
  span.end();
}

/** Ports answer with unions whose `outcome` or `error` is one of a closed list; everything else is a success. */
function outcomeOf(result: unknown): string {
  if (typeof result !== 'object' || result === null) return 'ok';
  if ('outcome' in result && typeof result.outcome === 'string') return result.outcome;
  if ('ok' in result && result.ok === false && 'error' in result) return String(result.error);
  return 'ok';
}

/** The SDK tells nobody unless it is asked to. One line a minute is enough of a receiver that is away. */
function logFailures(): void {
  const logger = new Logger('Traces');
  let loggedAtMs = Number.NEGATIVE_INFINITY;
  setGlobalErrorHandler((error) => {
    if (performance.now() - loggedAtMs < FAILURE_LOG_INTERVAL_MS) return;
    loggedAtMs = performance.now();
    logger.warn({ event: 'traces_not_sent', cause: SafeError.of(error) });
  });
}
