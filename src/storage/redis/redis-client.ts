/** ioredis, for Redis in any of its shapes: a command is sent once, and is answered in time or fails. */
import { Cluster, Redis, type RedisOptions } from 'ioredis';
import type { StoreUrl } from '../../store-url.js';

export type RedisUrl = Extract<StoreUrl, { kind: 'redis' }>;

const MAX_RECONNECT_DELAY_MS = 1000;
/** How long a connection that was given up may take to close; a hanging peer never closes it. */
const DISCONNECT_MS = 100;
const MAX_LOADING_RETRY_MS = 250;
const LEAVE_INTERVAL_MS = 500;
const reconnectDelay = (attempt: number): number => Math.min(25 * 2 ** attempt, MAX_RECONNECT_DELAY_MS);

/** @returns a client that was not told to connect yet */
export function connect(url: RedisUrl, commandTimeoutMs: number): Redis | Cluster {
  const tls = url.tls ? {} : undefined;
  const common: RedisOptions = {
    username: url.username,
    password: url.password,
    tls,
    lazyConnect: true,
    enableOfflineQueue: false,
    autoResendUnfulfilledCommands: false,
    maxRetriesPerRequest: 0,
    commandTimeout: commandTimeoutMs,
    // A machine that vanished closes no connection: silence on one that owes an answer means a new one.
    socketTimeout: 2 * commandTimeoutMs,
    connectTimeout: Math.max(commandTimeoutMs, 1000),
    disconnectTimeout: DISCONNECT_MS,
    maxLoadingRetryTime: MAX_LOADING_RETRY_MS,
    connectionName: 'session-service',
    retryStrategy: reconnectDelay,
    reconnectOnError: leavesReplica(),
  };
  const { topology } = url;
  switch (topology.mode) {
    case 'standalone':
      return new Redis({ ...common, ...topology.node, db: topology.database });
    case 'sentinel':
      return new Redis({
        ...common,
        sentinels: [...topology.sentinels],
        name: topology.masterName,
        sentinelRetryStrategy: reconnectDelay,
        sentinelReconnectStrategy: reconnectDelay,
        sentinelCommandTimeout: commandTimeoutMs,
        failoverDetector: true,
        ...(tls ? { enableTLSForSentinelMode: true, sentinelTLS: tls } : {}),
      });
    case 'cluster':
      return new Cluster([...topology.nodes], {
        lazyConnect: true,
        // A command waits, within its time, for the connection to a node that was not needed before; `run` sees to
        // it that none waits for the cluster as a whole.
        enableOfflineQueue: true,
        clusterRetryStrategy: reconnectDelay,
        // MOVED, ASK and TRYAGAIN say that nothing was done: those commands are sent on, within their time. After
        // a lost connection nobody knows, and a cluster that is down stays so for longer than anybody waits.
        retryDelayOnTryAgain: 50,
        retryDelayOnFailover: 0,
        retryDelayOnClusterDown: 0,
        slotsRefreshTimeout: Math.max(commandTimeoutMs, 1000),
        redisOptions: common,
      });
  }
}

/**
 * A master that became a replica refuses writes: leave it, and find the new one. Not for every write that it
 * refuses, though: what is under way goes with the connection.
 */
function leavesReplica(): (error: Error) => boolean {
  let leftAtMs = Number.NEGATIVE_INFINITY;
  return ({ message }) => {
    if (!message.startsWith('READONLY') || performance.now() - leftAtMs < LEAVE_INTERVAL_MS) return false;
    leftAtMs = performance.now();
    return true;
  };
}
