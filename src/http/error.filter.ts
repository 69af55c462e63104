/**
 * The one place where a failure becomes an answer. It sees what interceptors do not: guard refusals, broken
 * JSON, unknown addresses and fastify's own errors.
 */
import { Catch, HttpException, Logger, type ArgumentsHost, type ExceptionFilter } from '@nestjs/common';
import type { FastifyReply, FastifyRequest } from 'fastify';
import { AppError } from '../errors.js';
import { speaksOAuth } from './access.js';
import { Happenings } from './happenings.js';
import { SafeError } from '../logging/safe-error.js';
import { toOAuthError } from './oauth-errors.js';

const OUTAGE_LOG_INTERVAL_MS = 1000;

@Catch()
export class ErrorFilter implements ExceptionFilter {
  private readonly logger = new Logger('Errors');
  private outageLoggedAtMs = Number.NEGATIVE_INFINITY;
  private outagesNotLogged = 0;

  constructor(private readonly happenings: Happenings) {}

  catch(exception: unknown, host: ArgumentsHost): void {
    const http = host.switchToHttp();
    this.answer(exception, http.getRequest<FastifyRequest>(), http.getResponse<FastifyReply>());
  }

  /** Also fastify's own error handler, for what fails before a route is entered. */
  answer(exception: unknown, request: FastifyRequest, reply: FastifyReply): void {
    if (exception instanceof HttpException && isHealthReport(exception)) {
      if (!reply.sent) void reply.status(exception.getStatus()).send(exception.getResponse());
      return;
    }
    const error = toAppError(exception);
    request.refusedWith = error.code;
    this.happenings.refused(request, error.code);
    if (reply.sent) return;
    if (error.status >= 500) this.log(error, request.id);
    if (error.retryAfterSeconds !== undefined)
      void reply.header('retry-after', String(error.retryAfterSeconds));
    const said = speaksOAuth(request) ? toOAuthError(error) : { ...error, headers: {} };
    void reply.headers(said.headers);
    void reply.status(said.status).send({ ...said.answer, request_id: request.id });
  }

  private log(error: AppError, requestId: string): void {
    const entry = { event: error.code, request_id: requestId };
    if (error.code === 'internal_error') {
      this.logger.error({ ...entry, cause: SafeError.of(error.cause, { stack: true }) });
      return;
    }
    // An outage is one line a second, not one a request.
    if (performance.now() - this.outageLoggedAtMs < OUTAGE_LOG_INTERVAL_MS) {
      this.outagesNotLogged++;
      return;
    }
    this.logger.warn({
      ...entry,
      cause: error.cause === undefined ? undefined : SafeError.of(error.cause),
      as_many_before: this.outagesNotLogged,
    });
    this.outageLoggedAtMs = performance.now();
    this.outagesNotLogged = 0;
  }
}

/** terminus throws its report; it is an answer of its own shape, not an error of the table. */
function isHealthReport(exception: HttpException): boolean {
  const body = exception.getResponse();
  return exception.getStatus() === 503 && typeof body === 'object' && 'details' in body;
}

/** @returns the row that says it; anything unknown is an internal_error with the original as its cause */
export function toAppError(exception: unknown): AppError {
  if (exception instanceof AppError) return exception;
  switch (statusOf(exception)) {
    case 404:
    case 405:
      return new AppError('not_found');
    case 413:
      return new AppError('payload_too_large');
    case 415:
      return new AppError('unsupported_media_type');
    case 429:
      return new AppError('rate_limited');
    case undefined:
      return new AppError('internal_error', { cause: exception });
    default:
      return new AppError('invalid_request');
  }
}

/** The 4xx status of a Nest or fastify error; undefined for everything that is the service's own fault. */
function statusOf(exception: unknown): number | undefined {
  const status =
    exception instanceof HttpException
      ? exception.getStatus()
      : (exception as { statusCode?: unknown } | null)?.statusCode;
  return typeof status === 'number' && status >= 400 && status < 500 ? status : undefined;
}
