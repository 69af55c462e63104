/** Builds the application; main and the tests share it, so that what is tested is what runs. */
import { NestFactory } from '@nestjs/core';
import { FastifyAdapter, type NestFastifyApplication } from '@nestjs/platform-fastify';
import {
  fastify,
  type FastifyInstance,
  type FastifyReply,
  type FastifyRequest,
  type RouteOptions,
} from 'fastify';
import { AppModule } from './app.module.js';
import { SystemClock, type Clock } from './clock.js';
import type { Config } from './config.js';
import { AppError } from './errors.js';
import { speaksOAuth, type ProtectedRoute } from './http/access.js';
import { allowOrigins } from './http/cross-origin.js';
import { answerClientError, answerExpectation } from './http/client-error.js';
import { Drain } from './http/drain.js';
import { ErrorFilter } from './http/error.filter.js';
import { addGeneralHeaders } from './http/general-headers.js';
import { serveDocumentation } from './http/openapi.js';
import { RequestEnds } from './http/request-ends.js';
import { formProblem } from './http/request-form.js';
import { requestIdOf } from './http/request-id.js';
import { logRequestsTo } from './http/request-log.js';
import { SecurityHeaders } from './http/security-headers.js';
import { FormError, parseStrictForm } from './http/strict-form.js';
import { JsonError, parseStrictJson } from './http/strict-json.js';
import type { Log } from './logging/log.js';
import { NestLogger } from './logging/nest-logger.js';
import { ShortWay } from './sessions/short-way.js';
import { AccessGuard } from './tenants/access.guard.js';
import { RequestScope } from './request-scope.js';
import { StoreBudget } from './store-budget.js';
import { NoTracing, Tracing } from './tracing.js';
import { countTowardsEnd } from './turn-end.js';

const HEADERS_TIMEOUT_MS = 10_000;
const REQUEST_TIMEOUT_MS = 15_000;
/** Longer than the usual idle time-out of load balancers, so that it is they who close. */
const KEEP_ALIVE_TIMEOUT_MS = 72_000;

declare module 'fastify' {
  interface FastifyRequest {
    /** Of a request that asked the store before its body was there; all that it asks comes out of one budget. */
    storeBudget?: StoreBudget;
  }
}

export interface AppOptions {
  readonly clock?: Clock;
  /** Where lines go; false: nowhere. */
  readonly log: Log | false;
  readonly tracing?: Tracing;
}

/** @returns the application, initialised but not listening */
export async function createApp(
  config: Config,
  { clock = new SystemClock(), log, tracing = new NoTracing() }: AppOptions,
): Promise<NestFastifyApplication> {
  let filter: ErrorFilter | undefined;
  const server = fastify({
    bodyLimit: config.bodyLimitBytes,
    trustProxy: config.trustProxy === null ? false : [...config.trustProxy],
    // Requests on open connections are answered until the last one; new connections are refused.
    return503OnClosing: false,
    genReqId: requestIdOf,
    requestTimeout: REQUEST_TIMEOUT_MS,
    keepAliveTimeout: KEEP_ALIVE_TIMEOUT_MS,
    http: {
      headersTimeout: HEADERS_TIMEOUT_MS,
      connectionsCheckingInterval: 5000,
      requireHostHeader: false, // formProblem does, with an answer that says so
    },
    // What fastify refuses before routing, such as a path with broken percent-encoding: no hook sees it.
    frameworkErrors: (error: Error, request: FastifyRequest, reply: FastifyReply) => {
      app.get(RequestEnds).watch(request, reply);
      void reply.headers(app.get(SecurityHeaders).for(request.url));
      addGeneralHeaders(request, reply);
      filter?.answer(error, request, reply);
    },
    clientErrorHandler: answerClientError,
  });
  // Before the adapter has hooks of its own: the first of all is the one that sees every request.
  let arrive: Arrival = (_request, _reply, done) => done();
  server.addHook('onRequest', (request, reply, done) => arrive(request, reply, done));
  const adapter = new FastifyAdapter(server);
  const app = await NestFactory.create<NestFastifyApplication>(
    AppModule.with(config, clock, tracing),
    adapter,
    {
      logger: log ? new NestLogger(log) : false,
      bodyParser: false,
      abortOnError: false,
    },
  );
  filter = app.get(ErrorFilter);
  if (log) app.get(RequestEnds).listen(logRequestsTo(log));
  arrive = arrivalOf(app, config);
  prepareServer(server, app, config);
  await allowOrigins(server, config.corsOrigins);
  serveDocumentation(app);
  try {
    await app.init();
    await server.ready();
  } catch (error) {
    await app.close(); // what did not boot holds no store open
    throw error;
  }
  return app;
}

