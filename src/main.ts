/** Boots the service, and lets it go in good order. */
import cluster from 'node:cluster';
import { setTimeout } from 'node:timers/promises';
import type { NestFastifyApplication } from '@nestjs/platform-fastify';
import { createApp } from './app.setup.js';
import { parseConfig, readEnvironment, type Config } from './config.js';
import { BootError } from './errors.js';
import { parseDevelopmentConfig } from './development-secrets.js';
import { demoWalk, ensureDemoTenant } from './first-boot.js';
import { Drain } from './http/drain.js';
import { createLog, type Log } from './logging/log.js';
import { SafeError } from './logging/safe-error.js';
import { NoTracing, type Tracing } from './tracing.js';
import { Workers } from './workers.js';

async function main(): Promise<void> {
  const env = readEnvironment();
  const inProduction = env['NODE_ENV'] === 'production';
  const config = inProduction ? parseConfig(env) : parseDevelopmentConfig(env);
  const log = createLog(config.logLevel);
  if (config.workers > 1 && cluster.isPrimary) {
    new Workers(config.workers, log.child({ context: 'Workers' })).run();
    return;
  }
  const tracing = await startTracing(config);
  const app = await createApp(config, { log, tracing });
  const mainLog = log.child({ context: 'Main' });
  leaveOnSignal(app, { config, log: mainLog, tracing });
  await app.listen(config.port, config.host);
  mainLog.info(`listening on port ${portOf(app)}`);
  if (!inProduction && isFirst()) await offerWalk(app, config, mainLog);
}

/** Of the processes that share the port. */
function isFirst(): boolean {
  return cluster.worker === undefined || cluster.worker.id === 1;
}

/** The SDK is loaded only when it is wanted. */
async function startTracing({ traces }: Config): Promise<Tracing> {
  if (!traces) return new NoTracing();
  const { OtelTracing } = await import('./traces/otel-tracing.js');
  return new OtelTracing(traces);
}

interface Leaving {
  readonly config: Config;
  readonly log: Log;
  readonly tracing: Tracing;
}

/** Not ready first; then requests under way are answered; then stores are closed, spans sent; then exit 0. */
function leaveOnSignal(app: NestFastifyApplication, { config, log, tracing }: Leaving): void {
  const leave = async (signal: string): Promise<void> => {
    const drain = app.get(Drain);
    if (drain.draining) return;
    log.info(`${signal}: finishing requests under way`);
    drain.start();
    await setTimeout(config.shutdownDrainSeconds * 1000);
    const server = app.getHttpServer();
    const idle = setInterval(() => server.closeIdleConnections(), 50);
    const late = globalThis.setTimeout(
      () => server.closeAllConnections(),
      config.shutdownTimeoutSeconds * 1000,
    );
    await app.close();
    clearInterval(idle);
    clearTimeout(late);
    await tracing.end();
    process.exit(0);
  };
  for (const signal of ['SIGTERM', 'SIGINT'] as const) {
    process.on(signal, () => {
      leave(signal).catch((error: unknown) => {
        log.fatal({ cause: error });
        process.exit(1);
      });
    });
  }
}

/** The walk is a courtesy: a store that is not there yet must not keep the service from running. */
async function offerWalk(app: NestFastifyApplication, config: Config, log: Log): Promise<void> {
  try {
    const apiKeyFile = await ensureDemoTenant(app, config.store);
    const url = config.port === 0 ? `http://localhost:${portOf(app)}` : config.publicUrl;
    process.stdout.write(demoWalk(url, apiKeyFile));
  } catch (error) {
    log.warn(
      { cause: SafeError.of(error) },
      'no demo tenant; it is made at the next start with a store that answers',
    );
  }
}

function portOf(app: NestFastifyApplication): number {
  const address = app.getHttpServer().address();
  return typeof address === 'object' && address ? address.port : 0;
}

main().catch((error: unknown) => {
  const { message, stack, syscall = '' } = error as NodeJS.ErrnoException;
  // A port that is taken, a HOST that nobody knows.
  const expected = error instanceof BootError || ['listen', 'getaddrinfo'].includes(syscall);
  process.stderr.write(`${expected ? message : (stack ?? message)}\n`);
  process.exit(1);
});
