/** How the contracts get stores to speak to: each contract opens its own, empty ones. */
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll } from '@jest/globals';
import { openRedisStores } from '../../src/storage/redis/redis-stores.js';
import { openSqliteStores } from '../../src/storage/sqlite/sqlite-stores.js';
import type { Stores } from '../../src/storage/stores.js';
import { parseStoreUrl } from '../../src/store-url.js';
import { RedisServer } from '../support/redis-server.js';
import { TurnableClock } from '../support/turnable-clock.js';

export interface OpenedStores {
  readonly stores: Stores;
  /** Lets go of the stores and of all that was made for them. */
  dispose(): Promise<void>;
}

export type OpenStores = () => Promise<OpenedStores>;

/** Slow machines are no outage here: what a timeout does has tests of its own. */
const COMMAND_TIMEOUT_MS = 10_000;

export const openSqliteInMemory: OpenStores = async () => {
  const stores = openSqliteStores(':memory:', new TurnableClock());
  return { stores, dispose: () => stores.close() };
};

export const openSqliteFile: OpenStores = async () => {
  const directory = mkdtempSync(join(tmpdir(), 'sqlite-test-'));
  const stores = openSqliteStores(join(directory, 'sessions.db'), new TurnableClock());
  return {
    stores,
    dispose: async () => {
      await stores.close();
      rmSync(directory, { recursive: true, force: true });
    },
  };
};

/** One more instance's view of a server. */
export function connectRedis(server: RedisServer, clock: TurnableClock): Promise<Stores> {
  const url = parseStoreUrl(server.url);
  if (url.kind !== 'redis') throw new Error('not a redis URL');
  return openRedisStores(url, { clock, commandTimeoutMs: COMMAND_TIMEOUT_MS, waitReplicas: 0 });
}

/** A server for each contract: nothing of another one is there. */
export const openRedis: OpenStores = async () => {
  const server = await RedisServer.start();
  const stores = await connectRedis(server, new TurnableClock());
  return {
    stores,
    dispose: async () => {
      await stores.close();
      await server.stop();
    },
  };
};

/** Opens stores for the enclosing `describe`. @returns how its tests get at them */
export function storesOf(open: OpenStores): () => Stores {
  let opened: OpenedStores | undefined;
  beforeAll(async () => {
    opened = await open();
  });
  afterAll(async () => {
    await opened?.dispose();
  });
  return () => {
    if (!opened) throw new Error('the stores are open while tests run, not before');
    return opened.stores;
  };
}