type Arrival = (request: FastifyRequest, reply: FastifyReply, done: () => void) => void;

/** What a request meets first: nothing before this refuses one. */
function arrivalOf(app: NestFastifyApplication, config: Config): Arrival {
  const requests = app.get(RequestEnds);
  const headers = app.get(SecurityHeaders);
  const shortWay = app.get(ShortWay, { strict: false });
  // Traces tell of each step, so with them nothing goes the short way.
  const isShort = config.traces === null;
  return (request, reply, done) => {
    countTowardsEnd();
    requests.watch(request, reply);
    const goOn = (): void => {
      void reply.headers(headers.for(request.url));
      done();
    };
    if (isShort) shortWay.enter(request, reply, goOn);
    else goOn();
  };
}

function prepareServer(server: FastifyInstance, app: NestFastifyApplication, config: Config): void {
  const drain = app.get(Drain);
  const guard = app.get(AccessGuard, { strict: false });
  const shortWay = app.get(ShortWay, { strict: false });
  const newBudget = (): StoreBudget => StoreBudget.ofRequest(config.redisCommandTimeoutMs);
  app.get(Tracing).watch(server, app.get(RequestEnds));
  server.server.on('checkExpectation', answerExpectation);
  server.addHook('onRequest', (request, _reply, done) => done(formProblem(request.raw) ?? undefined));
  server.removeAllContentTypeParsers();
  for (const { type, parse, oauth } of BODY_TYPES) {
    server.addContentTypeParser(type, { parseAs: 'buffer' }, (request, body, done) => {
      if (speaksOAuth(request) !== oauth) done(new AppError('unsupported_media_type'));
      else parseBody(body as Buffer, parse, done);
    });
  }
  server.addHook('onRoute', (route: RouteOptions) => {
    const { access, bodyLimit, shortWay: operation } = (route.config ?? {}) as ProtectedRoute;
    if (access === undefined) return;
    route.onRequest = guard.enter.bind(guard);
    if (operation) {
      route.preParsing = (request, _reply, payload, done) => done(null, shortWay.bodyOf(request, payload));
    }
    if (bodyLimit === undefined) return;
    route.bodyLimit = Math.max(bodyLimit, server.initialConfig.bodyLimit ?? 0);
    // The guard proper comes after the body: nobody unknown gets megabytes parsed first.
    const admit = async (request: FastifyRequest, reply: FastifyReply): Promise<void> => {
      request.storeBudget = newBudget();
      await RequestScope.run(request.storeBudget, () => guard.admit(request, reply, access));
    };
    route.onRequest = [guard.enter.bind(guard), admit];
  });
  // Once the body has arrived: how long that took is the client's affair.
  server.addHook('preHandler', (request, _reply, done) => {
    RequestScope.run(request.storeBudget ?? newBudget(), done);
  });
  server.addHook('onSend', (request, reply, payload, done) => {
    addGeneralHeaders(request, reply);
    // A connection kept alive would keep a process alive that wants to leave.
    if (drain.draining) void reply.header('connection', 'close');
    done(null, payload);
  });
}

/** Each route takes one of them. */
const BODY_TYPES = [
  { type: 'application/json', parse: parseJsonObject, oauth: false },
  { type: 'application/x-www-form-urlencoded', parse: parseStrictForm, oauth: true },
];

function parseBody(
  body: Buffer,
  parse: (bytes: Buffer) => object,
  done: (error: Error | null, value?: unknown) => void,
): void {
  if (body.length === 0) return done(null, undefined);
  try {
    done(null, parse(body));
  } catch (error) {
    if (!(error instanceof JsonError || error instanceof FormError)) throw error;
    done(new AppError('invalid_request', { description: error.message }));
  }
}

function parseJsonObject(bytes: Buffer): object {
  const value = parseStrictJson(bytes);
  // null would pass for an empty body.
  if (typeof value === 'object' && value !== null && !Array.isArray(value)) return value;
  throw new JsonError('The body must be a JSON object.');
}
