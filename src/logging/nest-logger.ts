/** What Nest and the features log through: nestjs-pino's logger, without what Nest says of itself while it starts. */
import { Logger, PinoLogger, type Params } from 'nestjs-pino';
import type { Log } from './log.js';

/** What Nest says of itself while it wires modules and routes tells an operator nothing. */
const SILENT_CONTEXTS = new Set([
  'NestFactory',
  'InstanceLoader',
  'RoutesResolver',
  'RouterExplorer',
  'NestApplication',
]);

/** What goes wrong in the boot is thrown as well, and then said in a sentence by main. */
const THROWN_AS_WELL = new Set(['ExceptionHandler', 'NestApplication']);

/**
 * nestjs-pino's middleware stays out: a middleware costs every request 10 µs and more in Nest on fastify, before it
 * has logged anything. The one line a request is written where requests end, see http/request-log.ts.
 */
export class NestLogger extends Logger {
  constructor(log: Log) {
    const params: Params = { pinoHttp: { logger: log } };
    super(new PinoLogger(params), params);
  }

  override error(message: unknown, ...rest: unknown[]): void {
    if (!THROWN_AS_WELL.has(rest.at(-1) as string)) super.error(message, ...rest);
  }

  override log(message: unknown, ...rest: unknown[]): void {
    if (!SILENT_CONTEXTS.has(rest.at(-1) as string)) super.log(message, ...rest);
  }
}
